"""``aligned_sft`` and ``aligned_model``: fine-tuning on the final data set (paper, section 3.5).

A pair whose query was given a length takes part with that query, all others as they are.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg

from sl_dagster.assets.loop.training_run import TrainingRun, training_job, training_result
from sl_dagster.assets.stage.asset import Asset
from sl_dagster.assets.stage.description import made_from_metadata
from sl_dagster.assets.stage.run import StageRun, base_model, stage_fingerprint
from sl_dagster.assets.stage.task import Derivation
from sl_dagster.experiment import Experiment
from sl_dagster.method.training_pairs import generator_pair
from sl_dagster.publishing.cards import CARD, model_card
from sl_dagster.publishing.model_facts import aligned_model_facts
from sl_dagster.publishing.pairs import final_pairs
from sl_dagster.resources.records import AlignedExample, Pair
from sl_dagster.resources.storage.io_managers import ADAPTER_IO
from sl_dagster.resources.storage.stage_store import StoredStage
from sl_dagster.results.tables import achievements


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


class AlignedModel(Asset):
    """The base model, fine-tuned to write as long as it is asked to."""

    name = "aligned_model"
    kinds = ("pytorch", "huggingface")
    inputs = ("aligned_sft",)
    per = "experiment"
    job = "dataset"
    io_manager = ADAPTER_IO
    on_gpu = True

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        self._full = experiment.aligned_model.method == "full"
        self.description = (
            "All weights of the base model" if self._full else "A LoRA adapter of the base model"
        ) + ", fine-tuned on `aligned_sft`: a model that writes as long as it is asked to."

    def make(self, run: StageRun) -> dg.MaterializeResult:
        experiment, training_set = run.experiment, run.stage("aligned_sft")
        training, method = experiment.aligned_training, experiment.aligned_model.method
        made_from = [training_set, base_model(experiment)]
        identity = [training.identity, method]
        fingerprint = stage_fingerprint(run, self.code_version, made_from, identity)
        job = training_job(run, fingerprint, training, training_set)
        work = TrainingRun(run, fingerprint)
        stored = work.stored()
        if stored is None:
            trained = work.train("aligned", job.model_copy(update={"all_weights": self._full}))
            stored = replace(trained, facts=aligned_model_facts(experiment, run.stages))
            card = model_card(experiment, stored, achievements(experiment, run.stages))
            (Path(str(stored.adapter.path)) / CARD).write_text(card, encoding="utf-8")
        return training_result(run, stored, [training_set], {"method": method})
