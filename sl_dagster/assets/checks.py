"""Asset checks: what must hold of an iteration's results, looked at as soon as they are there.

An ERROR says that a result must not be used: what depends on the asset is not begun. A WARN is for
a person to judge, and the run goes on. Checks read what is stored, so any of them can be run again
alone, for any iteration.
"""

import functools
import math
from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Any

import dagster as dg
from pydantic import Field

from sl_dagster.assets import assets_of
from sl_dagster.assets.loop.extension_rounds import ExtendHalf
from sl_dagster.assets.measures.measured_answers import MeasuredAnswers
from sl_dagster.assets.stage.asset import GPU_POOL, partitions_of, rounded
from sl_dagster.assets.stage.dagster_betas import accepted_betas
from sl_dagster.assets.stage.run import base_model
from sl_dagster.assets.stage.task import Stage, Task
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.method.prompts import Message
from sl_dagster.resources.adapters import Adapter, Role
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import Example, Record, Text
from sl_dagster.resources.session import RunSession
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.io_managers import shown_to_the_user, stage_key
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.lengths_file import LengthsUnavailableError
from sl_dagster.resources.storage.stage_store import StageKey, StageStore, StoredStage
from sl_dagster.results.growth import heldout_scores
from sl_dagster.training.job import LossPoint, TrainingOutcome

ACCEPTANCE_FLOOR = 0.5  # share of good texts below which an iteration deserves a look
_TRIAL_PROMPTS = 4
_TRIAL_TOKENS = 256  # an extension begins with what it is given

CheckFunction = Callable[..., dg.AssetCheckResult]


class TrialConfig(dg.Config):
    """What can be changed when ``changes_output`` is launched.

    Attributes:
        force: try the adapter anew, even if that has been done since it was trained.
    """

    force: bool = Field(
        default=False,
        description="Try the adapter anew, even if that has been done since it was trained.",
    )


def experiment_checks(experiment: Experiment) -> list[dg.AssetChecksDefinition]:
    """Every check of one experiment, in the order of the loop."""
    stages = [asset for asset in assets_of(experiment) if isinstance(asset, Stage)]
    roles = experiment.roles
    return [
        *(_counts_agree(experiment, stage) for stage in stages if stage.per != "model"),
        *(_nothing_truncated(experiment, stage) for stage in stages if _is_judged_whole(stage)),
        *([_enough_grown(experiment)] if "extender" in roles else []),
        *(_starts_from_current(experiment, role) for role in roles),
        *(_loss_fell(experiment, role) for role in roles),
        _changes_output(experiment),
        *([_enough_accepted(experiment)] if experiment.heldout else []),
        *([_lengths_grew(experiment)] if _is_meant_to_grow(experiment) else []),
    ]


def _is_judged_whole(stage: Stage) -> bool:
    """Whether a model writes it in the loop, to its end.

    Of answers that measure a model all are kept; of what stage 1 writes the end is not.
    """
    written = isinstance(stage, Task) and stage.per == "iteration"
    return written and not isinstance(stage, MeasuredAnswers | ExtendHalf)


def _is_meant_to_grow(experiment: Experiment) -> bool:
    """Not a control without extension, nor a baseline that nothing measures before it begins."""
    if experiment.method == "self_lengthen":
        return experiment.extension.rounds > 0
    return experiment.heldout is not None


def _check(
    experiment: Experiment, asset: str, description: str, *, outside_the_loop: bool = False
) -> Callable[[CheckFunction], dg.AssetChecksDefinition]:
    """Decorate a function as a check of an asset, per iteration if the asset is."""

    def declare(function: CheckFunction) -> dg.AssetChecksDefinition:
        @functools.wraps(function)
        def explained(*args: Any, **kwargs: Any) -> dg.AssetCheckResult:
            with shown_to_the_user():
                result = function(*args, **kwargs)
                return result._replace(metadata=rounded(result.metadata or {}))

        with accepted_betas():  # checks per partition
            return dg.asset_check(
                asset=dg.AssetKey([experiment.name, asset]),
                name=function.__name__,
                description=description,
                blocking=True,
                partitions_def=None if outside_the_loop else partitions_of(experiment),
            )(explained)

    return declare


