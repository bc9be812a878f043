"""Beginning a materialization: what a stage's result depends on, and the slots to fill."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from sl_dagster.assets.stage.asset import key_of
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, ServedModel
from sl_dagster.identity import fingerprint
from sl_dagster.resources.adapters import Adapter, AnyRole, base_model_fingerprint
from sl_dagster.resources.records import Record
from sl_dagster.resources.stage_runner import Slot, StageRun
from sl_dagster.resources.storage.stage_store import StoredStage


def begin(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    experiment: Experiment,
    *,
    made_from: Sequence[StoredStage | Adapter],
    settings: list[Any],
) -> StageRun:
    """Describe the materialization that has begun.

    Args:
        config: the settings of this launch.
        experiment: the experiment with these settings on top.
        made_from: the stages and adapters that the result depends on.
        settings: whatever else it depends on, as JSON-serialisable values.

    Raises:
        UserError: a stage that it is made from has no records.
    """
    for stage in made_from:
        if isinstance(stage, StoredStage) and not len(stage):
            raise UserError(_emptiness(stage))
    version = context.assets_def.code_versions_by_key[context.asset_key]
    inputs = [i.content_hash if isinstance(i, StoredStage) else i.fingerprint for i in made_from]
    base = base_model_fingerprint(experiment.base_model, experiment.revision)
    chat = experiment.chat.model_dump(exclude_defaults=True)
    if chat:
        settings = [*settings, chat]
    key = key_of(context)
    return StageRun(
        key=key,
        fingerprint=fingerprint(str(key), version, base, experiment.seed, inputs, settings),
        force=config.force,
        overrides=config.overrides(),
        run_id=context.run.run_id,
        say=context.log.info,
    )


def _emptiness(stage: StoredStage) -> str:
    facts = stage.manifest
    reasons = ", ".join(f"{count} {reason}" for reason, count in facts["dropped"].items())
    return (
        f"{stage.key} is empty: all of its {facts['records_in']} records were dropped ({reasons}). "
        f"Read them in {stage.rejected_path}, change the experiment and materialize it again"
    )


def base_model(experiment: Experiment, role: AnyRole = "generator") -> Adapter:
    """The bare base model in a role."""
    return Adapter(role, base_model_fingerprint(experiment.base_model, experiment.revision))


def served_with(experiment: Experiment, adapter: Adapter) -> tuple[ServedModel, Adapter]:
    """Which model to ask, and with which adapter, to hear what these weights write.

    An adapter is served beside the base model. A whole model, as ``aligned_model``
    makes it with ``method: full``, gets an engine of its own, in the base model's place.

    Raises:
        UserError: the engine is somebody else's and serves only the base model.
    """
    if not adapter.is_whole_model:
        return experiment.served, adapter
    if experiment.engine.type == "openai":
        raise UserError(
            f"engine: the endpoints serve {experiment.base_model}, and not the model in "
            f"{adapter.path}: use the engine vllm or transformers for it, or `aligned_model: "
            "{method: lora}`"
        )
    assert adapter.path
    own = f"{experiment.name}_aligned"
    whole = replace(experiment.served, name=own, model=adapter.path, revision="main")
    return whole, replace(adapter, path=None)


def slots_from(
    run: StageRun, sources: Iterable[Record], samples: int, adapter: Adapter | None
) -> Iterator[Slot]:
    """The slots of a stage that makes ``samples`` records from each source record."""
    position = 0
    for source in sources:
        for sample in range(samples):
            blank = Record(
                record_id=fingerprint(run.fingerprint, source.record_id, sample),
                parents=(source.record_id,),
                experiment=run.key.experiment,
                iteration=run.key.iteration or 0,
                stage=run.key.name,
                position=position,
                language=source.language,
                adapter=adapter and adapter.fingerprint,
            )
            yield Slot(blank, source)
            position += 1
