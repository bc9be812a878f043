"""An adapter on trial: the engine loads it, and answers differently with it.

WARN where no answer differs. What has been tried is stored beside the adapter, so that looking
again asks no engine.
"""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from sl_dagster.assets.checks.check import checked_key
from sl_dagster.assets.stage.asset import GPU_POOL, partitions_of
from sl_dagster.assets.stage.dagster_betas import accepted_betas
from sl_dagster.assets.stage.run import base_model
from sl_dagster.experiment import Experiment
from sl_dagster.method.prompts import Message
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import Example
from sl_dagster.resources.session import RunSession
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.io_managers import shown_to_the_user
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage

_TRIAL_PROMPTS = 4
# Most answers differ early, and few tokens take little time. But an extension begins with what it
# is given, so that where no answer differs there are more.
_TRIAL_TOKENS = (48, 256)


class TrialConfig(dg.Config):
    """What can be changed when ``changes_output`` is launched."""

    force: bool = Field(
        default=False,
        description="Try the adapter anew, even if that has been done since it was trained.",
    )


def changes_output(experiment: Experiment) -> dg.AssetChecksDefinition:
    """The check of the adapters of all roles, as Dagster knows it.

    One step: an engine that gives way to the training is started once after it.
    """
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

    @dg.multi_asset_check(
        name=f"{experiment.name}__adapters_change_output",
        specs=specs,
        can_subset=True,
        pool=GPU_POOL,
    )
    def tried(
        context: dg.AssetCheckExecutionContext,
        config: TrialConfig,
        adapters: AdapterStore,
        stages: StageStore,
        session: RunSession,
    ) -> Iterator[dg.AssetCheckResult]:
        with shown_to_the_user():
            for check in sorted(context.selected_asset_check_keys):
                key = checked_key(context, check)
                adapter = adapters.read(key).adapter.verified()
                shown = None if config.force else adapters.trial(adapter)
                if shown is None:
                    examples = StageKey(key.experiment, f"{adapter.role}_sft", key.iteration)
                    prompts = _prompts(stages.read(examples))
                    shown = _tried(experiment, adapter, prompts, session, context.log.info)
                    adapters.remember_trial(adapter, shown)
                yield _trial_verdict(check, adapter, shown)

    return tried


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
        Request(prompt, greedy, seed=0, adapter=weights)
        for weights in (adapter, base_model(experiment, adapter.role))
        for prompt in prompts
    ]
    for tokens in _TRIAL_TOKENS:
        limited = [request.limited_to(tokens) for request in requests]
        answers = session.answers(experiment.served, limited, say)
        shown = _compared([answer.text for answer in answers]) | {"tokens": tokens}
        if shown["changed"]:
            break
    return shown


def _compared(texts: list[str]) -> dict[str, Any]:
    """How many texts of the first half differ from those of the second, and one of each."""
    half = len(texts) // 2
    pairs = list(zip(texts[:half], texts[half:], strict=True))
    changed = [pair for pair in pairs if pair[0] != pair[1]]
    with_adapter, without = (changed or pairs)[0]
    return {
        "prompts": len(pairs),
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
