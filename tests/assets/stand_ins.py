"""Every asset of an experiment, made by nobody: stand-ins are stored, so that each can be asked
what it depends on, without a model, a run, or what comes before it.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from sl_dagster.assets import assets_of
from sl_dagster.assets.loop.previous_adapters import PreviousAdapter
from sl_dagster.assets.loop.trained_weights import TrainedWeights
from sl_dagster.assets.stage.asset import Asset
from sl_dagster.assets.stage.made_once import MadeOnce
from sl_dagster.assets.stage.run import base_model
from sl_dagster.assets.stage.stage import Stage
from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.resources.adapters import Adapter, AnyRole
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stored_stage import StoredStage
from tests.conftest import OUTCOME
from tests.stage_runs import stage_run
from tests.stored_stages import made_up, store, write_adapter

PROMPTS = {
    "self_instruct": "instruct|",
    "self_instruct_turn": "1. {first}\n2. {second}\n3. ",
    "self_instruct_stop": "4.",
    "judge": "judge|{instruction}",
    "judge_answers": ["yes", "no"],
    "weave": "weave|{instruction}|{constraint}",
    "extend": "extend|{instruction}|{response}",
    "plan": "plan|{instruction}",
    "section": "section|{instruction}|{plan}|{text}|{section}",
    "back_translate": "back|{text}",
}
PLACES = ("bridge", "harbour", "mill", "station", "lighthouse", "market", "library", "orchard")
DOCUMENTS = [
    " ".join(
        f"On day {number} the keeper of the old {place} told {number} long stories."
        for number in range(4 + 3 * k)
    )
    for k, place in enumerate(PLACES)
]
HELDOUT = (
    '{"instruction": "Write about the red door.", "language": "en", "mentions": ["door"]}\n'
    '{"instruction": "Write about a late train.", "language": "en"}\n'
)
QUERY = (
    '{"query": "Write a story of about 2000 words.", "constraint": "about 2000 words", '
    '"type": "about", "language": "en", "range": "2-4k"}\n'
)


def experiment_with_files(write_experiment: Callable[..., Path], **settings: Any) -> Experiment:
    """An experiment, with all the files beside it that its settings may name."""
    folder = write_experiment().parent
    (folder / "en.yaml").write_text(yaml.safe_dump(PROMPTS))
    (folder / "heldout.jsonl").write_text(HELDOUT)
    (folder / "longen.jsonl").write_text(QUERY)
    (folder / "documents.jsonl").write_text("\n".join(json.dumps({"text": t}) for t in DOCUMENTS))
    return load_experiment(write_experiment(**{"prompts": {"en": "en.yaml"}, **settings}))


class StandIns:
    """Stored stand-ins for all results of an experiment: records, and weights nobody trained."""

    def __init__(self, experiment: Experiment, data: Path) -> None:
        self._stores = stage_run(experiment, data, StageKey(experiment.name, "any", None))
        for asset in assets_of(experiment):
            for key in keys(asset):
                if isinstance(asset, Stage):
                    store(data, key, [made_up(asset.record, key)])
                elif isinstance(asset, TrainedWeights):
                    _store_weights(self._stores.adapters, key, asset.trains)
        self._read: dict[StageKey, StoredStage | Adapter] = {}

    def fingerprints(self, experiment: Experiment) -> dict[str, str]:
        """The fingerprints of all results, and of the weights that iterations start from.

        Args:
            experiment: the same, perhaps with other settings.
        """
        made = {asset.name: asset for asset in assets_of(experiment)}
        found = {}
        for asset in made.values():
            for key in keys(asset):
                if isinstance(asset, PreviousAdapter):
                    found[str(key)] = self._handed(asset, key).fingerprint
                elif isinstance(asset, MadeOnce):
                    inputs = {name: self._handed(made[name], key) for name in asset.inputs}
                    run = replace(self._stores, key=key, experiment=experiment, inputs=inputs)
                    found[str(key)] = asset.in_run(run).fingerprint
        return found

    def _handed(self, asset: Asset, to: StageKey) -> Any:
        """What an asset hands to another one, of the same iteration if it has any."""
        iteration = to.iteration if asset.per == "iteration" else None
        key = StageKey(to.experiment, asset.name, iteration)
        if isinstance(asset, PreviousAdapter):
            if iteration == 1:
                return base_model(asset.experiment)
            key = StageKey(to.experiment, f"{asset.role}_lora", int(iteration or 0) - 1)
        if key not in self._read:
            stores = self._stores
            if isinstance(asset, PreviousAdapter | TrainedWeights):
                self._read[key] = stores.adapters.read(key).adapter
            else:
                self._read[key] = stores.stages.read(key)
        return self._read[key]


def _store_weights(adapters: AdapterStore, key: StageKey, role: AnyRole) -> None:
    """An adapter that nobody has trained."""
    write_adapter(adapters.workplace(key, "made up"))
    adapters.make_current(key, adapters.adopt(key, role, "made up", OUTCOME))


def keys(asset: Asset) -> list[StageKey]:
    """Where an asset's results stand."""
    name, experiment = asset.name, asset.experiment
    if asset.per == "experiment":
        return [StageKey(experiment.name, name, None)]
    if asset.per == "model":
        return [StageKey(experiment.name, name, None, model) for model in experiment.models]
    return [StageKey(experiment.name, name, i + 1) for i in range(experiment.iterations)]
