"""The prompts of the method, per language, read from YAML files that a user can replace."""

import string
from pathlib import Path
from typing import Annotated, Any, TypedDict

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from sl_dagster.method.yaml_text import parse_yaml

_FOLDER = Path(__file__).parent / "prompts"


class Message(TypedDict):
    """One chat message, as chat templates take it."""

    role: str
    content: str


def _with_placeholders(*expected: str, perhaps: str | None = None) -> AfterValidator:
    """A check that a template has these placeholders and no others, one of which may be missing."""

    def check(template: str) -> str:
        try:
            parts = list(string.Formatter().parse(template))
        except ValueError as error:
            raise ValueError(f"is not a template: {error} (write {{{{ for a brace)") from None
        found = {name for _, name, _, _ in parts if name is not None}
        if found - {perhaps} != set(expected):
            need = ", ".join(f"{{{name}}}" for name in expected) or "none"
            have = ", ".join(f"{{{name}}}" for name in sorted(found)) or "none"
            raise ValueError(
                f"placeholders must be: {need}; found: {have} (write {{{{ for a brace)"
            )
        for _, name, form, conversion in parts:
            if form or conversion:
                raise ValueError(f"write {{{name}}} alone, without what stands behind its name")
        return template

    return AfterValidator(check)


_Text = Annotated[str, Field(min_length=1)]


class Prompts(BaseModel):
    """The wording of one language.

    Attributes:
        self_instruct: asks for three new instructions.
        self_instruct_turn: the assistant turn already begun, with two example instructions; the
            model writes the third.
        self_instruct_stop: how a fourth instruction would begin, where the model must stop.
        judge: asks whether an instruction suits a long text, of more than ``{words}`` words if the
            template says so.
        judge_answers: the two answers that the judge chooses from, the approving one first.
        weave: asks to add a length, in the given words, to an instruction.
        extend: asks to enrich a text that answers an instruction.
        plan: asks for the outline of a text, one line per section (baseline plan-then-write).
        section: asks for one section of an outline, the text before it given (likewise).
        back_translate: asks for the instruction that a text answers (baseline back-translation).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    self_instruct: Annotated[str, _with_placeholders()]
    self_instruct_turn: Annotated[str, _with_placeholders("first", "second")]
    self_instruct_stop: _Text
    judge: Annotated[str, _with_placeholders("instruction", perhaps="words")]
    judge_answers: tuple[_Text, _Text]
    weave: Annotated[str, _with_placeholders("instruction", "constraint")]
    extend: Annotated[str, _with_placeholders("instruction", "response")]
    plan: Annotated[str, _with_placeholders("instruction")]
    section: Annotated[str, _with_placeholders("instruction", "plan", "text", "section")]
    back_translate: Annotated[str, _with_placeholders("text")]

    @field_validator("judge_answers")
    @classmethod
    def _tell_apart(cls, value: tuple[str, str]) -> tuple[str, str]:
        """An answer is known by its beginning."""
        approving, other = (answer.strip().lower() for answer in value)
        if approving.startswith(other) or other.startswith(approving):
            raise ValueError("one of the two begins like the other; write two that differ")
        return value

    def self_instruction(self, first: str, second: str) -> tuple[Message, str]:
        """The self-instruct message and the begun assistant turn that follows it."""
        turn = self.self_instruct_turn.format(first=first, second=second)
        return Message(role="user", content=self.self_instruct.format()), turn

    def calling_long(self, words: int) -> "Prompts":
        """These prompts, with the number of words above which a text is long put in."""
        number = f"{words:,}" if self.judge.isascii() else str(words)
        return self.model_copy(update={"judge": _filled(self.judge, words=number)})

    def judgement(self, instruction: str) -> Message:
        """The message that asks whether an instruction suits a long text (see ``calling_long``)."""
        return Message(role="user", content=self.judge.format(instruction=instruction))

    def approves(
        self, answer: str, probability: float | None = None, threshold: float | None = None
    ) -> bool:
        """Whether the judge approves.

        Args:
            answer: approves if it is, or at least begins with, the approving one of the two.
            probability: of this answer beside the other one, if it is known.
            threshold: with it, and with a probability, that of the approving answer decides: it
                must be as high.
        """
        approving = answer.strip().lower().startswith(self.judge_answers[0].lower())
        if threshold is None or probability is None:
            return approving
        return (probability if approving else 1 - probability) >= threshold

    def weaving(self, instruction: str, constraint: str) -> Message:
        """The message that asks to weave a length into an instruction."""
        content = self.weave.format(instruction=instruction, constraint=constraint)
        return Message(role="user", content=content)

    def extension(self, instruction: str, response: str) -> Message:
        """The message that asks the Extender to enrich a response (or its first part)."""
        content = self.extend.format(instruction=instruction, response=response)
        return Message(role="user", content=content)

    def planning(self, instruction: str) -> Message:
        """The message that asks for an outline."""
        return Message(role="user", content=self.plan.format(instruction=instruction))

    def writing(self, instruction: str, plan: str, text: str, section: str) -> Message:
        """The message that asks for a section of a plan, after the text so far."""
        content = self.section.format(
            instruction=instruction, plan=plan, text=text, section=section
        )
        return Message(role="user", content=content)

    def back_translation(self, text: str) -> Message:
        """The message that asks which instruction a text answers."""
        return Message(role="user", content=self.back_translate.format(text=text))


def _filled(template: str, **values: str) -> str:
    """A template with some of its placeholders filled in; it is still one."""
    parts: list[str] = []
    for text, name, _, _ in string.Formatter().parse(template):
        parts.append(text.replace("{", "{{").replace("}", "}}"))
        if name is not None:
            parts.append(values.get(name, f"{{{name}}}"))
    return "".join(parts)


def builtin_prompts_file(language: str) -> Path:
    """The project's own prompts of a language."""
    return _FOLDER / f"{language}.yaml"


def read_prompts(language: str, own: Path | None = None) -> Prompts:
    """One language's prompts: the project's, or a user's in the place of those that they name.

    The file of a language that the project has no prompts in must name all of them.

    Raises:
        pydantic.ValidationError: a prompt is unknown, or has wrong placeholders.
        yaml.YAMLError, OSError: the user's file is no YAML or cannot be read.
    """
    builtin = builtin_prompts_file(language)
    prompts: Any = yaml.safe_load(builtin.read_text(encoding="utf-8")) if builtin.is_file() else {}
    if own:
        changes = parse_yaml(own.read_bytes())
        # What is no group of prompts is left for the validation to complain about.
        prompts = prompts | changes if isinstance(changes, dict) else changes
    return Prompts.model_validate(prompts)
