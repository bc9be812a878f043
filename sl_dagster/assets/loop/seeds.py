"""``seeds``: instructions that a person wrote, of which the model makes up its own (paper, 3.1).

No model is asked; a seed whose language the file does not say gets the one that it is written in.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import dagster as dg

from sl_dagster.assets.stage.given import given_text
from sl_dagster.assets.stage.stage import Derivation
from sl_dagster.inputs.instructions import InstructionLine
from sl_dagster.inputs.seeds import Seed, detection_note, read_seed_instructions
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.stored_stage import StoredStage


class Seeds(Derivation):
    """The seed instructions."""

    name = "seeds"
    description = "Seed instructions, as they stand in the experiment's seed files."
    kinds = ("json", "parquet")
    per = "experiment"
    code_version = "2"
    reads = ("seeds", "languages")

    @cached_property
    def found(self) -> list[Seed]:
        """The seeds of all files."""
        return read_seed_instructions(self.experiment.seeds, self.experiment.languages)

    @property
    def lines(self) -> list[InstructionLine]:
        """What the files say of each."""
        return [seed.line for seed in self.found]

    def identity(self) -> list[Any]:
        return [line.model_dump() for line in self.lines]

    @property
    def count(self) -> int:
        return len(self.found)

    def records(self) -> Iterator[Text]:
        for position, line in enumerate(self.lines):
            yield given_text(
                self.experiment,
                self.name,
                "seed",
                position,
                line.language,
                line.instruction,
                kind=line.kind,
            )

    def stored(self) -> StoredStage:
        if note := detection_note(self.found):
            self.run.say(note)
        return super().stored()

    def facts(self, stage: StoredStage) -> dict[str, Any]:
        return {
            "files": dg.MetadataValue.json([str(path) for path in self.experiment.seeds]),
            "languages_detected": sum(seed.detected for seed in self.found),
        }