def _counts_agree(experiment: Experiment, stage: Stage) -> dg.AssetChecksDefinition:
    once = stage.per == "experiment"

    @_check(
        experiment,
        stage.name,
        "The lengths database holds what the Parquet files hold.",
        outside_the_loop=once,
    )
    def counts_agree(
        context: dg.AssetCheckExecutionContext, stages: StageStore, lengths: LengthsDatabase
    ) -> dg.AssetCheckResult:
        key = _key(context, outside_the_loop=once)
        try:
            in_files, in_database = lengths.counts(stages.read(key))
        except LengthsUnavailableError as error:
            # Not the stage's fault: the next writer adds its rows.
            return dg.AssetCheckResult(
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"cannot be compared: {error}",
            )
        return dg.AssetCheckResult(
            passed=in_files == in_database,
            description=(
                f"the files of {key} have {_listed(in_files)}, the lengths database "
                f"{_listed(in_database)}: materialize it again to make them agree"
                if in_files != in_database
                else None
            ),
            metadata={
                f"{name}_in_{place}": count
                for place, counts in (("files", in_files), ("database", in_database))
                for name, count in counts.items()
            },
        )

    return counts_agree


def _nothing_truncated(experiment: Experiment, stage: Stage) -> dg.AssetChecksDefinition:
    @_check(experiment, stage.name, "No text that the token limit cut off is kept.")
    def nothing_truncated(
        context: dg.AssetCheckExecutionContext, stages: StageStore
    ) -> dg.AssetCheckResult:
        key = _key(context)
        stored = stages.read(key)
        reasons = zip(stored.column("finish_reason"), stored.column("kept"), strict=True)
        places = [i for i, (reason, kept) in enumerate(reasons) if kept and reason == "length"]
        ids = [
            record.record_id for record in stored.at(places) if not _ends_before_the_limit(record)
        ]
        return dg.AssetCheckResult(
            passed=not ids,
            description=(
                f"{key} keeps {len(ids)} texts that the token limit cut off, among them "
                f"{', '.join(ids[:10])}: run it again with --force"
                if ids
                else None
            ),
            metadata={"truncated_kept": len(ids)},
        )

    return nothing_truncated


def _ends_before_the_limit(record: Record) -> bool:
    """Whether a text was whole when the model went on to talk about it, up to the token limit."""
    return isinstance(record, Text) and bool((record.commentary or {}).get("after"))


def _enough_grown(experiment: Experiment) -> dg.AssetChecksDefinition:
    @_check(
        experiment,
        "extended_responses",
        f"At least {ACCEPTANCE_FLOOR:.0%} of the responses have grown enough.",
    )
    def enough_grown(
        context: dg.AssetCheckExecutionContext, stages: StageStore
    ) -> dg.AssetCheckResult:
        facts = stages.read(_key(context)).manifest
        grown = 1 - facts["dropped"].get("not_grown", 0) / max(facts["records_in"], 1)
        return _above_floor(grown, "of the responses have grown enough to be trained on")

    return enough_grown


def _enough_accepted(experiment: Experiment) -> dg.AssetChecksDefinition:
    @_check(
        experiment,
        "heldout_responses",
        f"The response filter accepts at least {ACCEPTANCE_FLOOR:.0%} of the held-out answers.",
    )
    def enough_accepted(
        context: dg.AssetCheckExecutionContext, stages: StageStore
    ) -> dg.AssetCheckResult:
        accepted = heldout_scores(stages.read(_key(context))).accepted
        return _above_floor(accepted, "of the held-out answers pass the response filter")

    return enough_accepted


def _above_floor(share: float, of_what: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=share >= ACCEPTANCE_FLOOR,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{share:.0%} {of_what} (floor: {ACCEPTANCE_FLOOR:.0%})",
        metadata={"share": share, "floor": ACCEPTANCE_FLOOR},
    )


