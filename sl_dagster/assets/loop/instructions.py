"""``instructions``: new instructions that the base model makes up (self-instruct; paper, 3.1)."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from sl_dagster.assets.stage.asset import key_of, stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.description import stage_result
from sl_dagster.assets.stage.run import base_model, begin
from sl_dagster.experiment import Experiment, Sampling
from sl_dagster.identity import fingerprint
from sl_dagster.inputs.instructions import read_instructions
from sl_dagster.method.diversity import SimilarTexts, distinct_n, mean_shares
from sl_dagster.method.instructions import duplicate_reason, instruction_drop_reason
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import Record
from sl_dagster.resources.stage_runner import Ask, Generation, Slot, StageRun, StageRunner
from sl_dagster.resources.storage.journal import Outcome
from sl_dagster.resources.storage.stage_store import StageKey, StageStore, StoredStage

_PROMPTS = {
    "self_instruct",
    "self_instruct_turn",
    "self_instruct_stop",
    "judge",
    "judge_answers",
}
_JUDGEMENT = {"temperature": 0.0, "repetition_penalty": 1.0, "max_tokens": 8}


def instructions_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The iteration's instructions as records."""

    @stage_asset(
        experiment,
        "instructions",
        description=(
            "New instructions: the base model is shown two of the pool and writes a third; a judge "
            "says whether it suits a long text, and near-duplicates are dropped."
        ),
        kinds={"huggingface", "parquet"},
        inputs=("seeds",),
        # Not used, but an iteration must not begin before its starting point is there.
        deps=tuple(f"previous_{role}" for role in experiment.roles),
        code_version="2",
        settings=(
            "instructions.count",
            "instructions.tries",
            "instructions.pool",
            "instructions.max_similarity",
            "instructions.sampling",
        ),
        on_gpu=True,
    )
    def instructions(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        stages: StageStore,
        seeds: StoredStage,
    ) -> dg.MaterializeResult:
        changed = config.over(experiment)
        sources = [seeds]
        if changed.instructions.pool == "growing":
            iteration = key_of(context).iteration
            assert iteration is not None
            sources += instructions_of(changed, stages, range(1, iteration))
        return make_instructions(context, config, runner, changed, sources)

    return instructions


def instructions_of(
    experiment: Experiment, stages: StageStore, iterations: Iterable[int]
) -> list[StoredStage]:
    """The stored instructions of these iterations.

    Looked up and not declared, because Dagster lets no asset depend on its own earlier iterations.
    If they are made anew this stage's fingerprint changes, and it shows as out of date once their
    iteration has been run to its end, through ``previous_generator``.

    Raises:
        UserError: one is not stored.
    """
    return [stages.read(StageKey(experiment.name, "instructions", i)) for i in iterations]


def make_instructions(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    runner: StageRunner,
    experiment: Experiment,
    sources: list[StoredStage],
) -> dg.MaterializeResult:
    """Let the base model make up ``experiment.instructions.count`` instructions.

    Args:
        sources: the pool: what the examples are drawn from, and what must not be repeated.
    """
    settings = experiment.instructions
    sampling = experiment.sampling_of("instructions")
    model = base_model(experiment)
    pool = [record for source in sources for record in source.records()]
    heldout = heldout_instructions(experiment)
    prompts = [
        experiment.prompts_by_language[name].model_dump(include=_PROMPTS)
        for name in experiment.languages
    ]
    run = begin(
        context,
        config,
        experiment,
        made_from=[*sources, model],
        settings=[settings.model_dump(), sampling.model_dump(), prompts, sorted(heldout)],
    )
    writer = _InstructionWriter(experiment, sampling, model, pool, heldout)
    generation = Generation(
        slots=lambda: _slots(run, experiment, model),
        count=settings.count,
        tries=settings.tries,
        attempt=writer.attempt,
        choose=reasons_against_duplicates(settings.max_similarity),
    )
    stage = runner.generate(run, experiment.served, generation)
    return stage_result(stage, [*sources, model], more=_diversity(stage, pool))


def heldout_instructions(experiment: Experiment) -> set[str]:
    """The instructions that measure the Generator, which no training may see."""
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
        pool: list[Record],
        heldout: set[str],
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
        self._examples = {
            language: [record for record in pool if record.language == language]
            for language in self._prompts
        }
        self._known = SimilarTexts([*(str(record.text) for record in pool), *sorted(heldout)])
        self._max_similarity = experiment.instructions.max_similarity

    async def attempt(self, slot: Slot, number: int, ask: Ask) -> Record:
        """Let the model write one instruction after two examples, and judge it."""
        language = slot.blank.language
        shown = self._two_examples(slot, number)
        message, turn = self._prompts[language].self_instruction(*(str(e.text) for e in shown))
        writing = self._writing[language]
        request = Request(message, writing, slot.seed(number), self._model, begun=turn)
        completion = await ask(request)
        text = completion.text.strip()
        reason = instruction_drop_reason(
            text, finish_reason=completion.finish_reason, language=language
        )
        reason = reason or duplicate_reason(text, self._known, self._max_similarity)
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

    def _two_examples(self, slot: Slot, number: int) -> list[Record]:
        examples = self._examples[slot.blank.language]
        draw = random.Random(slot.seed(number, "examples"))
        return draw.sample(examples, 2) if len(examples) > 1 else examples * 2

    async def _suits(self, slot: Slot, number: int, instruction: str, ask: Ask) -> bool:
        prompts = self._prompts[slot.blank.language]
        message, seed = prompts.judgement(instruction), slot.seed(number, "judgement")
        choices = prompts.judge_answers
        answer = await ask(Request(message, self._judging, seed, self._model, choices=choices))
        return prompts.approves(answer.text)


def reasons_against_duplicates(
    max_similarity: float,
) -> Callable[[Sequence[Outcome], Iterable[str]], list[str | None]]:
    """Near-duplicates among new instructions, as a ``Generation.choose``.

    Of instructions that are alike the first stays, whichever was finished first.
    """

    def choose(_: Sequence[Outcome], texts: Iterable[str]) -> list[str | None]:
        staying = SimilarTexts()
        reasons: list[str | None] = []
        for text in texts:
            reasons.append(duplicate_reason(text, staying, max_similarity))
            if reasons[-1] is None:
                staying.add(text)
        return reasons

    return choose


def _diversity(stage: StoredStage, pool: list[Record]) -> dict[str, Any]:
    """Distinct-n of the new instructions, and what share of their examples was of which kind.

    Nobody says of what kind a self-made instruction is; of its two examples it is known, as their
    own kind if they are seeds, and in the same way as the mixture of their examples if not.
    """
    kinds: dict[str, dict[str, float]] = {}

    def shares_of(record: Record) -> dict[str, float]:
        if not record.parents:
            return {record.kind: 1.0} if record.kind else {}
        return mean_shares([kinds[parent] for parent in record.parents])

    for record in pool:
        kinds[record.record_id] = shares_of(record)
    new = list(stage.records())
    texts = [str(record.text) for record in new]
    shares = mean_shares([shares_of(record) for record in new])
    return {f"distinct_{n}": round(distinct_n(texts, n), 3) for n in (1, 2)} | {
        f"share_{kind}": round(share, 3) for kind, share in sorted(shares.items())
    }
