"""Publishing to a stand-in of the hub: what arrives there, who may see it, and the token."""

import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from sl_dagster.errors import UserError
from sl_dagster.experiment import load_experiment
from sl_dagster.publishing.publish import (
    Prepared,
    Publication,
    _hide_local_paths,
    prepare,
    upload,
)
from sl_dagster.resources.adapters import CONFIG_FILE, WEIGHTS_FILE
from sl_dagster.resources.records import Score, Text
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.storage.stage_key import StageKey
from tests.conftest import DEMO_MODEL, OUTCOME, Cli
from tests.hub import Hub, running_hub
from tests.publishing.conftest import PLAIN, WOVEN
from tests.stored_stages import made_up, store

TOKEN = "hf_a_secret_that_nobody_may_see"
DATA, MODEL = "dataset:me/texts", "model:me/writer"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """The stand-in, as the only hub that this process and its children know."""
    with running_hub(TOKEN) as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")  # its storage has no stand-in
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


def put(data: Path, stage: str, iteration: int | None, text: str) -> None:
    """Store a stage of one record."""
    key = StageKey("small", stage, iteration)
    store(data, key, [made_up(Text, key, instruction="Write.", text=text)])


@pytest.fixture
def publication(write_experiment: Callable[..., Path], tmp_path: Path) -> Publication:
    """A data set to publish: two stages, one of them of two iterations."""
    data = tmp_path / "data"
    put(data, "heldout_base", None, "Two words.")
    put(data, "heldout_responses", 1, "Now it's four words.")
    put(data, "initial_responses", 1, "A text.")
    put(data, "extended_responses", 1, "A long text.")
    put(data, "extended_responses", 2, "A longer text.")
    path = write_experiment(base_model="org/base", languages=["en"], description="About bridges.")
    return Publication(load_experiment(path), dataset="me/texts", licence="cc-by-4.0")


def published(publication: Publication, data: Path) -> list[Prepared]:
    prepared = prepare(publication, data)
    upload(prepared, public=publication.public)
    return prepared


def card_data(readme: str) -> dict:
    return yaml.safe_load(readme.split("---\n")[1])


def test_what_arrives_is_what_was_prepared(
    hub: Hub, publication: Publication, tmp_path: Path
) -> None:
    (prepared,) = prepare(publication, tmp_path / "data")
    assert upload([prepared], public=False) == [f"{hub.url}/datasets/me/texts"]
    repository = hub.repositories[DATA]
    local = {
        str(path.relative_to(prepared.folder)): path.read_bytes()
        for path in prepared.folder.rglob("*")
        if path.is_file()
    }
    assert repository.files == local
    assert repository.private
    parquet = pq.read_table(
        io.BytesIO(repository.files["data/extended_responses/iteration-002.parquet"])
    )
    assert parquet["text"].to_pylist() == ["A longer text."]
    assert repository.files["growth.png"].startswith(b"\x89PNG")


def test_the_card_says_what_is_stored(publication: Publication, tmp_path: Path) -> None:
    (prepared,) = prepare(publication, tmp_path / "data")
    readme = (prepared.folder / "README.md").read_text()
    data = card_data(readme)
    assert (data["license"], data["language"]) == ("cc-by-4.0", ["en"])
    names = [config["config_name"] for config in data["configs"]]
    assert names == ["extended_responses", "initial_responses"]
    for config in data["configs"]:
        assert list(prepared.folder.glob(config["data_files"]))
    assert "| 0 (base) | 2.0 |  | 2 | 100% | 100% |" in readme
    assert "| 1 | 4.0 | 2.00 | 4 | 100% | 100% |" in readme
    assert "![growth over the iterations](growth.png)" in readme
    assert "sl-dagster run --experiment small" in readme
    assert "base_model: org/base" in readme
    assert 'load_dataset("me/texts", "extended_responses")' in readme
    assert "seeds:\n- seeds.jsonl" in readme
    assert str(tmp_path) not in readme, "others need not know where it was made"


def test_a_card_without_a_licence_says_so(publication: Publication, tmp_path: Path) -> None:
    without = Publication(publication.experiment, dataset="me/texts")
    readme = (prepare(without, tmp_path / "data")[0].folder / "README.md").read_text()
    assert "license" not in card_data(readme)
    assert "Licence: none has been chosen." in readme


def test_public_only_when_asked_for(hub: Hub, publication: Publication, tmp_path: Path) -> None:
    prepared = prepare(publication, tmp_path / "data")
    upload(prepared, public=True)
    assert not hub.repositories[DATA].private
    with pytest.raises(UserError, match="me/texts exists and is public: give --public"):
        upload(prepared, public=False)
    hub.repositories[DATA].private = True
    with pytest.raises(UserError, match="me/texts exists and is private"):
        upload(prepared, public=True)
    assert hub.repositories[DATA].commits == 1