def _starts_from_current(experiment: Experiment, role: Role) -> dg.AssetChecksDefinition:
    before = f"{role}_lora"

    @_check(
        experiment,
        f"previous_{role}",
        f"The adapter that the iteration starts from is what `{before}` of the iteration before "
        "now is; in iteration 1, the base model as it now is.",
    )
    def starts_from_current(
        context: dg.AssetCheckExecutionContext, adapters: AdapterStore
    ) -> dg.AssetCheckResult:
        key = _key(context)
        assert key.iteration is not None
        used = adapters.read(key).adapter.fingerprint
        current = base_model(experiment, role)
        if key.iteration > 1:
            current = adapters.read(StageKey(key.experiment, before, key.iteration - 1)).adapter
        return dg.AssetCheckResult(
            passed=used == current.fingerprint,
            severity=dg.AssetCheckSeverity.WARN,
            description=(
                f"{key} is {used}, but what it was taken from is {current.fingerprint} now: "
                f"materialize it again, and then what has become out of date in the iteration"
                if used != current.fingerprint
                else None
            ),
            metadata={"used": used, "current": current.fingerprint},
        )

    return starts_from_current


def _loss_fell(experiment: Experiment, role: Role) -> dg.AssetChecksDefinition:
    @_check(
        experiment,
        f"{role}_lora",
        "The training loss is finite and fell, and so did the loss on the examples held back.",
    )
    def loss_fell(
        context: dg.AssetCheckExecutionContext, adapters: AdapterStore
    ) -> dg.AssetCheckResult:
        outcome = adapters.read(_key(context)).outcome
        assert outcome, "every trained adapter has its outcome"
        return loss_verdict(outcome)

    return loss_fell


def loss_verdict(outcome: TrainingOutcome) -> dg.AssetCheckResult:
    """Judge a training by its loss curves: ERROR if not finite, WARN if one did not fall."""
    curves = {"training": outcome.losses, "evaluation": outcome.evaluation_losses}
    ends = {name: _ends(curve) for name, curve in curves.items() if len(curve) > 1}
    endless = [
        name
        for name, curve in curves.items()
        if not all(math.isfinite(point.loss) for point in curve)
    ]
    risen = [name for name, (first, last) in ends.items() if not last < first]
    if endless:
        wrong = f"the {' and the '.join(endless)} loss is not finite: lower the learning rate"
    elif risen:
        change = (f"{name} loss from {ends[name][0]:.3f} to {ends[name][1]:.3f}" for name in risen)
        wrong = f"did not fall: {', '.join(change)}"
    else:
        wrong = None
    return dg.AssetCheckResult(
        passed=wrong is None,
        severity=dg.AssetCheckSeverity.ERROR if endless else dg.AssetCheckSeverity.WARN,
        description=wrong,
        metadata={
            f"{end}_{name}_loss": value
            for name, pair in ends.items()
            for end, value in zip(("first", "last"), pair, strict=True)
        },
    )


