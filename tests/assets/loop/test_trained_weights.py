"""What a training is told, and what becomes of its weights, with a training that trains nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sl_dagster.publishing.cards import CARD
from sl_dagster.resources.records import AlignedExample, Example, Pair
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.trainer import Trainer
from sl_dagster.training.job import TrainingJob, TrainingOutcome
from tests.assets.scripted import ScriptedProject
from tests.conftest import OUTCOME
from tests.stored_stages import made_up, write_adapter


class Project(ScriptedProject):
    """An experiment with stored training sets.

    Attributes:
        jobs: what trainings have been told.
    """

    jobs: list[TrainingJob]

    def trained(self, *names: str, iteration: int | None = None) -> list[dict[str, Any]]:
        """Materialize weights, and say what their pages show."""
        made = self.make(*names, answer=lambda _: "", iteration=iteration)
        return [made[name] for name in names]

    def adapter(self, name: str, iteration: int | None = None) -> StoredAdapter:
        return AdapterStore(data_dir=str(self.data)).read(StageKey("small", name, iteration))


@pytest.fixture
def project(write_experiment, tmp_path: Path, monkeypatch) -> Callable[..., Project]:
    def train(trainer: Trainer, context: Any, job: TrainingJob) -> TrainingOutcome:
        made.jobs.append(job)
        write_adapter(job.output)
        return OUTCOME

    def with_sets(**settings: Any) -> Project:
        nonlocal made
        made = Project(write_experiment(**settings), tmp_path / "data", monkeypatch)
        made.jobs = []
        for iteration in (1, 2):
            key = StageKey("small", "generator_sft", iteration)
            made.store("generator_sft", iteration, [made_up(Example, key)])
        once = {"dataset": Pair, "length_controlled": Pair, "aligned_sft": AlignedExample}
        for name, kind in once.items():
            made.store(name, None, [made_up(kind, StageKey("small", name, None))])
        return made

    made: Project
    monkeypatch.setattr(Trainer, "train", train)
    return with_sets


def test_an_adapter_is_trained_further_and_not_twice(project: Callable[..., Project]) -> None:
    made = project(training={"epochs": 2, "seed": 7})
    made.trained("previous_generator", "generator_lora", iteration=1)
    _, first = made.trained("previous_generator", "generator_lora", iteration=1)
    _, second = made.trained("previous_generator", "generator_lora", iteration=2)
    one, two = made.jobs
    assert (one.name, one.training.epochs, one.seed) == (
        "small/generator_lora of iteration 1",
        2,
        7,
    )
    assert one.previous_adapter is None
    adapter = made.adapter("generator_lora", 1).adapter
    assert (two.previous_adapter, two.all_weights) == (Path(str(adapter.path)), False)
    assert second["continues"] == first["adapter"] == adapter.fingerprint
    assert first["continues"].startswith("base-")
    assert "generator_sft of iteration 2" in second["made_from"]
    assert "loss curve" in second["loss_curve"]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_aligned_model_has_a_card(project: Callable[..., Project], method: str) -> None:
    made = project(aligned_model={"method": method, "training": {"epochs": 3}})
    [shown] = made.trained("aligned_model")
    [job] = made.jobs
    assert (job.all_weights, job.training.epochs) == (method == "full", 3)
    assert shown["method"] == method
    stored = made.adapter("aligned_model")
    assert "Pairs: 1" in (Path(str(stored.adapter.path)) / CARD).read_text()
    assert stored.facts
