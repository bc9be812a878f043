"""Publishing on the Hugging Face hub: what ``sl-dagster publish`` does.

Everything is written to a local folder first and uploaded from there, so that a dry run shows just
what the hub would get. The token is read by huggingface_hub and shown to nobody else.
"""

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sl_dagster.disk_errors import disk_errors_explained
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.experiment.public import public_base_model
from sl_dagster.publishing.cards import CARD, GROWTH_PLOT, OnTheHub, dataset_card, model_card
from sl_dagster.publishing.dataset_export import DatasetExport, write_splits
from sl_dagster.publishing.model_export import Export, write_model
from sl_dagster.resources.adapters import AnyRole
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.results.plots import drawn, growth_curve
from sl_dagster.results.quality import check_comparable
from sl_dagster.results.tables import Achievements, achievements

FINAL_DATASET = "dataset"  # published as a file for each side of its split

# What a data set consists of, as far as it is stored; the first is shown first.
PUBLISHED_STAGES = (
    FINAL_DATASET,
    "length_controlled",
    "extended_responses",
    "initial_responses",
    "planned_responses",
    "plans",
    "instructions",
    "generator_sft",
    "extender_sft",
)
# What an earlier publication may have left on the hub that this one does not replace by name.
_REPLACED = {"dataset": ["data/*"], "model": ["*.safetensors", "*.json"]}


@dataclass(frozen=True)
class Publication:
    """What to publish.

    Attributes:
        experiment: whose results.
        dataset, model: repositories, ``owner/name``; None to publish none.
        merged: the whole model instead of the adapter.
        licence: its identifier on the hub.
        public: visible to everybody.
    """

    experiment: Experiment
    dataset: str | None = None
    model: str | None = None
    merged: bool = False
    licence: str | None = None
    public: bool = False

    @property
    def on_the_hub(self) -> OnTheHub:
        """What cards say of it."""
        return OnTheHub(self.licence, self.dataset)


@dataclass(frozen=True)
class Prepared:
    """A repository as it will be.

    Attributes:
        kind: data set or model.
        repository: ``owner/name``.
        folder: holds its files.
    """

    kind: Literal["dataset", "model"]
    repository: str
    folder: Path

    def __str__(self) -> str:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        return f"{self.kind} {self.repository}: {len(files)} files, {size:.1f} MB, {self.folder}"


def prepare(publication: Publication, data_dir: Path) -> list[Prepared]:
    """Write everything that would be published to ``<data>/<experiment>/publish/``.

    Raises:
        UserError: a repository's name is none, nothing is stored yet, a file is damaged, the
            lengths in the data set's queries are out of date, or the models were judged by
            different judges.
    """
    experiment = publication.experiment
    for option, name in (("--dataset", publication.dataset), ("--model", publication.model)):
        _check_name(option, name)
    achieved = achievements(experiment, StageStore(data_dir=str(data_dir)))
    check_comparable(achieved.quality)
    root = data_dir / experiment.name / "publish"
    with disk_errors_explained(f"{root}: cannot be written"):
        return _prepared(publication, data_dir, achieved, root)


def _prepared(
    publication: Publication, data_dir: Path, achieved: Achievements, root: Path
) -> list[Prepared]:
    stages = StageStore(data_dir=str(data_dir))
    shutil.rmtree(root, ignore_errors=True)
    prepared = []
    if publication.dataset:
        folder = root / "dataset"
        _write_dataset(publication, stages, achieved, folder)
        prepared.append(Prepared("dataset", publication.dataset, folder))
    if publication.model:
        folder = root / "model"
        _write_model(publication, AdapterStore(data_dir=str(data_dir)), achieved, folder)
        prepared.append(Prepared("model", publication.model, folder))
    for one in prepared if achieved.growth else []:
        plot = drawn(growth_curve(list(achieved.growth)), height=3.6, format="png")
        (one.folder / GROWTH_PLOT).write_bytes(plot)
    return prepared


def upload(prepared: list[Prepared], *, public: bool) -> list[str]:
    """Create the repositories where they do not exist, and upload their files in one commit each.

    Returns:
        Where they are.

    Raises:
        UserError: there is no token, the hub refuses something, or a repository exists already and
            is not as private or public as it was asked for.
    """
    from huggingface_hub import HfApi, get_token

    token = get_token()
    if not token:
        raise UserError(
            "there is no Hugging Face token: set HF_TOKEN, or log in with `hf auth login`"
        )
    api = HfApi(token=token)
    with _nobody_sees(token):
        for one in prepared:
            _create(api, one, public)
        return [_upload(api, one) for one in prepared]