def _ends(curve: list[LossPoint]) -> tuple[float, float]:
    """The means of the curve's first and last tenth, because single batches scatter."""
    losses, tenth = [point.loss for point in curve], max(1, len(curve) // 10)
    return fmean(losses[:tenth]), fmean(losses[-tenth:])


def _changes_output(experiment: Experiment) -> dg.AssetChecksDefinition:
    with accepted_betas():  # checks per partition
        specs = [
            dg.AssetCheckSpec(
                "changes_output",
                asset=dg.AssetKey([experiment.name, f"{role}_lora"]),
                description="The engine loads it, and with it answers differently from the base "
                "model.",
                blocking=True,
                partitions_def=partitions_of(experiment),
            )
            for role in experiment.roles
        ]

    # Both in one step: an engine that gives way to the training is started once after it.
    @dg.multi_asset_check(
        name=f"{experiment.name}__adapters_change_output",
        specs=specs,
        can_subset=True,
        pool=GPU_POOL,
    )
    def changes_output(
        context: dg.AssetCheckExecutionContext,
        config: TrialConfig,
        adapters: AdapterStore,
        stages: StageStore,
        session: RunSession,
    ) -> Iterator[dg.AssetCheckResult]:
        with shown_to_the_user():
            for check in sorted(context.selected_asset_check_keys):
                key = _key(context, check)
                adapter = adapters.read(key).adapter.verified()
                shown = None if config.force else adapters.trial(adapter)
                if shown is None:
                    examples = StageKey(key.experiment, f"{adapter.role}_sft", key.iteration)
                    prompts = _prompts(stages.read(examples))
                    shown = _tried(experiment, adapter, prompts, session, context.log.info)
                    adapters.remember_trial(adapter, shown)
                yield _trial_verdict(check, adapter, shown)

    return changes_output


def _prompts(examples: StoredStage) -> list[Message]:
    records = examples.at(list(range(min(_TRIAL_PROMPTS, len(examples)))))
    return [record.prompt[-1] for record in records if isinstance(record, Example)]


def _tried(
    experiment: Experiment,
    adapter: Adapter,
    prompts: list[Message],
    session: RunSession,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """The greedy beginnings of a few answers, with the adapter and without it."""
    greedy = experiment.sampling.model_copy(update={"temperature": 0.0})
    requests = [
        Request(prompt, greedy, seed=0, adapter=weights).limited_to(_TRIAL_TOKENS)
        for weights in (adapter, base_model(experiment, adapter.role))
        for prompt in prompts
    ]
    texts = [completion.text for completion in session.answers(experiment.served, requests, say)]
    pairs = list(zip(texts[: len(prompts)], texts[len(prompts) :], strict=True))
    changed = [pair for pair in pairs if pair[0] != pair[1]]
    with_adapter, without = (changed or pairs)[0]
    return {
        "prompts": len(prompts),
        "changed": len(changed),
        "with_adapter": with_adapter,
        "base_model": without,
    }


def _trial_verdict(
    check: dg.AssetCheckKey, adapter: Adapter, shown: dict[str, Any]
) -> dg.AssetCheckResult:
    changed, prompts = shown["changed"], shown["prompts"]
    return dg.AssetCheckResult(
        asset_key=check.asset_key,
        check_name=check.name,
        # One is enough: a short training changes few of the likeliest tokens.
        passed=changed > 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{changed} of {prompts} greedy answers differ from the base model's",
        metadata={"adapter": adapter.fingerprint, **shown},
    )


def _lengths_grew(experiment: Experiment) -> dg.AssetChecksDefinition:
    what = "held-out answers" if experiment.heldout else "extended responses"

    @_check(
        experiment,
        "length_report",
        f"The {what} are longer, on average, than those of the iteration before.",
    )
    def lengths_grew(
        context: dg.AssetCheckExecutionContext, stages: StageStore
    ) -> dg.AssetCheckResult:
        iteration = _key(context).iteration
        assert iteration is not None
        now = _mean_words(stages.read(_measured_in(experiment, iteration)))
        try:
            before = _mean_words(stages.read(_measured_in(experiment, iteration - 1)))
        except UserError as error:
            return dg.AssetCheckResult(
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"nothing to compare {now:.1f} words with: {error}",
            )
        return dg.AssetCheckResult(
            passed=now > before,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"mean words of the {what}: {before:.1f} before, {now:.1f} now",
            metadata={"before": before, "now": now},
        )

    return lengths_grew


def _measured_in(experiment: Experiment, iteration: int) -> StageKey:
    """Where the lengths of an iteration are measured; 0 is what iteration 1 began with."""
    if experiment.heldout:
        stage = "heldout_responses" if iteration else "heldout_base"
        return StageKey(experiment.name, stage, iteration or None)
    stage = "extended_responses" if iteration else "initial_responses"
    return StageKey(experiment.name, stage, max(iteration, 1))


def _mean_words(stage: StoredStage) -> float:
    pairs = zip(stage.column("words"), stage.column("kept"), strict=True)
    words = [count for count, kept in pairs if kept]
    if not words:
        raise UserError(f"{stage.key} has no records to measure")
    return fmean(words)


def _key(
    context: dg.AssetCheckExecutionContext,
    check: dg.AssetCheckKey | None = None,
    *,
    outside_the_loop: bool = False,
) -> StageKey:
    """The stage and iteration that is checked, by the only check of the step if none is named."""
    check = check or next(iter(context.selected_asset_check_keys))
    if outside_the_loop:
        return stage_key(check.asset_key, None)
    if not context.has_partition_key:
        raise UserError(f"check {check.name} looks at one iteration: launch it for a partition")
    return stage_key(check.asset_key, context.partition_key)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
