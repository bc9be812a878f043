"""A preview: a few records through the whole of an iteration, before a full run is paid for.

It runs the experiment's own assets with smaller counts, into a folder of its own, and then says
what it made and what the full run would cost.
"""

from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from sl_dagster.assets import experiment_assets
from sl_dagster.assets.measures.engine_speed import TOKENS_PER_SECOND, EngineSpeed
from sl_dagster.assets.stage.asset import declared
from sl_dagster.experiment import Experiment
from sl_dagster.inputs.instructions import read_instructions
from sl_dagster.jobs.launch import check_success
from sl_dagster.jobs.preview.cost import IterationCost, Measured, full_run, stage_figures
from sl_dagster.jobs.preview.memory import Memory, memory_needed
from sl_dagster.jobs.terminal_logger import terminal_logger
from sl_dagster.method.words import count_words
from sl_dagster.resources.named import resources_in
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage

# The selection by length drops two of five, and some texts are not good enough.
_ASKED_FOR_EACH = 2


@dataclass(frozen=True)
class PreviewedRecord:
    """One self-made instruction and what became of it.

    Attributes:
        instruction: the instruction.
        texts: stage and text of its initial response and of each round's result, as far as it came;
            of a baseline, its plan and the text, or the document.
        ended: the stage that dropped it and why; None for one that would be trained on.
    """

    instruction: str
    texts: list[tuple[str, str]]
    ended: str | None


@dataclass(frozen=True)
class Preview:
    """What a preview made and measured.

    Attributes:
        records: those that came furthest first.
        costs: of the full run, per iteration; empty if nothing was good enough to train on.
        memory: of the GPU, as far as the model's configuration tells.
        tokens_per_second: of the full engine.
    """

    records: list[PreviewedRecord]
    costs: list[IterationCost]
    memory: Memory
    tokens_per_second: float


def run_preview(
    experiment: Experiment,
    count: int,
    data: Path,
    logger: dg.LoggerDefinition = terminal_logger,
) -> Preview:
    """Run a preview of the experiment's first iteration.

    Args:
        experiment: the full experiment.
        count: how many records to show.
        data: the data folder; the preview works in a folder of its own in it.
        logger: tells how far it has come.

    Raises:
        UserError: a stage failed.
    """
    small = _small(experiment, count)
    folder = data / experiment.name / "preview"
    definitions = dg.Definitions(
        assets=[*experiment_assets(small), declared(EngineSpeed(small))],
        resources=resources_in(folder),
        loggers={"terminal": logger},
        executor=dg.in_process_executor,
    )
    generated = generated_stages(small)
    previous = [f"previous_{role}" for role in small.roles]
    first = [small.source_stage, *previous, "engine_speed", *generated, "extended_responses"]
    result = _execute(definitions, small, first)
    speed = _speed_in(result, small)
    stages = StageStore(data_dir=str(folder))
    records = _previewed(small, stages)[:count]
    costs: list[IterationCost] = []
    extended = stages.read(StageKey(small.name, "extended_responses", 1))
    if len(extended):
        _execute(definitions, small, ["generator_sft", "generator_lora"])
        measured = _measured(small, stages, folder, speed)
        heldout = experiment.heldout
        lines = read_instructions(heldout.file, experiment.languages) if heldout else []
        costs = full_run(_with_documents_counted(experiment, stages), measured, len(lines))
    return Preview(records, costs, memory_needed(experiment), speed)


def _small(experiment: Experiment, count: int) -> Experiment:
    """The experiment with just enough of everything."""
    asked = experiment.instructions.model_copy(update={"count": _ASKED_FOR_EACH * count})
    return experiment.model_copy(
        update={
            "instructions": asked,
            "initial_responses": experiment.initial_responses.model_copy(update={"samples": 1}),
            "extension": experiment.extension.model_copy(update={"samples": 1}),
            "plan_then_write": experiment.plan_then_write.model_copy(update={"samples": 1}),
            "training": experiment.training.model_copy(update={"epochs": 1}),
            "heldout": None,
            "benchmarks": {},
            "control": None,
            "judge": None,
        }
    )