def test_publishing_again_replaces_the_data(
    hub: Hub, publication: Publication, tmp_path: Path
) -> None:
    published(publication, tmp_path / "data")
    files = hub.repositories[DATA].files
    files["data/extended_responses/iteration-009.parquet"] = b"of an earlier, longer run"
    files["NOTES.md"] = b"mine"
    published(publication, tmp_path / "data")
    assert "data/extended_responses/iteration-009.parquet" not in files
    assert files["NOTES.md"] == b"mine"


@pytest.mark.parametrize("name", ["texts", "me/te xts", "a/b/c", "me/", "-me/texts"])
def test_a_name_that_is_none_is_refused_before_anything_is_written(
    publication: Publication, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UserError, match=f"--dataset {name}: expected owner/name"):
        prepare(Publication(publication.experiment, dataset=name), tmp_path / "data")
    assert not (tmp_path / "data" / "small" / "publish").exists()


def test_nothing_to_publish(write_experiment: Callable[..., Path], tmp_path: Path) -> None:
    experiment = load_experiment(write_experiment())
    with pytest.raises(UserError, match="nothing stored that could be published"):
        prepare(Publication(experiment, dataset="me/texts"), tmp_path / "data")
    with pytest.raises(UserError, match="generator_lora of iteration 1 has not been made yet"):
        prepare(Publication(experiment, model="me/writer"), tmp_path / "data")


