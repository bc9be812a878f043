"""Staleness on the checks of assets: what the sensor notes, counts, and says to other pages."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, StepMaterializationData

from sl_dagster.definitions import build_definitions
from sl_dagster.experiment import load_experiment
from sl_dagster.jobs.staleness_notes import noted_as_stale, staleness_sensor
from sl_dagster.resources.named import resources_in


class Project:
    """An experiment of two iterations, and Dagster's history of what was made of it."""

    def __init__(self, experiment_file: Path, instance: dg.DagsterInstance) -> None:
        self.experiment = load_experiment(experiment_file)
        self.definitions = build_definitions([self.experiment], resources_in(Path("unused")))
        self.sensor = staleness_sensor(self.experiment, lambda: self.definitions)
        self.instance = instance
        self._graph = self.definitions.resolve_asset_graph()
        self._events: dict[tuple[str, str | None], int] = {}

    def make(self, name: str, iteration: str | None, version: str = "first") -> None:
        """Note that an asset was made, from what its inputs now are."""
        key = dg.AssetKey(["small", name])
        node = self._graph.get(key)
        tags = {"dagster/data_version": version, "dagster/code_version": str(node.code_version)}
        for parent in node.parent_keys:
            event = self._events.get((parent.path[-1], iteration))
            event = event or self._events.get((parent.path[-1], None))
            if event:
                tags[f"dagster/input_event_pointer/{parent.to_user_string()}"] = str(event)
        run = dg.DagsterRun("small_iteration", status=dg.DagsterRunStatus.SUCCESS)
        self.instance.add_run(run)
        made = dg.AssetMaterialization(key, partition=iteration, tags=tags)
        self.instance.report_dagster_event(
            DagsterEvent(
                event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION.value,
                job_name=run.job_name,
                event_specific_data=StepMaterializationData(made),
            ),
            run_id=run.run_id,
        )
        records = self.instance.fetch_materializations(key, limit=1).records
        self._events[name, iteration] = records[0].storage_id

    def tick(self) -> str:
        """What the sensor says after it has looked; where it had got to, it remembers."""
        context = dg.build_sensor_context(self.instance, cursor=self._cursor)
        [reason] = [self.sensor.evaluate_tick(context).skip_message]
        self._cursor = context.cursor
        return str(reason)

    _cursor: str | None = None

    def noted(self) -> dict[str, str | None]:
        """The last evaluation of every check: None if it passed, or what it says."""
        found: dict[str, str | None] = {}
        records = self.instance.get_event_records(
            dg.EventRecordsFilter(dg.DagsterEventType.ASSET_CHECK_EVALUATION), ascending=True
        )
        for record in records:
            one = record.event_log_entry.asset_check_evaluation
            assert one and one.target_materialization_data
            name = f"{one.asset_key.path[-1]} {one.partition or ''}{one.check_name}"
            found[name] = None if one.passed else one.description
        return found


@pytest.fixture
def project(write_experiment: Callable[..., Path], tmp_path: Path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with dg.DagsterInstance.get() as instance:
        yield Project(write_experiment(iterations=2, extension={"rounds": 1}), instance)


LOOP = ["previous_extender", "initial_responses", "round1_stage1", "round1_stage2",
        "extended_responses"]  # fmt: skip


def test_what_is_out_of_date_says_so_and_no_longer_when_it_is_made_anew(project: Project) -> None:
    assert project.tick() == "0 results are out of date"
    for iteration in ("1", "2"):
        for name in LOOP:
            project.make(name, iteration)
    project.make("length_growth", None)
    assert project.tick() == "0 results are out of date"
    assert project.noted() == {
        **{f"{name} {iteration}up_to_date": None for iteration in "12" for name in LOOP},
        "length_growth up_to_date": None,
        "length_growth all_up_to_date": None,
    }
    assert noted_as_stale("small") == ""
    project.make("round1_stage1", "2", "second")
    assert project.tick() == "2 results are out of date"
    stale = {name: why for name, why in project.noted().items() if why}
    counted = stale.pop("length_growth all_up_to_date")
    assert stale == {
        "round1_stage2 2up_to_date": "made from round1_stage1 of an earlier version",
        "extended_responses 2up_to_date": "made from round1_stage2, which is out of date itself",
    }
    assert counted == (
        "2 of 11 results are out of date. small_refresh makes those of iterations anew, "
        "small_dataset and small_evaluate the others. round1_stage2 of iteration 2: made from "
        "round1_stage1 of an earlier version | extended_responses of iteration 2: made from "
        "round1_stage2, which is out of date itself"
    )
    assert noted_as_stale("small") == counted
    project.make("round1_stage2", "2", "second")
    project.make("extended_responses", "2", "second")
    assert project.tick() == "0 results are out of date"
    assert not any(project.noted().values())
    assert noted_as_stale("small") == ""


def test_it_looks_only_when_something_has_happened_and_nothing_runs(project: Project) -> None:
    project.make("seeds", None)
    assert project.tick() == "0 results are out of date"
    project.tick()  # its own notes have happened
    assert project.tick() == "nothing has happened since"
    run = dg.DagsterRun("small_iteration", status=dg.DagsterRunStatus.STARTED)
    project.instance.add_run(run)
    assert project.tick() == "waits until nothing runs"


def test_what_is_made_of_all_iterations_names_the_one_that_has_changed(project: Project) -> None:
    for iteration in ("1", "2"):
        project.make("extended_responses", iteration)
    project.make("dataset", None)
    project.tick()
    assert project.noted()["dataset up_to_date"] is None
    project.make("extended_responses", "2", "second")
    project.tick()
    assert project.noted()["dataset up_to_date"] == (
        "made from extended_responses (iteration 2) of an earlier version"
    )


def test_a_history_that_cannot_be_read_stops_no_page(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "nowhere"))
    assert noted_as_stale("small").startswith("What is out of date is not known")
