"""``aligned_sft`` and ``aligned_model``: fine-tuning on the final data set (paper, section 3.5).

A pair whose query was given a length takes part with that query, all others as they are.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sl_dagster.assets.loop.trained_weights import TrainedWeights
from sl_dagster.assets.stage.description import made_from_metadata
from sl_dagster.assets.stage.run import base_model
from sl_dagster.assets.stage.stage import Derivation
from sl_dagster.experiment import Experiment, Training
from sl_dagster.method.training_pairs import generator_pair
from sl_dagster.publishing.cards import CARD, model_card
from sl_dagster.publishing.model_facts import aligned_model_facts
from sl_dagster.publishing.pairs import final_pairs
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.records import AlignedExample, Pair
from sl_dagster.resources.storage.adapter_store import StoredAdapter
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.results.tables import achievements
from sl_dagster.training.job import TrainingJob


class AlignedSft(Derivation):
    """An example of each pair, on its side of the split."""

    name = "aligned_sft"
    description = (
        "Training examples of the aligned model: all pairs, with their length in the query where "
        "it was woven in; those of the validation split are held back."
    )
    inputs = ("dataset", "length_controlled")
    per = "experiment"
    job = "dataset"
    record = AlignedExample

    @cached_property
    def sources(self) -> list[StoredStage]:
        # The other input need not have records: a data set may be too short for any length.
        return [self.run.stage("dataset")]

    def identity(self) -> list[Any]:
        return [self.run.stage("length_controlled").content_hash]

    def source_records(self) -> Iterator[Pair]:
        return final_pairs(*map(self.run.stage, self.inputs))

    def records(self) -> Iterator[AlignedExample]:
        for slot in self.slots():
            pair: Pair = slot.source
            prompt, completion = generator_pair(pair.query, pair.response)
            yield slot.made(
                AlignedExample,
                instruction=pair.instruction,
                prompt=tuple(prompt),
                completion=tuple(completion),
                split=pair.split,
            )

    def facts(self, stage: StoredStage) -> dict[str, Any]:
        return made_from_metadata(self.experiment.name, [*map(self.run.stage, self.inputs)])


class AlignedModel(TrainedWeights):
    """The base model, fine-tuned to write as long as it is asked to."""

    name = "aligned_model"
    inputs = ("aligned_sft",)
    per = "experiment"
    job = "dataset"
    reads = ("training", "aligned_model")
    trains = "aligned"

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        self.description = (
            "All weights of the base model" if self.full else "A LoRA adapter of the base model"
        ) + ", fine-tuned on `aligned_sft`: a model that writes as long as it is asked to."

    @property
    def full(self) -> bool:
        """Whether all of the model's weights are trained."""
        return self.experiment.aligned_model.method == "full"

    @property
    def made_from(self) -> list[StoredStage | Adapter]:
        return [self.training_set, base_model(self.experiment)]

    @property
    def training(self) -> Training:
        return self.experiment.aligned_training

    def identity(self) -> list[Any]:
        return [*super().identity(), self.experiment.aligned_model.method]

    def training_job(self, output: Path) -> TrainingJob:
        return super().training_job(output).model_copy(update={"all_weights": self.full})

    def completed(self, stored: StoredAdapter) -> StoredAdapter:
        """The weights with a model card of their facts."""
        experiment, stages = self.experiment, self.run.stages
        stored = replace(stored, facts=aligned_model_facts(experiment, stages))
        card = model_card(experiment, stored, achievements(experiment, stages))
        (Path(str(stored.adapter.path)) / CARD).write_text(card, encoding="utf-8")
        return stored

    def facts(self) -> dict[str, Any]:
        return {"method": self.experiment.aligned_model.method}
