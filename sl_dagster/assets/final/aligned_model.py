"""``aligned_sft`` and ``aligned_model``: fine-tuning on the final data set (paper, section 3.5).

A pair whose query was given a length takes part with that query, all others as they are.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg

from sl_dagster.assets.loop.training_run import TrainingRun, training_job, training_result
from sl_dagster.assets.stage.asset import ADAPTER_IO, stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.description import stage_result
from sl_dagster.assets.stage.run import base_model, begin, slots_from
from sl_dagster.experiment import Experiment
from sl_dagster.method.training_pairs import generator_pair
from sl_dagster.publishing.cards import CARD, model_card
from sl_dagster.publishing.model_facts import aligned_model_facts
from sl_dagster.publishing.pairs import final_pairs
from sl_dagster.resources.records import ALIGNED_SFT_SCHEMA
from sl_dagster.resources.stage_runner import StageRunner
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_store import StageStore, StoredStage
from sl_dagster.resources.trainer import Trainer
from sl_dagster.results.tables import achievements


def aligned_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """The training set and the model."""
    return [_aligned_sft(experiment), _aligned_model(experiment)]


def _aligned_sft(experiment: Experiment) -> dg.AssetsDefinition:
    @stage_asset(
        experiment,
        "aligned_sft",
        description=(
            "Training examples of the aligned model: all pairs, with their length in the query "
            "where it was woven in; those of the validation split are held back."
        ),
        kinds={"parquet"},
        inputs=("dataset", "length_controlled"),
        partitioned=False,
        job="dataset",
    )
    def aligned_sft(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        dataset: StoredStage,
        length_controlled: StoredStage,
    ) -> dg.MaterializeResult:
        run = begin(
            context,
            config,
            experiment,
            made_from=[dataset],
            # Not among what must have records: a data set may be too short for any length.
            settings=[length_controlled.content_hash],
        )

        def records() -> Iterator:
            for slot in slots_from(run, final_pairs(dataset, length_controlled), 1, None):
                pair = slot.source
                assert pair and pair.query is not None
                prompt, completion = generator_pair(pair.query, str(pair.response))
                yield replace(
                    slot.blank,
                    instruction=pair.instruction,
                    prompt=tuple(prompt),
                    completion=tuple(completion),
                    split=pair.split,
                )

        stage = runner.write(run, records(), len(dataset), ALIGNED_SFT_SCHEMA)
        return stage_result(stage, [dataset, length_controlled])

    return aligned_sft


def _aligned_model(experiment: Experiment) -> dg.AssetsDefinition:
    full = experiment.aligned_model.method == "full"

    @stage_asset(
        experiment,
        "aligned_model",
        description=(
            ("All weights of the base model" if full else "A LoRA adapter of the base model")
            + ", fine-tuned on `aligned_sft`: a model that writes as long as it is asked to."
        ),
        kinds={"pytorch", "huggingface"},
        on_gpu=True,
        inputs=("aligned_sft",),
        partitioned=False,
        job="dataset",
        io_manager=ADAPTER_IO,
    )
    def aligned_model(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        trainer: Trainer,
        adapters: AdapterStore,
        runner: StageRunner,
        stages: StageStore,
        aligned_sft: StoredStage,
    ) -> dg.MaterializeResult:
        training = experiment.aligned_training
        run = begin(
            context,
            config,
            experiment,
            made_from=[aligned_sft, base_model(experiment)],
            settings=[training.identity, experiment.aligned_model.method],
        )
        job = training_job(experiment, run, training, aligned_sft)
        job = job.model_copy(update={"all_weights": full})
        work = TrainingRun(context, run, runner, trainer, adapters)
        stored = work.stored()
        if stored is None:
            trained = work.train("aligned", job)
            stored = replace(trained, facts=aligned_model_facts(experiment, stages))
            card = model_card(experiment, stored, achievements(experiment, stages))
            (Path(str(stored.adapter.path)) / CARD).write_text(card, encoding="utf-8")
        method = {"method": experiment.aligned_model.method}
        return training_result(stored, experiment, [aligned_sft], method)

    return aligned_model
