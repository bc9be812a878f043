"""Reading files of held-out instructions: one JSON object per line, checked line by line."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from sl_dagster.errors import UserError
from sl_dagster.inputs.json_lines import checked_lines
from sl_dagster.method.instructions import Kind
from sl_dagster.method.language import Language

_EXPECTED = (
    'expected a JSON object such as {"instruction": "Write a story about ...", "language": "en"}'
)


class InstructionLine(BaseModel):
    """One line of a file of instructions.

    Attributes:
        instruction: what the model is asked to write.
        language: of the instruction and of its answer.
        kind: the kind of writing, if it is known.
        mentions: what a good answer must name (held-out instructions only).
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    instruction: str = Field(min_length=1)
    language: Language
    kind: Kind | None = None
    mentions: tuple[str, ...] = ()


def read_instructions(path: Path, languages: tuple[Language, ...]) -> list[InstructionLine]:
    """Read a file of instructions, leaving out other languages than those asked for.

    Raises:
        UserError: naming the line and what is wrong with it, or that nothing is left.
    """
    lines = [line for _, line in numbered_instructions(path)]
    chosen = [line for line in lines if line.language in languages]
    if not chosen:
        found = "the file is empty" if not lines else f"its {len(lines)} lines are in others"
        raise UserError(f"{path}: no instruction in {' or '.join(languages)}, {found}: add some")
    return chosen


def numbered_instructions(path: Path) -> list[tuple[int, InstructionLine]]:
    """Read a file of instructions whole, each with the number of its line, the first being 1.

    Raises:
        UserError: naming the line and what is wrong with it.
    """
    return list(checked_lines(str(path), InstructionLine, _EXPECTED))
