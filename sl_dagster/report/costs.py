"""What an experiment has cost so far: tokens and hours that stages and trainings have recorded."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sl_dagster.experiment import Experiment
from sl_dagster.report.stage_order import in_order
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.results.table import Table

_HEAD = ("wall-clock hours", "GPU hours", "tokens generated", "tokens trained on")
_OUTSIDE = "outside the loop"


@dataclass(frozen=True)
class Cost:
    """What one result has cost.

    Attributes:
        key: which result.
        seconds: of wall-clock time.
        gpus: how many it was made on; None if that is not known.
        generated: tokens written, failed tries included.
        trained: tokens read in training, over all epochs.
    """

    key: StageKey
    seconds: float
    gpus: int | None
    generated: int = 0
    trained: int = 0


def costs(experiment: Experiment, stages: StageStore, adapters: AdapterStore) -> list[Cost]:
    """The cost of every stored result that a model has written or that is a trained model.

    Raises:
        UserError: a stage or an adapter's description is damaged.
    """
    found = [*_generated(experiment, stages), *_trained(experiment, adapters)]
    return in_order(found, lambda cost: cost.key)


def _generated(experiment: Experiment, stages: StageStore) -> Iterator[Cost]:
    for key in stages.complete(experiment.name):
        facts = stages.read(key).manifest
        if "generated_tokens" in facts:
            yield Cost(
                key, facts["seconds"], facts.get("gpus"), generated=facts["generated_tokens"]
            )


def _trained(experiment: Experiment, adapters: AdapterStore) -> Iterator[Cost]:
    for key in adapters.complete(experiment.name):
        outcome = adapters.read(key).outcome
        if outcome:
            yield Cost(key, outcome.seconds, outcome.gpus, trained=outcome.tokens)


def cost_tables(found: Sequence[Cost]) -> list[Table]:
    """The costs by stage and by iteration, with their sum."""
    return [
        _table("stage", found, lambda cost: cost.key.stage),
        _table("iteration", found, lambda cost: str(cost.key.iteration or _OUTSIDE)),
    ]


def _table(name: str, found: Sequence[Cost], group: Callable[[Cost], str]) -> Table:
    groups: dict[str, list[Cost]] = {}
    for cost in found:
        groups.setdefault(group(cost), []).append(cost)
    rows = [[label, *_sums(costs)] for label, costs in groups.items()]
    return Table((name, *_HEAD), [*rows, ["in all", *_sums(found)]], f"By {name}")


def _sums(found: Iterable[Cost]) -> list[str]:
    found = list(found)
    known = [cost.seconds * cost.gpus for cost in found if cost.gpus is not None]
    gpu_hours = f"{sum(known) / 3600:.3f}" if known else "not recorded"
    if known and len(known) < len(found):
        gpu_hours = f"at least {gpu_hours}"
    return [
        f"{sum(cost.seconds for cost in found) / 3600:.3f}",
        gpu_hours,
        f"{sum(cost.generated for cost in found):,}",
        f"{sum(cost.trained for cost in found):,}",
    ]
