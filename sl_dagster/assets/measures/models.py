"""The models of an experiment that are measured: where the weights behind each name are found.

``base`` is the bare base model, ``1``, ``2``, ... each iteration's Generator, and ``aligned`` the
model that is fine-tuned on the final data set. What measures them is partitioned by these names.
"""

from sl_dagster.assets.stage.run import base_model
from sl_dagster.experiment import ALIGNED_MODEL, BASE_MODEL, Experiment
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey


def model_named(experiment: Experiment, model: str, adapters: AdapterStore) -> Adapter:
    """The weights of a model, verified.

    They are looked up instead of depended on, since no partition mapping can say that the base
    model depends on nothing while ``aligned`` depends on an asset without partitions.

    Args:
        experiment: whose model.
        model: its name, as above.
        adapters: where adapters are stored.

    Raises:
        UserError: it has not been made yet, saying what to materialize, or its files are damaged.
    """
    if model == BASE_MODEL:
        return base_model(experiment)
    return adapters.read(_key(experiment, model)).adapter.verified()


def models_made(experiment: Experiment, adapters: AdapterStore) -> list[str]:
    """The names of the models that there are, ``base`` first."""
    return [
        model
        for model in experiment.models
        if model == BASE_MODEL or adapters.has(_key(experiment, model))
    ]


def _key(experiment: Experiment, model: str) -> StageKey:
    if model == ALIGNED_MODEL:
        return StageKey(experiment.name, "aligned_model", None)
    return StageKey(experiment.name, "generator_lora", int(model))
