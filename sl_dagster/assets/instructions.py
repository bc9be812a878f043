"""``instructions``: new instructions that the base model makes up (self-instruct; paper, 3.1)."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import dagster as dg

from sl_dagster.adapters import Adapter
from sl_dagster.assets.description import stage_result
from sl_dagster.assets.stage_asset import StageConfig, stage_asset
from sl_dagster.assets.stage_run import base_model, begin
from sl_dagster.experiment import Experiment, Sampling
from sl_dagster.identity import fingerprint
from sl_dagster.instruction_files import read_instructions
from sl_dagster.method.instructions import instruction_drop_reason
from sl_dagster.records import Record
from sl_dagster.resources.engines import Request
from sl_dagster.resources.journal import Outcome
from sl_dagster.resources.stage_runner import Ask, Generation, Slot, StageRun, StageRunner
from sl_dagster.resources.stage_store import StoredStage

_JUDGEMENT = {"temperature": 0.0, "repetition_penalty": 1.0, "max_tokens": 8}


def instructions_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The iteration's instructions as records."""
    settings = experiment.instructions

    @stage_asset(
        experiment,
        "instructions",
        description=(
            "New instructions: the base model is shown two seeds and writes a third; a judge says "
            "whether it suits a long text."
        ),
        kinds={"huggingface", "parquet"},
        inputs=("seeds",),
        # Not used, but an iteration must not begin before its starting point is there.
        deps=("previous_generator", "previous_extender"),
        code_version="2",
    )
    def instructions(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        seeds: StoredStage,
    ) -> dg.MaterializeResult:
        sampling = experiment.sampling.overlaid(settings.sampling)
        model = base_model(experiment)
        examples = list(seeds.records())
        heldout = _heldout_instructions(experiment)
        prompts = [
            experiment.prompts_by_language[name].model_dump() for name in experiment.languages
        ]
        run = begin(
            context,
            config,
            experiment,
            made_from=[seeds, model],
            settings=[settings.model_dump(), sampling.model_dump(), prompts, sorted(heldout)],
        )
        writer = _InstructionWriter(
            experiment, sampling, model, examples, known=heldout | {str(e.text) for e in examples}
        )
        generation = Generation(
            slots=lambda: _slots(run, experiment, model),
            count=settings.count,
            tries=settings.tries,
            attempt=writer.attempt,
            choose=_reasons_against_duplicates,
        )
        return stage_result(runner.generate(run, experiment, generation), model)

    return instructions


def _heldout_instructions(experiment: Experiment) -> set[str]:
    if not experiment.heldout:
        return set()
    lines = read_instructions(experiment.heldout.file, experiment.languages)
    return {line.instruction for line in lines}


def _slots(run: StageRun, experiment: Experiment, model: Adapter) -> Iterator[Slot]:
    """As many slots as instructions are wanted, the languages taking turns."""
    for position in range(experiment.instructions.count):
        yield Slot(
            Record(
                record_id=fingerprint(run.fingerprint, position),
                experiment=run.key.experiment,
                iteration=run.key.iteration or 0,
                stage=run.key.stage,
                position=position,
                language=experiment.languages[position % len(experiment.languages)],
                adapter=model.fingerprint,
            )
        )


class _InstructionWriter:
    """Asks the model for an instruction and for its own judgement of it."""

    def __init__(
        self,
        experiment: Experiment,
        sampling: Sampling,
        model: Adapter,
        examples: list[Record],
        known: set[str],
    ) -> None:
        self._prompts = experiment.prompts_by_language
        self._writing = {
            language: sampling.model_copy(
                update={"stop": (*sampling.stop, prompts.self_instruct_stop)}
            )
            for language, prompts in self._prompts.items()
        }
        self._judging = sampling.model_copy(update=_JUDGEMENT)
        self._model = model
        self._examples = examples
        self._known = known

    async def attempt(self, slot: Slot, number: int, ask: Ask) -> Record:
        """Let the model write one instruction after two examples, and judge it."""
        language = slot.blank.language
        of_language = [example for example in self._examples if example.language == language]
        draw = random.Random(slot.seed(number, "examples"))
        shown = draw.sample(of_language, 2) if len(of_language) > 1 else of_language * 2
        message, turn = self._prompts[language].self_instruction(*(str(e.text) for e in shown))
        writing = self._writing[language]
        request = Request(message, writing, slot.seed(number), self._model, begun=turn)
        completion = await ask(request)
        text = completion.text.strip()
        reason = instruction_drop_reason(
            text, finish_reason=completion.finish_reason, known=self._known
        )
        if reason is None and not await self._suits(slot, number, text, ask):
            reason = "judged_no"
        return replace(
            slot.blank,
            parents=tuple(example.record_id for example in shown),
            text=text,
            tokens=completion.tokens,
            finish_reason=completion.finish_reason,
            kept=reason is None,
            drop_reason=reason,
        )

    async def _suits(self, slot: Slot, number: int, instruction: str, ask: Ask) -> bool:
        prompts = self._prompts[slot.blank.language]
        message, seed = prompts.judgement(instruction), slot.seed(number, "judgement")
        answer = await ask(Request(message, self._judging, seed, self._model))
        return prompts.approves(answer.text)


def _reasons_against_duplicates(outcomes: Sequence[Outcome]) -> list[str | None]:
    """Of equal instructions the first stays."""
    seen: set[str] = set()
    reasons: list[str | None] = []
    for outcome in outcomes:
        reasons.append("duplicate" if outcome.digest in seen else None)
        seen.add(outcome.digest)
    return reasons
