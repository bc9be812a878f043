"""The whole loop on the miniature model: what is stored, how it hangs together, how it goes on."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from sl_dagster.method.filters import drop_reason
from sl_dagster.method.words import count_words
from sl_dagster.resources.adapters import WEIGHTS_FILE, Adapter
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey
from tests.assets.conftest import GENERATED, STAGES, Project, measured_twice
from tests.assets.pages import assert_one_sees_what_matters, pages

pytestmark = pytest.mark.integration


def adapter(project: Project, role: str, iteration: int) -> Adapter:
    store = AdapterStore(data_dir=str(project.data))
    return store.read(StageKey("small", f"{role}_lora", iteration)).adapter.verified()


def records(project: Project, stage: str, iteration: int | None) -> list[Any]:
    return list(project.stage(stage, iteration).records())


def test_every_stage_has_records_and_each_iteration_ends_with_the_growth(
    finished: Project,
) -> None:
    for iteration in (1, 2):
        for stage in STAGES:
            assert len(finished.stage(stage, iteration)) > 0, f"{stage} of {iteration}"
    printed = (finished.root / "run.txt").read_text()
    assert "tokens/s" in printed
    _, after_the_first, in_the_end = printed.split("the Generator on 6 held-out instructions")
    [first] = [line for line in after_the_first.splitlines() if line.split()[:1] == ["1"]]
    assert printed.index(first) < printed.index("small, iteration 2 of 2")
    assert [line.split()[0] for line in in_the_end.splitlines()[-4:-1]] == ["0", "1", "2"]


def test_the_database_agrees_with_the_files(finished: Project) -> None:
    in_database, in_files = measured_twice(finished)
    assert in_database == in_files
    ids = Counter(row[2] for row in in_database.elements())
    assert max(ids.values()) == 1, "ids are unique"


def test_kept_records_follow_the_rules(finished: Project) -> None:
    for iteration in (1, 2):
        for response in records(finished, "initial_responses", iteration):
            assert drop_reason(response.text or "", "en") is None
            assert response.finish_reason == "stop"
        for response in records(finished, "round2_stage2", iteration):
            if response.kept:
                assert drop_reason(response.text or "", "en") is None
        for response in records(finished, "extended_responses", iteration):
            assert response.words > 1.2 * count_words(response.initial_response or "")


def test_every_discarded_text_has_a_reason_and_is_counted(finished: Project) -> None:
    result = finished.run("stats", "--experiment", "small", "--dropped", "--format", "json")
    assert result.returncode == 0, result.stderr
    counted = {
        (row["stage"], row["iteration"], row["reason"]): row["texts"]
        for row in json.loads(result.stdout)
    }
    files = [str(path) for path in finished.data.glob("small/**/rejected/records.parquet")]
    stored = duckdb.connect().execute(
        "SELECT stage, iteration, drop_reason, count(*) FROM read_parquet(?) GROUP BY ALL", [files]
    )
    rows = stored.fetchall()
    assert rows and all(reason for _, _, reason, _ in rows)
    assert counted == {tuple(row[:3]): row[3] for row in rows}


def test_the_second_iteration_starts_from_the_first(finished: Project) -> None:
    generator, extender = (adapter(finished, role, 1) for role in ("generator", "extender"))
    assert {r.adapter for r in records(finished, "initial_responses", 2)} == {generator.fingerprint}
    assert {r.adapter for r in records(finished, "round1_stage1", 2)} == {extender.fingerprint}
    base = {r.adapter for r in records(finished, "instructions", 2)}
    assert base == {r.adapter for r in records(finished, "initial_responses", 1)}
    assert all(str(fingerprint).startswith("base-") for fingerprint in base)
    assert adapter(finished, "generator", 2).fingerprint != generator.fingerprint


def test_a_record_is_traced_to_seeds_and_adapters(finished: Project) -> None:
    record = records(finished, "generator_sft", 2)[0]
    result = finished.run("trace", record.record_id, "--format", "json")
    assert result.returncode == 0, result.stderr
    stages, writers = [], set()
    node = json.loads(result.stdout)
    while node["parents"]:
        stages.append(node["stage"])
        writers.add(node["adapter"] and node["adapter"]["name"])
        leaves, node = node["parents"], node["parents"][0]
    assert stages == [
        "generator_sft", "extended_responses", "round2_stage2", "round2_stage1", "round1_stage2",
        "round1_stage1", "initial_responses", "instructions",
    ]  # fmt: skip
    assert [leaf["stage"] for leaf in leaves] == ["seeds", "seeds"]
    assert {"generator_lora of iteration 1", "extender_lora of iteration 1"} <= writers
    tree = finished.run("trace", record.record_id).stdout
    assert "round1_stage1" in tree
    assert "written by extender_lora of iteration 1" in tree


PICTURES = ("lengths", "outcomes")


def test_the_assets_pages_tell_their_story(finished: Project, monkeypatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", finished.environment["DAGSTER_HOME"])
    with dg.DagsterInstance.get() as instance:

        def metadata(asset: str, partition: str | None = "1") -> dict:
            event = instance.fetch_materializations(
                dg.AssetRecordsFilter(
                    dg.AssetKey(["small", asset]),
                    asset_partitions=[partition] if partition else None,
                ),
                limit=1,
            ).records[0]
            assert event.asset_materialization
            return dict(event.asset_materialization.metadata)

        for stage in GENERATED:
            found = metadata(stage)
            numbers = {"records_in", "kept", "dropped", "mean_words", "p10_words", "p50_words",
                       "p90_words", "max_words", "tokens_per_second",
                       "truncated_generations"}  # fmt: skip
            assert all(isinstance(found[name].value, int | float) for name in numbers)
            assert all("data:image/svg+xml," in found[name].value for name in PICTURES)
            assert len(found["samples"].records) == 3
            assert found["adapter"].value.startswith("base-")
        lora = metadata("generator_lora", "2")
        assert lora["continues"].value == metadata("generator_lora", "1")["adapter"].value
        assert {"first_loss", "last_loss", "tokens", "seconds", "loss_curve"} <= set(lora)
        assert lora["base_model"].value == finished.experiment.base_model
        sources = lora["made_from"].value
        assert "(/assets/small/generator_sft?partition=2)" in sources
        assert "(/assets/small/generator_lora?partition=1)" in sources
        extended = metadata("extended_responses", "2")
        assert extended["mean_words"].value > 1.2 * extended["mean_words_before"].value
        previous = metadata("previous_generator", "2")
        assert previous["adapter"].value == metadata("generator_lora", "1")["adapter"].value
        assert previous["made_by"].asset_key == dg.AssetKey(["small", "generator_lora"])
        assert "heldout_mean_words" in metadata("length_report", "2")
        assert metadata("length_growth", None)["iterations"].value == 2
    of_assets = pages(finished.environment["DAGSTER_HOME"])
    assert {"seeds ", "generator_lora 2", "length_report 1", "length_growth "} <= set(of_assets)
    for page in of_assets.values():
        assert_one_sees_what_matters(page)
    for asset in ("generator_lora 1", "length_growth ", "length_report 2", "instructions 1"):
        assert any(str(value.value).startswith("![") for value in of_assets[asset].values())


def test_running_again_makes_nothing_anew(project: Project) -> None:
    before = {stage: project.stage(stage, 1).path.stat().st_mtime_ns for stage in STAGES}
    weights = adapter(project, "generator", 1)
    result = project.run("run", "--experiment", "small", "--iterations", "1")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("up to date") >= len(STAGES) + 2
    assert {s: project.stage(s, 1).path.stat().st_mtime_ns for s in STAGES} == before
    assert adapter(project, "generator", 1) == weights


def test_one_stage_alone_with_other_settings(project: Project) -> None:
    old = records(project, "extended_responses", 1)
    project.change(extension={"rounds": 2, "samples": 1, "tries": 2, "growth": 1.5})
    result = project.materialize("extended_responses", "1")
    assert result.returncode == 0, result.stderr
    new = records(project, "extended_responses", 1)
    assert {r.record_id for r in new}.isdisjoint(r.record_id for r in old)
    assert new and all(r.words > 1.5 * count_words(r.initial_response or "") for r in new)
    printed = project.run("stats", "--experiment", "small", "--format", "json").stdout
    row = next(
        row
        for row in json.loads(printed)
        if (row["stage"], row["iteration"]) == ("extended_responses", 1)
    )
    assert row["kept"] == len(new)


def test_iteration_3_before_2_says_what_is_missing(fresh: Project) -> None:
    result = fresh.run("run", "--experiment", "small", "--from", "2", "--iterations", "2")
    assert result.returncode == 1
    message = " ".join(result.stderr.split())
    assert "iteration 2 starts from small/" in message
    assert "_lora of iteration 1, which has not been made yet" in message
    assert "materialize iteration 1 first" in message
    assert "Traceback" not in result.stderr
    assert not (fresh.data / "small" / "instructions").exists(), "nothing is asked of the model"


def test_a_damaged_adapter_is_named(project: Project) -> None:
    weights = Path(str(adapter(project, "generator", 1).path)) / WEIGHTS_FILE
    content = bytearray(weights.read_bytes())
    content[-1] ^= 0xFF
    weights.write_bytes(content)
    second = ("run", "-e", "small", "--from", "2", "--iterations", "2")
    result = project.run(*second, "--only", "previous_generator")
    assert result.returncode == 1
    assert "it is damaged or was replaced" in " ".join((result.stdout + result.stderr).split())


def test_a_damaged_input_is_named_and_nothing_is_lost(project: Project) -> None:
    path = project.stage("initial_responses", 1).path
    later = project.stage("round1_stage1", 1).path.read_bytes()
    path.write_bytes(path.read_bytes()[:-20])
    result = project.materialize("round1_stage1", "1")
    assert result.returncode == 1
    message = " ".join((result.stdout + result.stderr).split())
    assert "is damaged" in message
    assert "materialize small/initial_responses of iteration 1 again" in message
    assert project.stage("round1_stage1", 1).path.read_bytes() == later
