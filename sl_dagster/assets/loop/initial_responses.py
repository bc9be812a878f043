"""``initial_responses``: the Generator answers the instructions (paper, section 3.2)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import dagster as dg

from sl_dagster.assets.stage.asset import stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.description import stage_result
from sl_dagster.assets.stage.run import begin, slots_from
from sl_dagster.experiment import Experiment
from sl_dagster.identity import seed_from
from sl_dagster.method.prompts import Message
from sl_dagster.method.responses import response_drop_reason
from sl_dagster.method.selection import select_longest
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import Record
from sl_dagster.resources.stage_runner import Ask, Generation, Slot, StageRunner
from sl_dagster.resources.storage.journal import Outcome
from sl_dagster.resources.storage.stage_store import StoredStage


def initial_responses_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The Generator's answers as records."""

    @stage_asset(
        experiment,
        "initial_responses",
        description=(
            "The Generator's answers to the instructions that pass the response filter; the longer "
            "an answer, the likelier it was selected."
        ),
        kinds={"huggingface", "parquet"},
        inputs=("instructions", "previous_generator"),
        code_version="2",
        settings=(
            "initial_responses.samples",
            "initial_responses.tries",
            "initial_responses.sampling",
            "filter.preset",
        ),
        role="generator",
        on_gpu=True,
    )
    def initial_responses(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        instructions: StoredStage,
        previous_generator: Adapter,
    ) -> dg.MaterializeResult:
        changed = config.over(experiment)
        return make_responses(context, config, runner, changed, instructions, previous_generator)

    return initial_responses


def make_responses(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    runner: StageRunner,
    experiment: Experiment,
    instructions: StoredStage,
    generator: Adapter,
) -> dg.MaterializeResult:
    """Let a Generator answer instructions, and select by length."""
    settings = experiment.initial_responses
    sampling = experiment.sampling_of("initial_responses")
    made_from = [instructions, generator]
    run = begin(
        context,
        config,
        experiment,
        made_from=made_from,
        settings=[
            *(s.model_dump() for s in (settings, sampling, experiment.filter)),
            experiment.length_selection,
        ],
    )
    selection = reasons_against_short_ones(seed_from(run.fingerprint, "selection"))

    async def attempt(slot: Slot, number: int, ask: Ask) -> Record:
        assert slot.source
        message = Message(role="user", content=str(slot.source.text))
        request = Request(message, sampling, slot.seed(number), generator)
        return await response_attempt(experiment, slot, request, ask)

    generation = Generation(
        slots=lambda: slots_from(run, instructions.records(), settings.samples, generator),
        count=len(instructions) * settings.samples,
        tries=settings.tries,
        attempt=attempt,
        choose=selection if experiment.length_selection else None,
    )
    return stage_result(runner.generate(run, experiment.served, generation), made_from)


async def response_attempt(
    experiment: Experiment, slot: Slot, request: Request, ask: Ask
) -> Record:
    """Ask for an answer to an instruction, and judge it by the response filter."""
    assert slot.source
    completion = await ask(request)
    text = completion.text.strip()
    reason = response_drop_reason(
        text,
        slot.blank.language,
        finish_reason=completion.finish_reason,
        preset=experiment.filter.preset,
    )
    return replace(
        slot.blank,
        instruction=slot.source.text,
        text=text,
        tokens=completion.tokens,
        finish_reason=completion.finish_reason,
        kept=reason is None,
        drop_reason=reason,
    )


def reasons_against_short_ones(
    seed: int,
) -> Callable[[Sequence[Outcome], Iterable[str]], list[str | None]]:
    """Length-biased selection as a ``Generation.choose``."""

    def choose(outcomes: Sequence[Outcome], _: Iterable[str]) -> list[str | None]:
        stays = select_longest([outcome.characters for outcome in outcomes], seed)
        return [None if stay else "selection" for stay in stays]

    return choose
