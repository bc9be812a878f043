"""Reading experiment files: YAML, with one file building on another."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from sl_dagster.errors import UserError
from sl_dagster.experiment.base import is_file, merged, reason, shortened
from sl_dagster.experiment.model import Experiment
from sl_dagster.experiment.problems import UNKNOWN_KEY, describe_problems, found
from sl_dagster.experiment.stages import EXPERIMENT_NAME, GROUP_ENDINGS
from sl_dagster.method.yaml_text import parse_yaml

_SUFFIX = ".yaml"
_GROUPS = ("broken_experiments", "previews")
_NAMES = "lower-case letters, digits and underscores name an experiment"


@dataclass(frozen=True)
class ExperimentFiles:
    """What a folder of experiment files holds.

    Attributes:
        experiments: those whose file is right, in the order of their names.
        broken: of each other experiment, by its name, what is wrong with its file.
        others: YAML files whose names no experiment can have.
    """

    experiments: list[Experiment] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)


def load_experiment(path: Path) -> Experiment:
    """Read one experiment file.

    Paths in it are relative to the file's folder. With ``extends: other.yaml`` it takes over the
    settings of another file in the same folder and changes only those it names; the other file may
    extend a third one in the same way.

    Raises:
        UserError: naming the file, the field, and what was expected there.
    """
    content = _with_bases(path, ())
    try:
        return Experiment.model_validate(
            {"name": path.stem, **content}, context={"folder": path.parent}
        )
    except ValidationError as error:
        raise UserError(f"{path}: {describe_problems(error)}") from None


def load_experiments(folder: Path) -> ExperimentFiles:
    """Read every experiment of a folder; what is wrong with one does not touch the others.

    Raises:
        UserError: there is no such folder, or no experiment file in it.
    """
    paths, others = experiment_paths(folder)
    found = ExperimentFiles(others=others)
    for path in paths:
        try:
            check_name(path)
            found.experiments.append(load_experiment(path))
        except UserError as error:
            found.broken[path.stem] = str(error)
        except Exception as error:
            # A mistake of ours in reading one file must not take the other experiments along.
            found.broken[path.stem] = f"{path}: cannot be read: {type(error).__name__}: {error}"
    return found


def experiment_paths(folder: Path) -> tuple[list[Path], list[Path]]:
    """The experiment files of a folder, and the YAML files whose names no experiment can have.

    Hidden files are neither: editors and file systems make them.

    Raises:
        UserError: there is no such folder, or no experiment file in it.
    """
    if not folder.is_dir():
        raise UserError(
            f"{folder}: there is no such folder: SL_DAGSTER_EXPERIMENTS must name the folder of "
            "the experiment files"
        )
    paths = [path for path in sorted(folder.glob(f"*{_SUFFIX}")) if path.name[0] != "."]
    others = [path for path in paths if not EXPERIMENT_NAME.fullmatch(path.stem)]
    if len(others) == len(paths):
        odd = f"; {others[0].name} is none, because of its name: {_NAMES}" if others else ""
        raise UserError(f"{folder}: no experiment file (*{_SUFFIX}) in this folder{odd}")
    return [path for path in paths if path not in others], others


def check_name(path: Path) -> None:
    """See that the web UI can tell an experiment from the others of its folder.

    Raises:
        UserError: its name is that of a group of another experiment's assets, or of none.
    """
    name = path.stem
    for ending in GROUP_ENDINGS.values():
        owner = name.removesuffix(ending)
        if owner not in ("", name) and is_file(path.with_stem(owner)):
            raise UserError(
                f"{path}: {name} is what the web UI calls a group of assets of the experiment "
                f"{owner}: give the file another name"
            )
    if name in _GROUPS:
        raise UserError(
            f"{path}: {name} is the name of a group in the web UI: give the file another name"
        )


def experiment_file(name: str, folder: Path) -> Path:
    """The file of an experiment that is named as people do: by its name, or by its file.

    Args:
        name: such as ``demo``, ``demo.yaml`` or ``experiments/demo.yaml``.
        folder: the folder of experiments.
    """
    path = Path(name)
    with suppress(RuntimeError):  # nobody has this home
        path = path.expanduser()
    if path.suffix == _SUFFIX and (is_file(path) or path.parent != Path()):
        return path
    return folder / f"{name.removesuffix(_SUFFIX)}{_SUFFIX}"


def _with_bases(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    """A file's settings on top of those of the file that it extends.

    Args:
        path: the file.
        above: the files that extend it, the first one first.
    """
    content = _read(path)
    if "name" in content:
        raise UserError(f"{path}: name: an experiment is named by its file; remove this line")
    if "extends" not in content:
        return content
    named = content.pop("extends")
    if not isinstance(named, str) or not named:
        raise UserError(
            f"{path}: extends: expected the name of a file in the same folder, such as demo.yaml"
        )
    base = path.parent / named
    chain = (*above, path)
    if not is_file(base):
        raise UserError(f"{path}: extends: there is no file {shortened(base)}")
    if base.resolve() in [one.resolve() for one in chain]:
        names = " -> ".join(one.name for one in (*chain, base))
        raise UserError(f"{path}: extends: {names} goes round in a circle: one must stand alone")
    return merged(_with_bases(base, chain), content)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = parse_yaml(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such experiment file{_there_are(path)}") from None
    except (OSError, ValueError) as error:  # a name that no file can have is a ValueError
        raise UserError(f"{shortened(path)}: cannot be read: {reason(error)}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: is no YAML: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected settings (`key: value` lines), found none")
    odd = [key for key in content if not isinstance(key, str)]
    if odd:
        raise UserError(f"{path}: {found(odd[0])}: {UNKNOWN_KEY}")
    return content


def _there_are(path: Path) -> str:
    """Which experiments there are beside a file that is missing, or what it is called there."""
    if is_file(other := path.with_suffix(".yml")):
        return f": call {other.name} {path.name}"
    names = [p.stem for p in sorted(path.parent.glob(f"*{_SUFFIX}"))
             if EXPERIMENT_NAME.fullmatch(p.stem)]  # fmt: skip
    return f": there are {', '.join(names)}" if names else ""
