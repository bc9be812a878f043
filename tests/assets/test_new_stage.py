"""A new stage is a class, and an entry in the list of assets; all else follows from these."""

from pathlib import Path

import dagster as dg
import pytest

from sl_dagster import assets
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.assets.stage.task import Task
from sl_dagster.definitions import build_definitions
from sl_dagster.experiment import Experiment
from sl_dagster.jobs.launch import config_forms
from sl_dagster.method.prompts import Message
from sl_dagster.resources.engines import Request
from sl_dagster.resources.named import resources_in
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.stage_key import StageKey
from tests.assets.scripted import ScriptedProject


class Titles(Task):
    """The Generator gives each initial response a title."""

    name = "titles"
    description = "A title for each initial response."
    inputs = ("initial_responses",)
    weights = "previous_generator"
    role = "generator"
    reads = ("initial_responses.sampling", "initial_responses.tries")

    @property
    def tries(self) -> int:
        return self.experiment.initial_responses.tries

    async def attempt(self, slot: Slot[Text], number: int, ask: Ask) -> Text:
        message = Message(role="user", content=f"Name this: {slot.source.text}")
        sampling = self.experiment.sampling_of("initial_responses")
        completion = await ask(Request(message, sampling, slot.seed(number), self.writer))
        return slot.judged(completion, completion.text, None if completion.text else "empty")


@pytest.fixture
def project(write_experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedProject:
    """A project whose list of assets has one more entry."""
    before = assets.assets_of

    def with_titles(experiment: Experiment) -> list:
        return [*before(experiment), Titles(experiment)]

    for user in ("assets", "assets.checks"):
        monkeypatch.setattr(f"sl_dagster.{user}.assets_of", with_titles)
    made = ScriptedProject(write_experiment(), tmp_path / "data", monkeypatch)
    made.store("initial_responses", 1, [made.record("initial_responses", 1, 0, text="A text.")])
    return made


def test_it_is_an_asset_with_form_documentation_checks_and_pool(project: ScriptedProject) -> None:
    definitions = build_definitions([project.experiment], resources_in(project.data))
    key = dg.AssetKey(["small", "titles"])
    node = definitions.resolve_asset_graph().get(key)
    assert {one.path[-1] for one in node.parent_keys} == {"initial_responses", "previous_generator"}
    assert node.partitions_def and node.partitions_def.get_partition_keys() == ["1", "2", "3"]
    assert (node.group_name, node.pools, node.tags["role"]) == ("small", {"gpu"}, "generator")
    assert "Settings: `initial_responses.sampling`, `initial_res" in str(node.description)
    job = definitions.resolve_job_def("small_iteration")
    assert set(config_forms(job)["titles"].fields) == {"force", "initial_responses"}
    checks = {
        one.name for one in job.asset_layer.asset_graph.asset_check_keys if one.asset_key == key
    }
    assert checks == {"counts_agree", "nothing_truncated", "up_to_date"}


def test_it_is_made_once_and_anew_with_other_settings(project: ScriptedProject) -> None:
    def titles() -> tuple[str, int]:
        project.make("previous_generator", "titles", answer=lambda _: "A title", iteration=1)
        stored = project.stages.read(StageKey("small", "titles", 1))
        return stored.fingerprint, len(project.engine.requests)

    first, asked = titles()
    assert asked == 1
    assert titles() == (first, 0)
    [record] = project.records("titles", 1)
    assert (record.text, record.parents) == ("A title", ("initial_responses-1-0",))
    changes = {"initial_responses": {"sampling": {"top_p": 0.3}}}
    project.experiment = project.experiment.changed(changes)
    other, asked = titles()
    assert (other != first, asked) == (True, 1)
    project.experiment = project.experiment.changed({"extension": {"growth": 1.5}})
    assert titles() == (other, 0)
