"""One materialization: what it works with, and which model it asks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import dagster as dg

from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, ServedModel
from sl_dagster.progress import Progress
from sl_dagster.resources.adapters import Adapter, AnyRole, base_model_fingerprint
from sl_dagster.resources.session import RunSession
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.resources.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class StageRun:
    """One materialization of an asset, and what it works with.

    Attributes:
        key: which stage of which iteration or model.
        experiment: whose; with the settings of this launch on top.
        inputs: the stored stages and verified weights that the asset is handed, by their names.
        session: the engines and locks of the Dagster run.
        stages, adapters, lengths: where everything is stored.
        trainer: runs trainings.
        context: Dagster's own; None outside Dagster.
        run_id: the Dagster run.
        say, warn: take a line for the run's log.
        report: is told how far the work is.
        force: make the result anew even if an equal one is stored.
        overrides: the settings that this launch has changed, nested like the experiment file.
    """

    key: StageKey
    experiment: Experiment
    inputs: Mapping[str, StoredStage | Adapter]
    session: RunSession
    stages: StageStore
    adapters: AdapterStore
    lengths: LengthsDatabase
    trainer: Trainer
    context: dg.AssetExecutionContext | None = None
    run_id: str
    say: Callable[[str], None]
    warn: Callable[[str], None]
    report: Callable[[Progress], None]
    force: bool = False
    overrides: dict[str, Any] = field(default_factory=dict)

    @property
    def iteration(self) -> int:
        """The iteration that is being made."""
        assert self.key.iteration is not None, f"{self.key} belongs to no iteration"
        return self.key.iteration

    def claim(self) -> None:
        """Claim the stage, or see that it is still this run's.

        Raises:
            UserError: another run works on it, or has taken it over while this machine was asleep.
        """
        self.session.claim(self.key, self.run_id)

    def weights(self, name: str) -> Adapter:
        """The weights that an asset has handed over."""
        given = self.inputs[name]
        assert isinstance(given, Adapter), f"{name} has records"
        return given

    def stage(self, name: str) -> StoredStage:
        """The records that an asset has handed over."""
        given = self.inputs[name]
        assert isinstance(given, StoredStage), f"{name} has weights"
        return given

    def read(self, name: str, iteration: int | None = None) -> StoredStage:
        """A stored stage of the experiment that the asset is not handed.

        Raises:
            UserError: it has not been made yet, or is damaged.
        """
        return self.stages.read(StageKey(self.experiment.name, name, iteration))


def base_model(experiment: Experiment, role: AnyRole = "generator") -> Adapter:
    """The bare base model in a role."""
    return Adapter(role, base_model_fingerprint(experiment.base_model, experiment.revision))


def served_with(experiment: Experiment, adapter: Adapter) -> tuple[ServedModel, Adapter]:
    """Which model to ask, and with which adapter, to hear what these weights write.

    An adapter is served beside the base model. A whole model, as ``aligned_model``
    makes it with ``method: full``, gets an engine of its own, in the base model's place.

    Raises:
        UserError: the engine is somebody else's and serves only the base model.
    """
    if not adapter.is_whole_model:
        return experiment.served, adapter
    if experiment.engine.type == "openai":
        raise UserError(
            f"engine: the endpoints serve {experiment.base_model}, and not the model in "
            f"{adapter.path}: use the engine vllm or transformers for it, or `aligned_model: "
            "{method: lora}`"
        )
    assert adapter.path
    own = f"{experiment.name}_aligned"
    whole = replace(experiment.served, name=own, model=adapter.path, revision="main")
    return whole, replace(adapter, path=None)
