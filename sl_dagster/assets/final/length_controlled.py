"""``length_controlled``: pairs whose query says how long the response is (paper, section 3.5)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import dagster as dg

from sl_dagster.assets.stage.asset import stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.description import stage_result
from sl_dagster.assets.stage.run import base_model, begin, slots_from
from sl_dagster.experiment import Experiment, LengthControl
from sl_dagster.method.length_control import ConstraintType, draw_constraint, weaving_drop_reason
from sl_dagster.method.lengths import length_named_in
from sl_dagster.method.words import count_words
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import PAIR_SCHEMA, Record
from sl_dagster.resources.stage_runner import Ask, Generation, Slot, StageRunner
from sl_dagster.resources.storage.stage_store import StoredStage

# A woven query is hardly longer than the query; what runs on has gone astray.
_TOKENS_PER_WORD, _MORE_TOKENS = 8, 256


def length_controlled_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The pairs of the data set whose query has been given a length, as records."""
    settings = experiment.length_control

    @stage_asset(
        experiment,
        "length_controlled",
        description=(
            f"The pairs whose response has {settings.min_words:,} words or more and fewer than "
            f"{settings.max_words:,}: the base model weaves its length into the query."
        ),
        kinds={"huggingface", "parquet"},
        on_gpu=True,
        inputs=("dataset",),
        partitioned=False,
        code_version="2",
        job="dataset",
    )
    def length_controlled(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        dataset: StoredStage,
    ) -> dg.MaterializeResult:
        model = base_model(experiment)
        weaver = _Weaver(experiment, model)
        run = begin(
            context,
            config,
            experiment,
            made_from=[dataset, model],
            settings=weaver.settings(),
        )
        count = sum(1 for _ in _to_be_woven(dataset, settings))
        generation = Generation(
            slots=lambda: slots_from(run, _to_be_woven(dataset, settings), 1, model),
            count=count,
            tries=settings.tries,
            attempt=weaver.attempt,
            schema=PAIR_SCHEMA,
        )
        stage = runner.generate(run, experiment.served, generation)
        more = {"left_as_they_are": len(dataset) - count} | _types(stage)
        return stage_result(stage, [dataset, model], more=more)

    return length_controlled


def _to_be_woven(dataset: StoredStage, settings: LengthControl) -> Iterator[Record]:
    """The pairs that get a length: of the right length, and naming none yet."""
    for pair in dataset.records():
        fits = settings.min_words <= pair.words < settings.max_words
        if fits and not length_named_in(str(pair.query)):
            yield pair


class _Weaver:
    """Asks the model to weave a length into a query, and checks what it wrote."""

    def __init__(self, experiment: Experiment, model: Adapter) -> None:
        self._control = experiment.length_control
        self._sampling = experiment.sampling.overlaid(self._control.sampling)
        self._prompts = experiment.prompts_by_language
        self._model = model

    def settings(self) -> list[Any]:
        """What the result depends on."""
        return [
            self._control.model_dump(),
            self._sampling.model_dump(),
            {language: prompts.weave for language, prompts in self._prompts.items()},
        ]

    async def attempt(self, slot: Slot, number: int, ask: Ask) -> Record:
        """One try for one pair, always with the same constraint."""
        pair = slot.source
        assert pair and pair.query is not None
        language = slot.blank.language
        constraint = draw_constraint(
            pair.words,
            language,
            min_words=self._control.min_words,
            max_words=self._control.max_words,
            roundings=self._control.roundings,
            seed=slot.seed(0, "constraint"),
        )
        message = self._prompts[language].weaving(pair.query, constraint.text)
        request = Request(message, self._sampling, slot.seed(number), self._model)
        limit = _TOKENS_PER_WORD * count_words(pair.query) + _MORE_TOKENS
        completion = await ask(request.limited_to(limit))
        woven = completion.text.strip()
        reason = weaving_drop_reason(
            woven, pair.query, constraint, language, finish_reason=completion.finish_reason
        )
        return replace(
            pair,
            **_identity(slot.blank),
            query=woven,
            constraint=constraint.text,
            constraint_type=constraint.type,
            constraint_words=constraint.words,
            finish_reason=completion.finish_reason,
            tokens=pair.tokens,
            kept=reason is None,
            drop_reason=reason,
        )


def _identity(blank: Record) -> dict[str, Any]:
    """What makes a record one of this stage."""
    names = ("record_id", "parents", "stage", "position", "adapter")
    return {name: getattr(blank, name) for name in names}


def _types(stage: StoredStage) -> dict[str, int]:
    """How many pairs there are of each type of constraint."""
    found = Counter(stage.column("constraint_type"))
    return {f"pairs_{kind}": found[kind] for kind in get_args(ConstraintType)}