def test_without_a_token_nothing_is_asked(
    hub: Hub, publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(UserError, match="there is no Hugging Face token"):
        published(publication, tmp_path / "data")
    assert hub.seen == []


@pytest.mark.parametrize(
    "failing", ["create", "texts", "validate-yaml", "preupload/main", "batch", "commit/main"]
)
def test_a_failing_hub_is_explained_without_the_token(
    hub: Hub, publication: Publication, tmp_path: Path, failing: str, capfd, caplog
) -> None:
    hub.failing = failing
    with pytest.raises(UserError, match="the hub could not be written") as caught:
        published(publication, tmp_path / "data")
    printed = capfd.readouterr()
    for text in (str(caught.value), printed.out, printed.err):
        assert TOKEN not in text
    assert any(line.endswith(failing) for line in hub.seen)
    assert (tmp_path / "data" / "small" / "publish" / "dataset" / "README.md").is_file()
    hub.failing = None
    published(publication, tmp_path / "data")
    assert hub.repositories[DATA].commits == 1


def test_a_hub_that_is_not_there(publication: Publication, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(UserError, match="the hub could not be written") as caught:
        published(publication, tmp_path / "data")
    assert TOKEN not in str(caught.value)


def publish(program: Cli, *more: str) -> tuple[int, str]:
    result = program("publish", "--experiment", "small", "--dataset", "me/texts", *more)
    return result.returncode, result.stdout + result.stderr


@pytest.mark.usefixtures("publication")
def test_the_command_line_publishes_and_tells_no_secret(
    hub: Hub,
    program: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, said = publish(program, "--dry-run")
    assert (code, hub.seen) == (0, [])
    assert "would publish the private dataset me/texts: 5 files" in said
    assert "No --licence is given" in said
    code, said = publish(program, "--licence", "cc-by-4.0")
    assert code == 0, said
    assert f"{hub.url}/datasets/me/texts" in said
    assert TOKEN not in said
    assert hub.repositories[DATA].private
    hub.failing = "commit/main"
    monkeypatch.setenv("HF_DEBUG", "1")  # logs every request
    code, said = publish(program)
    assert (code, TOKEN in said) == (1, False)
    assert "Authorization: Bearer (token)" in said
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(TOKEN.encode() not in path.read_bytes() for path in files)
    assert program("publish", "--experiment", "small").returncode == 2


@pytest.mark.integration
@pytest.mark.parametrize("merged", [False, True])
def test_a_model_arrives_whole(
    hub: Hub,
    write_experiment: Callable[..., Path],
    adapters: AdapterStore,
    stored: StoredAdapter,
    tmp_path: Path,
    merged: bool,
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    key = StageKey("small", "generator_lora", 2)
    generator = replace(stored.adapter, role="generator")
    adapters.make_current(key, replace(stored, adapter=generator))
    experiment = load_experiment(write_experiment(base_model=str(DEMO_MODEL)))
    published(Publication(experiment, model="me/writer", merged=merged), tmp_path / "data")
    folder = tmp_path / "downloaded"
    for name, content in hub.repositories[MODEL].files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    base = folder if merged else DEMO_MODEL
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    if not merged:
        model = PeftModel.from_pretrained(model, str(folder))
    assert AutoTokenizer.from_pretrained(folder).chat_template
    readme = (folder / "README.md").read_text()
    assert card_data(readme)["library_name"] == ("transformers" if merged else "peft")
    assert stored.adapter.fingerprint in readme
    for path in folder.rglob("*"):
        for place in (str(DEMO_MODEL), str(tmp_path)):
            assert place.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("escaped", [True, False])
def test_a_place_is_hidden_however_it_is_written(
    write_experiment: Callable[..., Path], tmp_path: Path, escaped: bool
) -> None:
    model = shutil.copytree(DEMO_MODEL, tmp_path / "Müller" / 'the "best"')
    experiment = load_experiment(write_experiment(base_model=str(model)))
    config = tmp_path / "adapter_config.json"
    named = {"base_model_name_or_path": str(model), "r": 4}
    config.write_text(json.dumps(named, ensure_ascii=escaped), encoding="utf-8")
    _hide_local_paths(tmp_path, experiment)
    assert json.loads(config.read_text()) == named | {"base_model_name_or_path": 'the "best"'}


@pytest.mark.usefixtures("final_data_set")
def test_the_data_set_is_published_as_its_split(publication: Publication, tmp_path: Path) -> None:
    (prepared,) = prepare(publication, tmp_path / "data")
    readme = (prepared.folder / "README.md").read_text()
    config = card_data(readme)["configs"][0]
    assert (config["config_name"], config["default"]) == ("dataset", True)
    assert config["data_files"] == [
        {"split": "train", "path": "data/dataset/train.parquet"},
        {"split": "validation", "path": "data/dataset/validation.parquet"},
    ]
    queries = {
        file["split"]: pq.read_table(prepared.folder / file["path"])["query"].to_pylist()
        for file in config["data_files"]
    }
    assert queries == {"train": [PLAIN, WOVEN], "validation": ["Write a speech."]}


def test_a_card_has_the_scores_of_benchmarks(
    publication: Publication, write_experiment: Callable[..., Path], tmp_path: Path
) -> None:
    key = StageKey("small", "longen_scores", None, "1")
    answer = made_up(Score, key, text="Three words here.", model="1", score=0.25)
    store(tmp_path / "data", key, [answer])
    queries = tmp_path / "experiments" / "longen.jsonl"
    queries.write_text("{}\n")
    longen = {"queries": "longen.jsonl", "scale": 0.05}
    path = write_experiment(base_model="org/base", benchmarks={"longen": longen})
    changed = replace(publication, experiment=load_experiment(path))
    readme = (prepare(changed, tmp_path / "data")[0].folder / "README.md").read_text()
    assert "LonGen (0 to 1; all lengths x 0.05)." in readme
    assert "| overall | 0.250 |" in readme


def small_model(adapters: AdapterStore, name: str, iteration: int | None, whole: bool) -> None:
    """Trained weights that nobody reads."""
    key = StageKey("small", name, iteration)
    folder = adapters.workplace(key, "m")
    if whole:
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(name.encode())
    else:
        config = {"r": 4, "lora_alpha": 8, "target_modules": ["a"]}
        (folder / CONFIG_FILE).write_text(json.dumps(config))
        (folder / WEIGHTS_FILE).write_bytes(name.encode())
    role = "aligned" if name == "aligned_model" else "generator"
    trained = adapters.adopt(key, role, "m", OUTCOME)
    adapters.make_current(key, replace(trained, facts={"Data": {"Pairs": 7}}))


def test_the_aligned_model_is_preferred(
    publication: Publication,
    adapters: AdapterStore,
    tmp_path: Path,
) -> None:
    small_model(adapters, "generator_lora", 1, whole=False)
    small_model(adapters, "aligned_model", None, whole=True)
    (prepared,) = prepare(replace(publication, dataset=None, model="me/writer"), tmp_path / "data")
    readme = (prepared.folder / "README.md").read_text()
    assert card_data(readme)["library_name"] == "transformers"
    assert "# small: aligned model" in readme
    for fact in ("- Weights: all, fine-tuned", "- Pairs: 7", "- Examples: 3 (0 cut, 0 left out)"):
        assert fact in readme
    names = {path.name for path in prepared.folder.iterdir()}
    assert names == {"README.md", "config.json", "model.safetensors", "growth.png"}
