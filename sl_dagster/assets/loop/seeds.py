"""``seeds``: the instructions that a person wrote, from which the model makes up its own."""

import dagster as dg

from sl_dagster.assets.stage.asset import stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.description import stage_result
from sl_dagster.assets.stage.run import begin
from sl_dagster.experiment import Experiment
from sl_dagster.identity import fingerprint
from sl_dagster.inputs.instructions import InstructionLine
from sl_dagster.inputs.seeds import detection_note, read_seed_instructions
from sl_dagster.resources.records import Record
from sl_dagster.resources.stage_runner import StageRun, StageRunner


def seeds_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The seed instructions as records."""

    @stage_asset(
        experiment,
        "seeds",
        description="Seed instructions, as they stand in the experiment's seed files.",
        kinds={"json", "parquet"},
        partitioned=False,
        code_version="2",
    )
    def seeds(
        context: dg.AssetExecutionContext, config: StageConfig, runner: StageRunner
    ) -> dg.MaterializeResult:
        found = read_seed_instructions(experiment.seeds, experiment.languages)
        if note := detection_note(found):
            context.log.info(note)
        lines = [seed.line for seed in found]
        settings = [line.model_dump() for line in lines]
        run = begin(context, config, experiment, made_from=[], settings=settings)
        records = (_record(run, position, line) for position, line in enumerate(lines))
        return stage_result(
            runner.write(run, records, len(lines)),
            more={
                "files": dg.MetadataValue.json([str(path) for path in experiment.seeds]),
                "languages_detected": sum(seed.detected for seed in found),
            },
        )

    return seeds


def _record(run: StageRun, position: int, line: InstructionLine) -> Record:
    return Record(
        record_id=fingerprint("seed", run.key.experiment, position, line.instruction),
        experiment=run.key.experiment,
        iteration=0,
        stage=run.key.stage,
        position=position,
        language=line.language,
        text=line.instruction,
        kind=line.kind,
    )
