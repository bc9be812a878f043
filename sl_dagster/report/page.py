"""The report as a file: what ``sl-dagster report`` and the asset ``report`` write."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader

from sl_dagster import __version__, durable
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.experiment.public import public_base_model
from sl_dagster.report.sections import sections
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_store import StageStore

REPORT_FILE = "report.html"
_GENERATOR = '<meta name="generator" content="sl-dagster report">'


def report_path(experiment: str, data: Path) -> Path:
    """Where an experiment's report lies, if no other place is named."""
    return data / experiment / REPORT_FILE


def write_report(experiment: Experiment, data: Path, out: Path | None = None) -> Path:
    """Write the report of all that is stored of an experiment.

    Args:
        experiment: whose report.
        data: the data folder.
        out: the file to write, from the option ``--out``; an older report there is replaced.

    Returns:
        The file.

    Raises:
        UserError: nothing is stored of the experiment, a stage is damaged, or the file cannot be
            written or is something else than a report.
    """
    html = report_html(experiment, data)
    path = out or report_path(experiment.name, data)
    unfinished = path.parent / f".{path.name}.unfinished"
    try:
        _check_replaceable(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(html, encoding="utf-8")
        durable.replace(unfinished, path)
    except OSError as error:
        raise UserError(f"{path}: the report cannot be written: {error}") from error
    finally:
        with suppress(OSError):  # where nothing could be written, there is nothing to remove
            unfinished.unlink()
    return path


def _check_replaceable(path: Path) -> None:
    if not path.exists():
        return
    if path.is_dir():
        raise UserError(f"--out {path}: is a folder: name a file to write, such as report.html")
    with path.open(encoding="utf-8", errors="replace") as file:
        if _GENERATOR not in file.read(1000):
            raise UserError(f"--out {path}: is there already and is no report: name another file")


def report_html(experiment: Experiment, data: Path) -> str:
    """The report as a page that needs nothing beside it.

    Raises:
        UserError: nothing is stored of the experiment, or a stage is damaged.
    """
    stages = StageStore(data_dir=str(data))
    if not stages.complete(experiment.name):
        raise UserError(
            f"there is nothing stored of {experiment.name} in {data} yet, so there is nothing to "
            f"report: run `sl-dagster run --experiment {experiment.name}` first"
        )
    # The colours and the type are those of the lineage view.
    loader = ChoiceLoader([PackageLoader("sl_dagster.report"), PackageLoader("sl_dagster.lineage")])
    templates = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return templates.get_template("report.html").render(
        experiment=experiment,
        base_model=public_base_model(experiment),
        sections=sections(experiment, stages, AdapterStore(data_dir=str(data))),
        labels=("reason", "measure", "setting", "launched with"),
        version=__version__,
        written=f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
    )
