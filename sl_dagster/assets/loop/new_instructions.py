"""What all ways to new instructions have in common: none is too much like another one.

Neither like one that is known, nor like a held-out one, nor like a new one that stays.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property

from sl_dagster.assets.stage.task import Task
from sl_dagster.inputs.instructions import read_instructions
from sl_dagster.method.diversity import SimilarTexts
from sl_dagster.method.instructions import duplicate_reason, reasons_against_duplicates
from sl_dagster.resources.storage.journal import Outcome


class NewInstructions(Task):
    """Instructions without near-duplicates."""

    name = "instructions"

    @property
    def tries(self) -> int:
        return self.experiment.instructions.tries

    @cached_property
    def heldout(self) -> list[str]:
        """The instructions that measure the Generator, which no training may see."""
        if not self.experiment.heldout:
            return []
        lines = read_instructions(self.experiment.heldout.file, self.experiment.languages)
        return sorted({line.instruction for line in lines})

    @property
    def known_texts(self) -> list[str]:
        """Further instructions that must not be repeated: by default, there are none."""
        return []

    def reason_against(self, instruction: str) -> str | None:
        """Why an instruction adds nothing to what is known, if it does not."""
        return duplicate_reason(
            instruction, self._known, self.experiment.instructions.max_similarity
        )

    @cached_property
    def _known(self) -> SimilarTexts:
        return SimilarTexts([*self.known_texts, *self.heldout])

    def choose(self, outcomes: Sequence[Outcome], texts: Iterable[str]) -> Sequence[str | None]:
        return reasons_against_duplicates(texts, self.experiment.instructions.max_similarity)
