"""Checking an experiment and everything it names, without running it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sl_dagster.commands.terminal import as_text, console, wrong
from sl_dagster.errors import UserError
from sl_dagster.experiment import (
    Experiment,
    ServedModel,
    VllmSettings,
    check_name,
    experiment_file,
    experiment_paths,
    load_experiment,
)
from sl_dagster.inputs.documents import read_documents
from sl_dagster.inputs.instructions import read_instructions
from sl_dagster.inputs.queries import read_queries
from sl_dagster.inputs.seeds import detection_note, read_seed_instructions
from sl_dagster.models.base_model import check_base_model
from sl_dagster.paths import experiments_dir
from sl_dagster.resources.engines import vllm_options

NOT_BY_ITS_NAME = "no experiment: lower-case letters, digits and underscores name one"


def validate(names: Sequence[str]) -> bool:
    """Check experiments, and print what is wrong with each and what one should know.

    Args:
        names: of experiments, or of their files; none for all of the experiments folder.

    Returns:
        Whether all are right.

    Raises:
        UserError: there is no experiment file.
    """
    others: list[Path] = []
    if names:
        files = [experiment_file(name, experiments_dir()) for name in names]
    else:
        files, others = experiment_paths(experiments_dir())
    right = True
    for file in files:
        try:
            check_name(file)
            notes = validate_experiment(file)
        except UserError as error:
            right = False
            wrong(str(error))
        else:
            console.print(f"[green]✓[/] {as_text(str(file))}")
            for note in notes:
                console.print(f"  {as_text(note)}", soft_wrap=True)
    for other in others:
        console.print(f"[yellow]-[/] {as_text(str(other))}: {NOT_BY_ITS_NAME}", soft_wrap=True)
    return right


def validate_experiment(path: Path) -> list[str]:
    """Check an experiment file, its instruction files, its prompts and its model's tokenizer.

    vLLM's options are checked by vLLM, where it is installed.

    Returns:
        What one should know, although nothing is wrong: what was detected, and queries
            of benchmarks that are left out.

    Raises:
        UserError: naming the file and field (or line), what is wrong and what was expected.
    """
    experiment = load_experiment(path)
    notes = []
    if experiment.method == "back_translation":
        _check_documents(experiment)
    elif note := detection_note(read_seed_instructions(experiment.seeds, experiment.languages)):
        notes.append(f"seeds: {note}")
    if experiment.heldout:
        read_instructions(experiment.heldout.file, experiment.languages)
    for name, benchmark in experiment.benchmarks.items():
        if note := read_queries(name, benchmark, experiment.languages).note:
            notes.append(f"benchmarks.{name}: {note}")
    if experiment.control and not (path.parent / f"{experiment.control}.yaml").is_file():
        raise UserError(f"{path}: control: there is no experiment {experiment.control}.yaml")
    with _of_file(path):
        check_base_model(experiment.base_model, experiment.revision, experiment.chat)
        _check_engine(experiment.served)
    if experiment.judge:
        with _of_file(path, "judge."):
            _check_engine(experiment.served_judge)
    return notes


def _check_documents(experiment: Experiment) -> None:
    documents = read_documents(experiment.documents)
    # To the end, because every line is to be checked.
    if not sum(document.written_in in experiment.languages for document in documents):
        raise UserError(
            f"{', '.join(map(str, experiment.documents))}: no document in "
            f"{' or '.join(experiment.languages)}: add some, or change `languages`"
        )


def _check_engine(served: ServedModel) -> None:
    if isinstance(served.engine, VllmSettings) and vllm_options.is_installed():
        vllm_options.check_options(served, served.engine)


@contextmanager
def _of_file(path: Path, section: str = "") -> Iterator[None]:
    """Name the file, and the section, in what is wrong."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {section}{error}") from error
