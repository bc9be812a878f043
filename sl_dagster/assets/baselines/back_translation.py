"""The baseline instruction back-translation (arXiv 2308.06259), in the place of self-instruct.

``documents`` are texts of the user's own; ``instructions`` are what the base model takes them for
answers to; and ``extended_responses`` are the documents that have got an instruction. The model's
judgement whether an instruction suits a long text is not asked for: its answer is there already.
"""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from itertools import cycle, islice
from typing import Any

import dagster as dg

from sl_dagster.assets.loop.new_instructions import NewInstructions
from sl_dagster.assets.stage.given import given_text
from sl_dagster.assets.stage.identities import prompts_identity, sampling_identity
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.assets.stage.stage import Derivation
from sl_dagster.experiment import Experiment
from sl_dagster.identity import seed_from
from sl_dagster.inputs.documents import read_documents
from sl_dagster.method.final_set import SeenPairs
from sl_dagster.method.instructions import instruction_drop_reason
from sl_dagster.method.selection import draw_by_rank
from sl_dagster.resources.engines import Completion, Request
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.stored_stage import StoredStage


class Documents(Derivation):
    """The user's documents; none twice, and none in another language than the experiment's."""

    name = "documents"
    description = "Documents of the user's own, without duplicates."
    kinds = ("json", "parquet")
    per = "experiment"
    reads = ("documents", "languages")

    @cached_property
    def digest(self) -> tuple[str, int]:
        """A digest of all documents, and how many there are: all are right before any is used."""
        digest, count = hashlib.sha256(), 0
        for document in read_documents(self.experiment.documents):
            digest.update(document.model_dump_json().encode())
            count += 1
        return digest.hexdigest(), count

    def identity(self) -> list[Any]:
        return [self.digest[0], self.experiment.languages]

    @property
    def count(self) -> int:
        return self.digest[1]

    def records(self) -> Iterator[Text]:
        seen = SeenPairs()
        for position, document in enumerate(read_documents(self.experiment.documents)):
            language = document.written_in
            reason = None if seen.add("", document.text) else "duplicate"
            if language not in self.experiment.languages:
                reason = "wrong_language"
            yield given_text(
                self.experiment,
                self.name,
                "document",
                position,
                language,
                document.text,
                kept=reason is None,
                drop_reason=reason,
            )

    def facts(self, stage: StoredStage) -> dict[str, Any]:
        return {"files": dg.MetadataValue.json([str(path) for path in self.experiment.documents])}


class BackTranslatedInstructions(NewInstructions):
    """An instruction for each document whose turn it is."""

    description = (
        "Instructions by back-translation: the base model says what each document may be the "
        "answer to; near-duplicates are dropped."
    )
    inputs = ("documents",)
    # Not used, but an iteration must not begin before its starting point is there.
    deps = ("previous_generator",)
    reads = (
        "instructions.count",
        "instructions.tries",
        "instructions.max_similarity",
        "instructions.sampling",
        "heldout.file",
        "prompts.back_translate",
    )

    def identity(self) -> list[Any]:
        experiment, names = self.experiment, {"count", "tries", "max_similarity", "sampling"}
        return [
            experiment.instructions.model_dump(mode="json", include=names),
            sampling_identity(experiment.sampling_of("instructions")),
            prompts_identity(experiment, "back_translate"),
            self.heldout,
        ]

    @property
    def count(self) -> int:
        return min(self.experiment.instructions.count, len(self.sources[0]))

    def source_records(self) -> Iterator[Text]:
        """The documents whose turn it is: each iteration goes on where the one before stopped."""
        documents = self.sources[0]
        start = (self.run.iteration - 1) * self.count % len(documents)
        wanted = set(islice(cycle(range(len(documents))), start, start + self.count))
        return (one for place, one in enumerate(documents.records(Text)) if place in wanted)

    async def attempt(self, slot: Slot[Text], number: int, ask: Ask) -> Text:
        prompts = self.experiment.prompts_by_language[slot.language]
        message = prompts.back_translation(slot.source.text)
        sampling = self.experiment.sampling_of("instructions")
        completion = await ask(Request(message, sampling, slot.seed(number), self.writer))
        text = completion.text.strip()
        reason = "long_document" if _left_no_room(completion) else None
        reason = reason or instruction_drop_reason(
            text, finish_reason=completion.finish_reason, language=slot.language
        )
        return slot.judged(completion, text, reason or self.reason_against(text))

    def stored(self) -> StoredStage:
        if self.count < len(self.sources[0]):
            self.run.say(
                f"{self.count} of {len(self.sources[0])} documents: see instructions.count"
            )
        return super().stored()

    def facts(self, stage: StoredStage) -> dict[str, Any]:
        return {"documents_left_out": len(self.sources[0]) - self.count}


def _left_no_room(completion: Completion) -> bool:
    """Whether the prompt alone has filled what the model can read."""
    return completion.finish_reason == "length" and completion.tokens <= 1


class DocumentsAsResponses(Derivation):
    """``extended_responses``: the documents, as answers to their instructions."""

    name = "extended_responses"
    inputs = ("instructions", "documents")
    reads = ("length_selection",)

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        self.description = (
            "The documents that have got an instruction, in place of extended responses"
            + ("; the longer, the likelier selected." if experiment.length_selection else ".")
        )

    def identity(self) -> list[Any]:
        return [self.experiment.length_selection]

    @cached_property
    def lengths(self) -> list[int]:
        """Characters of the documents that have got an instruction."""
        return [document.characters for _, document in self._answered()]

    @property
    def count(self) -> int:
        return len(self.lengths)

    def source_records(self) -> Iterator[Text]:
        return (instruction for instruction, _ in self._answered())

    def records(self) -> Iterator[Text]:
        stays = [True] * self.count
        if self.experiment.length_selection:
            stays = draw_by_rank(self.lengths, seed_from(self.fingerprint, "selection"))
        for slot, (instruction, document), stay in zip(
            self.slots(), self._answered(), stays, strict=True
        ):
            yield slot.made(
                Text,
                None if stay else "selection",
                instruction=instruction.text,
                text=document.text,
            )

    def _answered(self) -> Iterator[tuple[Text, Text]]:
        """Each instruction with its document, one document in memory at a time."""
        instructions, documents = self.sources
        by_document = {record.parents[0]: record for record in instructions.records(Text)}
        for document in documents.records(Text):
            if instruction := by_document.get(document.record_id):
                yield instruction, document