def _with_documents_counted(experiment: Experiment, stages: StageStore) -> Experiment:
    """The experiment with no more instructions than it has documents, if they come from those."""
    if experiment.method != "back_translation":
        return experiment
    documents = len(stages.read(StageKey(experiment.name, "documents", None)))
    count = min(experiment.instructions.count, documents)
    asked = experiment.instructions.model_copy(update={"count": count})
    return experiment.model_copy(update={"instructions": asked})


def _execute(
    definitions: dg.Definitions, experiment: Experiment, names: list[str]
) -> dg.ExecuteInProcessResult:
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance,
            partition_key="1",
            asset_selection=[dg.AssetKey([experiment.name, name]) for name in names],
            run_config={"loggers": {"terminal": {"config": {}}}},
            raise_on_error=False,
        )
    check_success(result)
    return result


def _speed_in(result: dg.ExecuteInProcessResult, experiment: Experiment) -> float:
    key = dg.AssetKey([experiment.name, "engine_speed"])
    [made] = [
        event for event in result.get_asset_materialization_events() if event.asset_key == key
    ]
    return float(str(made.materialization.metadata[TOKENS_PER_SECOND].value))


def generated_stages(experiment: Experiment) -> list[str]:
    """The stages of an iteration that a model writes, in the order of the loop."""
    return ["instructions", *experiment.writing_stages]


def _previewed(experiment: Experiment, stages: StageStore) -> list[PreviewedRecord]:
    """Every self-made instruction with its texts, those that came furthest first."""
    chain = [*generated_stages(experiment), "extended_responses"]
    # Of a prefix nothing is shown, and of what is only chosen nothing twice.
    shown = [name for name in chain[:-1] if not name.endswith("_stage1")]
    shown += [] if experiment.writing_stages else chain[-1:]
    found: dict[str, list[tuple[str, str]]] = {}
    ended: dict[str, str | None] = {}
    origin: dict[str, str] = {}
    for name in chain:
        stage = stages.read(StageKey(experiment.name, name, 1))
        for record in [*stage.records(), *stage.rejected()]:
            if "." in record.record_id:
                continue  # a failed try of a record that stands there, too
            first = origin[record.parents[0]] if name != chain[0] else record.record_id
            origin[record.record_id] = first
            if name in shown:
                found.setdefault(first, []).append((name, record.written))
            ended[first] = None if record.kept else f"{name}: {record.drop_reason}"
    previewed = [
        PreviewedRecord(texts[0][1], texts[1:], ended[first]) for first, texts in found.items()
    ]
    return sorted(previewed, key=lambda one: (one.ended is not None, -len(one.texts)))


def _measured(experiment: Experiment, stages: StageStore, folder: Path, speed: float) -> Measured:
    def read(name: str) -> StoredStage:
        return stages.read(StageKey(experiment.name, name, 1))

    extended = read("extended_responses")
    facts = extended.manifest
    grown = facts["kept"] + facts["dropped"].get("selection", 0)
    after = sum(record.words for record in extended.records())
    before = sum(count_words(record.initial_response or "") for record in extended.records(Text))
    # A baseline starts from nothing that could have grown, and trains no Extender.
    extends = "extender" in experiment.roles
    key = StageKey(experiment.name, "generator_lora", 1)
    outcome = AdapterStore(data_dir=str(folder)).read(key).outcome
    assert outcome is not None
    per_example = outcome.tokens / outcome.examples
    return Measured(
        stages={name: stage_figures(read(name).manifest) for name in generated_stages(experiment)},
        grown_share=grown / facts["records_in"],
        growth=after / max(before, 1) if extends else 1.0,
        tokens_per_second=speed,
        # The Extender's examples hold the initial response as well.
        training_tokens=per_example * (2 + before / max(after, 1) if extends else 1),
        training_tokens_per_second=outcome.tokens / max(outcome.seconds, 1e-9),
    )
