"""A preview of the miniature model, on the command line and as a job."""

from pathlib import Path

import dagster as dg
import pytest

from sl_dagster.definitions import build_definitions
from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.jobs.preview.memory import memory_needed
from sl_dagster.jobs.preview.run import generated_stages
from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.named import resources_in
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore

pytestmark = pytest.mark.integration


@pytest.fixture
def experiment() -> Experiment:
    demo = load_experiment(PROJECT_ROOT / "experiments" / "demo.yaml")
    return demo.model_copy(
        update={"extension": demo.extension.model_copy(update={"rounds": 2, "tries": 2})}
    )


def test_a_preview_shows_records_and_costs(experiment: Experiment, tmp_path: Path) -> None:
    definitions = build_definitions([experiment], resources_in(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def(f"{experiment.name}_preview").execute_in_process(
            instance=instance,
            run_config={"ops": {f"{experiment.name}__preview": {"config": {"records": 2}}}},
        )
        said = [
            line.user_message
            for line in instance.all_logs(result.run_id)
            if line.dagster_event is None
        ]
    assert any(line.startswith("✓ instructions") for line in said), "how far it has come"
    [made] = result.get_asset_materialization_events()
    metadata = made.materialization.metadata
    assert next(iter(metadata)) == "headline"
    if "full_run" in metadata:
        assert isinstance(metadata["full_run"], dg.TableMetadataValue)
        rows = metadata["full_run"].records
        assert [row.data["iteration"] for row in rows] == ["1", "2", "3", "all"]
        assert str(metadata["headline"].value).endswith("for 3 iterations on this machine")
    shown = str(metadata["records_and_costs"].value)
    assert f"# The full run of {experiment.name}" in shown
    assert "## Record 1" in shown and "## Record 2" in shown and "## Record 3" not in shown
    for stage in ("initial_responses", f"round{experiment.extension.rounds}_stage2"):
        assert f"**{stage}**" in shown
    key = StageKey(experiment.name, "extended_responses", 1)
    stages = StageStore(data_dir=str(tmp_path / experiment.name / "preview"))
    # What the model makes of two instructions may be nothing to train on.
    something = len(stages.read(key)) > 0
    assert ("| all |" in shown) == ("full_run" in metadata) == something
    assert ("so the cost of the full run is unknown" in shown) != something
    # Nothing of the experiment itself was touched.
    assert [path.name for path in (tmp_path / experiment.name).iterdir()] == ["preview"]


def test_the_stages_of_a_preview_are_those_that_a_model_writes(experiment: Experiment) -> None:
    stages = generated_stages(experiment)
    assert stages[:2] == ["instructions", "initial_responses"]
    assert stages[2:] == [
        f"round{number}_stage{stage}"
        for number in range(1, experiment.extension.rounds + 1)
        for stage in (1, 2)
    ]


def test_memory_follows_the_models_shape(experiment: Experiment) -> None:
    memory = memory_needed(experiment)
    assert 2.5e6 < memory.weights * 2**30 / 2 < 3.5e6  # parameters of the miniature model
    longer = experiment.sampling.model_copy(
        update={"max_tokens": 2 * experiment.sampling.max_tokens}
    )
    twice = memory_needed(experiment.model_copy(update={"sampling": longer}))
    assert twice.cache_per_text == pytest.approx(2 * memory.cache_per_text)


def test_previews_have_a_group_of_their_own(experiment: Experiment) -> None:
    graph = build_definitions([experiment], resources_in(Path("unused"))).resolve_asset_graph()
    groups = {key: graph.get(key).group_name for key in graph.get_all_asset_keys()}
    previews = [key.path for key, group in groups.items() if group == "previews"]
    assert previews == [[experiment.name, "preview"]]
