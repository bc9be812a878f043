"""Links from the web UI to the source: the right file and line, here or on the git remote."""

import inspect
import subprocess
from pathlib import Path

import dagster as dg
import pytest

from sl_dagster.assets.loop.seeds import Seeds
from sl_dagster.assets.stage import source_links
from sl_dagster.assets.stage.asset import declared
from sl_dagster.assets.stage.source_links import linked_to_remote, web_address
from sl_dagster.experiment import load_experiment


@pytest.fixture
def seeds(write_experiment) -> dg.AssetsDefinition:
    return declared(Seeds(load_experiment(write_experiment())))


def reference(asset: dg.AssetsDefinition):
    [place] = asset.metadata_by_key[asset.key]["dagster/code_references"].code_references
    return place


def test_an_asset_leads_to_its_own_module(seeds: dg.AssetsDefinition) -> None:
    place = reference(seeds)
    assert place.file_path == inspect.getsourcefile(Seeds)
    assert place.file_path != inspect.getsourcefile(declared), "not to what declares it"
    lines = Path(place.file_path).read_text().splitlines()
    assert lines[place.line_number - 1] == "class Seeds(Derivation):"


def test_with_a_remote_it_leads_to_the_commit(
    seeds: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = reference(seeds).line_number
    answers = {
        ("config", "--get", "remote.origin.url"): "git@github.com:owner/project.git",
        ("rev-parse", "HEAD"): "c0ffee",
        ("rev-parse", "--show-prefix"): "",
    }
    monkeypatch.setattr(source_links, "_git", lambda *arguments: answers[arguments])
    [linked] = linked_to_remote([seeds])
    assert reference(linked).url == (
        f"https://github.com/owner/project/tree/c0ffee/sl_dagster/assets/loop/seeds.py#L{line}"
    )


def test_what_git_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds) -> None:
    folder = tmp_path / "repository" / "inside"
    folder.mkdir(parents=True)
    monkeypatch.setattr(source_links, "PROJECT_ROOT", folder)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert source_links._git("rev-parse", "HEAD") == "", "no repository"
    assert linked_to_remote([seeds]) == [seeds]
    subprocess.run(["git", "init", "-q"], cwd=folder.parent, check=True)
    assert source_links._git("rev-parse", "--show-prefix") == "inside/"
    assert linked_to_remote([seeds]) == [seeds], "no remote"


@pytest.mark.parametrize(
    ("remote", "page"),
    [
        ("git@github.com:owner/project.git", "https://github.com/owner/project"),
        ("https://github.com/owner/project", "https://github.com/owner/project"),
        ("ssh://git@github.com:22/owner/project.git", "https://github.com/owner/project"),
        ("https://user:secret@gitlab.example.org/g/s/p.git", "https://gitlab.example.org/g/s/p"),
        ("https://git.example.org/project.git", None),
        ("/srv/git/project.git", None),
        ("", None),
    ],
)
def test_web_pages_of_remotes(remote: str, page: str | None) -> None:
    assert web_address(remote) == page
