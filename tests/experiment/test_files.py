"""Experiment files: which there are, how one builds on another, and what is said of mistakes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sl_dagster.errors import UserError
from sl_dagster.experiment import (
    OpenAISettings,
    VllmSettings,
    experiment_file,
    load_experiment,
    load_experiments,
)

Write = Callable[..., Path]


def test_what_is_right_loads_and_what_is_wrong_is_named(write_experiment: Write) -> None:
    folder = write_experiment("good").parent
    for name in ("another", "zoo"):
        write_experiment(name, iterations=5)
    wrong = {
        "empty": b"# to be written\n",
        "not_yaml": b"base_model: [",
        "not_text": b"\xff\xfe",
        "unknown_key": b"base_model: m\nseeds: seeds.jsonl\nitertions: 3\n",
        "number_as_key": b"1: 2\n",
        "deep": b"seeds: " + b"[" * 5000 + b"\n",
        "long_name": b"base_model: m\nseeds: " + b"s" * 5000 + b"\n",
        "round": b"extends: round.yaml\n",
        "in_itself": b"base_model: m\nseeds: seeds.jsonl\nengine: &a {type: *a}\n",
    }
    for name, content in wrong.items():
        (folder / f"{name}.yaml").write_bytes(content)
    found = load_experiments(folder)
    assert [one.name for one in found.experiments] == ["another", "good", "zoo"]
    assert set(found.broken) == set(wrong)
    for name, problem in found.broken.items():
        assert problem.startswith(f"{folder / name}.yaml: "), problem
        assert "Traceback" not in problem


def test_a_file_that_cannot_be_opened(write_experiment: Write) -> None:
    folder = write_experiment("good").parent
    (folder / "folder.yaml").mkdir()
    (folder / "nowhere.yaml").symlink_to(folder / "gone")
    found = load_experiments(folder)
    assert [one.name for one in found.experiments] == ["good"]
    assert set(found.broken) == {"folder", "nowhere"}


def test_files_that_are_no_experiments_are_told_apart(write_experiment: Write) -> None:
    folder = write_experiment("good").parent
    for name in ("._good.yaml", ".hidden.yaml", "My-Draft.yaml", "draft 2.yaml", "2nd.yaml"):
        (folder / name).write_text("not even [ YAML")
    (folder / "notes.yml").write_text("other: ending\n")
    found = load_experiments(folder)
    assert [one.name for one in found.experiments] == ["good"]
    assert found.broken == {}
    assert [path.name for path in found.others] == ["2nd.yaml", "My-Draft.yaml", "draft 2.yaml"]


def test_folders_in_which_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no experiment file"):
        load_experiments(tmp_path)
    (tmp_path / "My-Draft.yaml").write_text("")
    with pytest.raises(UserError, match=r"no experiment file.*My-Draft\.yaml is none, because"):
        load_experiments(tmp_path)
    with pytest.raises(UserError, match="misspelt: there is no such folder: SL_DAGSTER_EXPER"):
        load_experiments(tmp_path / "misspelt")


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("seed: 2\nseed: 3\n", "line 4: seed is given twice, first in line 3"),
        ("sampling:\n  top_k: 1\n  top_p: 1\n  top_k: 2\n", "line 6: top_k is given twice"),
        ("sampling: {top_k: 1, top_k: 1}\n", "line 3: top_k is given twice, first in line 3"),
        ("seeds: other.jsonl\n", "line 3: seeds is given twice, first in line 2"),
    ],
)
def test_a_key_given_twice(write_experiment: Write, added: str, expected: str) -> None:
    path = write_experiment()
    path.write_text(f"{path.read_text()}{added}")
    with pytest.raises(UserError) as caught:
        load_experiment(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert expected in str(caught.value)


def test_a_key_given_twice_in_files_that_an_experiment_names(write_experiment: Write) -> None:
    path = write_experiment(prompts={"en": "mine.yaml"})
    (path.parent / "mine.yaml").write_text("weave: a {instruction} {constraint}\nweave: b\n")
    with pytest.raises(UserError, match=r"mine\.yaml.*line 2: weave is given twice"):
        load_experiment(path)
    path = write_experiment("other", training={"accelerate_config": "a.yaml"})
    (path.parent / "a.yaml").write_text("num_processes: 1\nnum_processes: 2\n")
    with pytest.raises(UserError, match=r"a\.yaml.*line 2: num_processes is given twice"):
        load_experiment(path)


def test_the_same_key_in_different_groups_and_merge_keys_are_fine(write_experiment: Write) -> None:
    path = write_experiment()
    path.write_text(
        f"{path.read_text()}instructions: {{sampling: &it {{top_k: 3, top_p: 0.5}}}}\n"
        "sampling: {<<: *it, top_k: 4}\ninitial_responses: {sampling: {<<: *it, top_p: 1}}\n"
    )
    experiment = load_experiment(path)
    assert (experiment.sampling.top_k, experiment.sampling.top_p) == (4, 0.5)
    assert experiment.initial_responses.sampling.top_k == 3


def extending(folder: Path, name: str, base: str, **settings: object) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"extends": base} | settings))
    return path


def test_a_file_may_extend_one_that_extends_another(write_experiment: Write) -> None:
    folder = write_experiment("first", iterations=7, sampling={"top_k": 1, "top_p": 0.1}).parent
    extending(folder, "second", "first.yaml", sampling={"top_k": 2}, seed=5)
    third = load_experiment(extending(folder, "third", "second.yaml", sampling={"top_p": 0.3}))
    assert third.name == "third"
    assert (third.iterations, third.seed) == (7, 5)
    assert (third.sampling.top_k, third.sampling.top_p) == (2, 0.3)


def test_an_engine_of_another_type_takes_nothing_over(write_experiment: Write) -> None:
    engine = {"type": "vllm", "options": {"max_num_seqs": 8}, "request_timeout": 5}
    folder = write_experiment("first", engine=engine).parent
    same = extending(folder, "same", "first.yaml", engine={"options": {"dtype": "bfloat16"}})
    settings = load_experiment(same).engine
    assert isinstance(settings, VllmSettings)
    assert settings.options == {"max_num_seqs": 8, "dtype": "bfloat16"}
    other = OpenAISettings(type="openai", base_urls=("http://127.0.0.1:8000/v1",))
    named = other.model_dump(mode="json", exclude_unset=True)
    settings = load_experiment(extending(folder, "other", "first.yaml", engine=named)).engine
    assert settings == other
    assert load_experiment(extending(folder, "third", "other.yaml")).engine == settings


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a"], "a.yaml: extends: a.yaml -> a.yaml goes round"),
        (["a", "b"], "b.yaml: extends: a.yaml -> b.yaml -> a.yaml goes round in a circle"),
        (["a", "b", "c"], "a.yaml -> b.yaml -> c.yaml -> a.yaml goes round"),
    ],
)
def test_circles(tmp_path: Path, names: list[str], expected: str) -> None:
    for name, base in zip(names, [*names[1:], names[0]], strict=True):
        extending(tmp_path, name, f"{base}.yaml")
    with pytest.raises(UserError) as caught:
        load_experiment(tmp_path / "a.yaml")
    assert expected in str(caught.value)


def test_a_circle_that_the_file_only_leads_to(tmp_path: Path) -> None:
    for name, base in (("a", "b"), ("b", "c"), ("c", "./b")):
        extending(tmp_path, name, f"{base}.yaml")
    with pytest.raises(UserError, match="goes round in a circle"):
        load_experiment(tmp_path / "a.yaml")


def test_another_ending_is_told(write_experiment: Write) -> None:
    path = write_experiment("one")
    path.rename(path.with_suffix(".yml"))
    with pytest.raises(UserError, match=r"no such experiment file: call one\.yml one\.yaml"):
        load_experiment(path)


def test_a_file_that_is_not_there_to_be_extended(tmp_path: Path) -> None:
    path = extending(tmp_path, "a", "b.yaml")
    with pytest.raises(UserError, match=rf"^{path}: extends: there is no file .*b\.yaml"):
        load_experiment(path)
    path = extending(tmp_path, "a", ".")
    with pytest.raises(UserError, match=rf"^{path}: extends: there is no file"):
        load_experiment(path)


def test_a_name_in_a_file_that_is_extended(write_experiment: Write) -> None:
    base = write_experiment("first")
    base.write_text(f"name: x\n{base.read_text()}")
    with pytest.raises(UserError, match=r"first\.yaml: name: an experiment is named by its file"):
        load_experiment(extending(base.parent, "second", "first.yaml"))


@pytest.mark.parametrize("named", ["small", "small.yaml", "{folder}/small.yaml", "~/e/small.yaml"])
def test_an_experiment_is_found_by_its_name_and_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    folder = tmp_path / "e"
    folder.mkdir()
    (folder / "small.yaml").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(os.sep)
    assert experiment_file(named.format(folder=folder), folder) == folder / "small.yaml"


def test_a_name_that_is_a_group_of_another_experiment(write_experiment: Write) -> None:
    """The web UI would mix the assets of the two up."""
    for name in ("one", "one_final", "one_scores", "two_final", "previews", "broken_experiments"):
        folder = write_experiment(name).parent
    found = load_experiments(folder)
    assert [one.name for one in found.experiments] == ["one", "two_final"]
    for name, owner in (("one_final", "one"), ("one_scores", "one")):
        assert f"of assets of the experiment {owner}: give the file another" in found.broken[name]
    for name in ("previews", "broken_experiments"):
        assert "the name of a group in the web UI" in found.broken[name]
