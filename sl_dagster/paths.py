"""Where things lie: experiment files, data, and Dagster's own history.

Environment variables move each of them; without any, everything lies in the project's folder.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from sl_dagster.errors import UserError
from sl_dagster.layout import check_layout

PROJECT_ROOT = Path(__file__).resolve().parent.parent
_HOME = "DAGSTER_HOME"
_FOLDERS = {"SL_DAGSTER_EXPERIMENTS": "experiments", "SL_DAGSTER_DATA": "data"}
_ENV_FILE = """\
# Written by sl-dagster, for `dagster dev` and `dg dev`: the same history as in `make ui`.
"""


def experiments_dir() -> Path:
    """The folder whose YAML files are the experiments (``SL_DAGSTER_EXPERIMENTS``)."""
    return _folder("SL_DAGSTER_EXPERIMENTS")


def data_dir() -> Path:
    """The folder that holds every artifact and ``lengths.duckdb`` (``SL_DAGSTER_DATA``).

    Raises:
        UserError: it can be no folder, or a later version of the project has stored in it.
    """
    folder = _folder("SL_DAGSTER_DATA")
    check_layout(folder)
    return folder


def lineage_address() -> str:
    """Where the lineage view is to be found, without a final slash (``SL_DAGSTER_LINEAGE``).

    Asset pages link to it. The variable is for a view that is reached through a proxy or at
    another port than the usual one.
    """
    return (os.environ.get("SL_DAGSTER_LINEAGE") or "http://127.0.0.1:3001").rstrip("/")


def web_ui_address() -> str:
    """Where Dagster's web UI is to be found, without a final slash (``SL_DAGSTER_UI``).

    The lineage view links back to it. `sl-dagster ui` knows where it listens itself; the variable
    is for a web UI that is reached through a proxy or was started in another way.
    """
    return (os.environ.get("SL_DAGSTER_UI") or "http://127.0.0.1:3000").rstrip("/")


def lineage_host() -> str | None:
    """The machine's name in that address; None if it has none."""
    try:
        return urlsplit(lineage_address()).hostname
    except ValueError:
        return None


def lineage_port() -> int:
    """The port of that address, at which the lineage view listens.

    Raises:
        UserError: it is no address.
    """
    try:
        parts = urlsplit(lineage_address())
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        if not parts.hostname:
            raise ValueError("it names no machine")
    except (ValueError, KeyError) as error:
        raise UserError(
            f"SL_DAGSTER_LINEAGE is {lineage_address()!r}: it must be an address with a port, such "
            "as http://127.0.0.1:3002"
        ) from error
    return port


def ensure_dagster_home() -> Path:
    """Point ``DAGSTER_HOME`` at a folder that lasts, holding the project's instance settings.

    A ``DAGSTER_HOME`` that the user has set stays; Dagster gets it as an absolute path, without
    which it refuses to start. Without one it is ``.dagster`` in the project's folder, and a file
    ``.env`` beside it tells Dagster's own commands so.

    Raises:
        UserError: the folder cannot be made.
    """
    given = os.environ.get(_HOME)
    home = _absolute(given, _HOME) if given else PROJECT_ROOT / ".dagster"
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"DAGSTER_HOME is {given or home}: this folder cannot be made ({error.strerror}): name "
            "one where Dagster can keep its history"
        ) from error
    if not given:
        _copy_settings(PROJECT_ROOT / "dagster.yaml", home / "dagster.yaml")
        _tell_dagster(home, PROJECT_ROOT / ".env")
    os.environ[_HOME] = str(home)
    return home


def _copy_settings(source: Path, target: Path) -> None:
    """Copy what has changed, at once: other processes may be reading it."""
    settings = source.read_bytes()
    if not target.exists() or target.read_bytes() != settings:
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.write_bytes(settings)
        draft.replace(target)


def make_folders_absolute() -> None:
    """Let processes that are started in another folder find the same experiments and data."""
    for variable in _FOLDERS:
        os.environ[variable] = str(_folder(variable))


def _tell_dagster(home: Path, file: Path) -> None:
    """Name the folder in the file from which Dagster's commands take environment variables.

    Other lines stay, and so does a ``DAGSTER_HOME`` that the user has written there.
    """
    # What is set in the environment wins, as it does for the project's own commands.
    ours = f"{_HOME}=${{{_HOME}:-"
    line = f"{ours}{home}}}"
    anything: dict[str, str] = {"encoding": "utf-8", "errors": "surrogateescape"}
    before = file.read_text(**anything) if file.exists() else _ENV_FILE
    lines = before.splitlines()
    named = [one for one in lines if one.removeprefix("export ").startswith(f"{_HOME}=")]
    if not named:
        lines.append(line)
    lines = [line if one.startswith(ours) else one for one in lines]
    if (after := "\n".join(lines) + "\n") != before:
        file.write_text(after, **anything)


def _folder(variable: str) -> Path:
    return _absolute(os.environ.get(variable) or str(PROJECT_ROOT / _FOLDERS[variable]), variable)


def _absolute(path: str, variable: str) -> Path:
    try:
        found = Path(path).expanduser().resolve()
        found.exists()  # which tells whether it can be a path at all
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{variable} is {path[:100]!r}: this is no folder ({why}): correct it, or unset it"
        ) from error
    return found