def _create(api: Any, one: Prepared, public: bool) -> None:
    api.create_repo(one.repository, repo_type=one.kind, private=not public, exist_ok=True)
    # For one that existed, the hub has ignored what was asked for.
    private = api.repo_info(one.repository, repo_type=one.kind).private
    if private and public:
        raise UserError(
            f"{one.repository} exists and is private: leave out --public, or make it public on the "
            "hub first"
        )
    if not private and not public:
        raise UserError(
            f"{one.repository} exists and is public: give --public if everybody may see this, or "
            "choose another name"
        )


def _upload(api: Any, one: Prepared) -> str:
    api.upload_folder(
        repo_id=one.repository,
        repo_type=one.kind,
        folder_path=one.folder,
        commit_message="Published by sl-dagster",
        delete_patterns=_REPLACED[one.kind],
    )
    return f"{api.endpoint}/{'datasets/' if one.kind == 'dataset' else ''}{one.repository}"


@contextmanager
def _nobody_sees(token: str) -> Iterator[None]:
    """Turn the hub's errors into messages, and keep the token out of them and out of the log.

    huggingface_hub itself shows no token, but it repeats what a server or a proxy says, and that
    may quote the request.
    """
    from httpx2 import HTTPError

    def hide(record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage().replace(token, "(token)"), ()
        return True

    handlers = logging.getLogger("huggingface_hub").handlers
    for handler in handlers:
        handler.addFilter(hide)
    try:
        yield
    except (HTTPError, OSError, ValueError, RuntimeError) as error:
        why = str(error).replace(token, "(token)").strip() or type(error).__name__
        raise UserError(
            f"the hub could not be written: {why}\nEverything that was to be published is still in "
            "its local folder; publishing again is safe"
        ) from None
    finally:
        for handler in handlers:
            handler.removeFilter(hide)


def _check_name(option: str, name: str | None) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    if name is None:
        return
    try:
        validate_repo_id(name)
        if "/" not in name:
            raise HFValidationError("the owner is missing")
    except HFValidationError as error:
        raise UserError(f"{option} {name}: expected owner/name: {error}") from None


def _write_dataset(
    publication: Publication, store: StageStore, achieved: Achievements, folder: Path
) -> None:
    experiment = publication.experiment
    stages: dict[str, list[StoredStage]] = {}
    keys = store.complete(experiment.name)
    for name in PUBLISHED_STAGES:
        several = [store.read(key) for key in keys if key.stage == name]
        several.sort(key=lambda stage: stage.key.iteration or 0)
        if several:
            stages[name] = several
    if not stages:
        raise UserError(f"{experiment.name}: there is nothing stored that could be published yet")
    for name, several in stages.items():
        (folder / "data" / name).mkdir(parents=True)
        for stage in several:
            stage.verify()
            if name != FINAL_DATASET:
                iteration = stage.key.iteration
                file = "records" if iteration is None else f"iteration-{iteration:03}"
                shutil.copyfile(stage.path, folder / "data" / name / f"{file}.parquet")
    splits = {}
    if FINAL_DATASET in stages:
        out = folder / "data" / FINAL_DATASET
        write_splits(DatasetExport(experiment, "parquet", out), store, out)
        splits[FINAL_DATASET] = sorted(path.name for path in out.iterdir())
    card = dataset_card(
        str(publication.dataset), experiment, stages, splits, achieved, publication.on_the_hub
    )
    (folder / CARD).write_text(card, encoding="utf-8")


def _write_model(
    publication: Publication, store: AdapterStore, achieved: Achievements, folder: Path
) -> None:
    experiment, merged = publication.experiment, publication.merged
    role, iteration = _best_model(experiment, store)
    folder.mkdir(parents=True)
    stored = write_model(Export(experiment, iteration, role, merged, folder), store, folder)
    _hide_local_paths(folder, experiment)
    card = model_card(experiment, stored, achieved, merged=merged, hub=publication.on_the_hub)
    (folder / CARD).write_text(card, encoding="utf-8")


def _best_model(experiment: Experiment, store: AdapterStore) -> tuple[AnyRole, int | None]:
    """The aligned model where there is one, otherwise the last Generator: role and iteration."""
    if store.has(StageKey(experiment.name, "aligned_model", None)):
        return "aligned", None
    made = [
        iteration
        for iteration in range(1, experiment.iterations + 1)
        if store.has(StageKey(experiment.name, "generator_lora", iteration))
    ]
    return "generator", max(made, default=1)


def _hide_local_paths(folder: Path, experiment: Experiment) -> None:
    """A base model that lies in a folder here goes by the folder's name elsewhere."""
    name = public_base_model(experiment)
    if name != experiment.base_model:
        for path in folder.glob("*.json"):
            text = path.read_text(encoding="utf-8")
            for escaped in (True, False):  # as json writes it, and transformers
                own, public = (
                    json.dumps(one, ensure_ascii=escaped)[1:-1]
                    for one in (experiment.base_model, name)
                )
                text = text.replace(own, public)
            path.write_text(text, encoding="utf-8")
