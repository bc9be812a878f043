"""``round<r>_stage1`` and ``round<r>_stage2``: the Extender lengthens the responses (paper, 3.2).

Stage 1 gives the Extender the first half of a response and keeps the first two thirds of what it
makes of it: the prefix. Stage 2 gives it the whole response, lets its turn begin with the prefix,
and has it go on to the end. An output that passes the filter and is longer than the response goes
into the next round in its place; otherwise the response itself does.

Where the paper's code starts the whole chain of rounds over when a response has not grown in the
end, a stage here asks again at once for just the record that was not good enough.
"""

import math
from dataclasses import replace

import dagster as dg

from sl_dagster.assets.stage.asset import stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.description import stage_result
from sl_dagster.assets.stage.run import begin, slots_from
from sl_dagster.experiment import Experiment, Extension, Sampling
from sl_dagster.method.extension import extension_drop_reason, prefix_drop_reason
from sl_dagster.method.paragraphs import first_half, first_two_thirds
from sl_dagster.method.words import count_words
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import Record
from sl_dagster.resources.stage_runner import Ask, Generation, Slot, StageRunner
from sl_dagster.resources.storage.stage_store import StoredStage

_TOKENS_TO_END_WITH = 64
_SETTINGS = ("extension.tries", "extension.max_tokens_per_input_word", "extension.sampling")


def extension_round_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """Both stages of every round."""
    assets = []
    source = "initial_responses"
    for number in range(1, experiment.extension.rounds + 1):
        assets.append(_stage1(experiment, number, source))
        assets.append(_stage2(experiment, number))
        source = f"round{number}_stage2"
    return assets


def _stage1(experiment: Experiment, number: int, source: str) -> dg.AssetsDefinition:
    @stage_asset(
        experiment,
        f"round{number}_stage1",
        description=(
            f"Round {number}, stage 1: the Extender enriches the first half of each response; the "
            "first two thirds of its output become the prefix of stage 2."
        ),
        kinds={"huggingface", "parquet"},
        inputs={"responses": source, "previous_extender": "previous_extender"},
        settings=(*_SETTINGS, "extension.samples") if number == 1 else _SETTINGS,
        role="extender",
        on_gpu=True,
    )
    def stage1(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        responses: StoredStage,
        previous_extender: Adapter,
    ) -> dg.MaterializeResult:
        changed = config.over(experiment)
        extender = Extender(changed, previous_extender)
        samples = changed.extension.samples if number == 1 else 1
        made_from = [responses, previous_extender]
        run = begin(
            context,
            config,
            changed,
            made_from=made_from,
            settings=[*extender.settings(), samples],
        )
        generation = Generation(
            slots=lambda: slots_from(run, responses.records(), samples, previous_extender),
            count=len(responses) * samples,
            tries=changed.extension.tries,
            attempt=extender.make_prefix,
            # Without a prefix, stage 2 begins its turn from nothing.
            carried=lambda slot, failed: replace(failed, text="", tokens=0),
        )
        stage = runner.generate(run, changed.served, generation)
        given = [count_words(first_half(str(record.text))) for record in responses.records()]
        return stage_result(stage, made_from, before=given)

    return stage1


def _stage2(experiment: Experiment, number: int) -> dg.AssetsDefinition:
    @stage_asset(
        experiment,
        f"round{number}_stage2",
        description=(
            f"Round {number}, stage 2: the Extender enriches the whole response, its turn begun "
            "with the prefix. A response that did not become longer goes on as it was."
        ),
        kinds={"huggingface", "parquet"},
        inputs={"prefixes": f"round{number}_stage1", "previous_extender": "previous_extender"},
        code_version="2",
        settings=(*_SETTINGS, "filter.preset"),
        role="extender",
        on_gpu=True,
    )
    def stage2(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        prefixes: StoredStage,
        previous_extender: Adapter,
    ) -> dg.MaterializeResult:
        changed = config.over(experiment)
        extender = Extender(changed, previous_extender)
        made_from = [prefixes, previous_extender]
        run = begin(
            context,
            config,
            changed,
            made_from=made_from,
            settings=extender.settings(),
        )
        generation = Generation(
            slots=lambda: slots_from(run, prefixes.records(), 1, previous_extender),
            count=len(prefixes),
            tries=changed.extension.tries,
            attempt=extender.continue_prefix,
            carried=unchanged,
        )
        stage = runner.generate(run, changed.served, generation)
        given = [count_words(str(record.response)) for record in prefixes.records()]
        return stage_result(stage, made_from, before=given)

    return stage2


class Extender:
    """Asks the Extender for one of the two stages, and judges what it wrote."""

    def __init__(self, experiment: Experiment, adapter: Adapter) -> None:
        self._experiment = experiment
        self._extension: Extension = experiment.extension
        self._sampling: Sampling = experiment.sampling_of("extension")
        self._adapter = adapter

    def settings(self) -> list:
        """What the results of both stages depend on."""
        prompts = self._experiment.prompts_by_language
        return [
            self._extension.model_dump(include={"tries", "max_tokens_per_input_word"}),
            self._sampling.model_dump(),
            self._experiment.filter.model_dump(),
            [prompts[language].extend for language in self._experiment.languages],
        ]

    async def make_prefix(self, slot: Slot, number: int, ask: Ask) -> Record:
        """Stage 1 for one response."""
        source = slot.source
        assert source and source.text is not None
        completion = await ask(self._request(slot, number, first_half(source.text)))
        prefix = first_two_thirds(completion.text)
        reason = prefix_drop_reason(
            prefix, slot.blank.language, finish_reason=completion.finish_reason
        )
        return replace(
            slot.blank,
            instruction=source.instruction,
            initial_response=source.initial_response or source.text,
            response=source.text,
            text=prefix,
            # Engines count whole completions; the prefix has its share of the characters.
            tokens=round(completion.tokens * len(prefix) / max(1, len(completion.text))),
            finish_reason=completion.finish_reason,
            kept=reason is None,
            drop_reason=reason,
        )

    async def continue_prefix(self, slot: Slot, number: int, ask: Ask) -> Record:
        """Stage 2 for one response and its prefix."""
        source = slot.source
        assert source and source.text is not None and source.response is not None
        request = self._request(slot, number, source.response, begun=source.text)
        completion = await ask(request)
        text = (source.text + completion.text).strip()
        reason = extension_drop_reason(
            text,
            source.response,
            slot.blank.language,
            finish_reason=completion.finish_reason,
            preset=self._experiment.filter.preset,
        )
        return replace(
            slot.blank,
            instruction=source.instruction,
            initial_response=source.initial_response,
            text=text,
            tokens=completion.tokens + (source.tokens or 0),
            finish_reason=completion.finish_reason,
            kept=reason is None,
            drop_reason=reason,
        )

    def _request(self, slot: Slot, number: int, response: str, begun: str = "") -> Request:
        assert slot.source and slot.source.instruction is not None
        prompts = self._experiment.prompts_by_language[slot.blank.language]
        message = prompts.extension(slot.source.instruction, response)
        request = Request(message, self._sampling, slot.seed(number), self._adapter, begun)
        rate = self._extension.max_tokens_per_input_word
        if rate is None:
            return request
        return request.limited_to(math.ceil(rate * count_words(response)) + _TOKENS_TO_END_WITH)


def unchanged(slot: Slot, failed: Record) -> Record:
    """The response as it was before the round."""
    assert slot.source
    return replace(failed, text=slot.source.response, tokens=None, finish_reason=None)
