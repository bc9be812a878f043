"""Where things lie: experiment files, data, and Dagster's own history.

Environment variables move each of them; without any, everything lies in the project's folder.
"""

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from sl_dagster.errors import UserError

PROJECT_ROOT = Path(__file__).resolve().parent.parent


def experiments_dir() -> Path:
    """The folder whose YAML files are the experiments (``SL_DAGSTER_EXPERIMENTS``)."""
    return _folder("SL_DAGSTER_EXPERIMENTS", "experiments")


def data_dir() -> Path:
    """The folder that holds every artifact and ``lengths.duckdb`` (``SL_DAGSTER_DATA``)."""
    return _folder("SL_DAGSTER_DATA", "data")


def lineage_address() -> str:
    """Where the lineage view is to be found, without a final slash (``SL_DAGSTER_LINEAGE``).

    Asset pages link to it. The variable is for a view that is reached through a proxy or at
    another port than the usual one.
    """
    return os.environ.get("SL_DAGSTER_LINEAGE", "http://127.0.0.1:3001").rstrip("/")


def web_ui_address() -> str:
    """Where Dagster's web UI is to be found, without a final slash (``SL_DAGSTER_UI``).

    The lineage view links back to it. `sl-dagster ui` knows where it listens itself; the variable
    is for a web UI that is reached through a proxy or was started in another way.
    """
    return os.environ.get("SL_DAGSTER_UI", "http://127.0.0.1:3000").rstrip("/")


def lineage_port() -> int:
    """The port of that address, at which the lineage view listens."""
    parts = urlsplit(lineage_address())
    try:
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError) as error:
        raise UserError(
            f"SL_DAGSTER_LINEAGE is {lineage_address()!r}: it must be an address with a port, such "
            "as http://127.0.0.1:3002"
        ) from error
    return port


def ensure_dagster_home() -> Path:
    """Point ``DAGSTER_HOME`` at a folder that lasts, holding the project's instance settings.

    A ``DAGSTER_HOME`` that the user has set is left as it is.
    """
    if "DAGSTER_HOME" in os.environ:
        home = Path(os.environ["DAGSTER_HOME"])
        home.mkdir(parents=True, exist_ok=True)
        return home
    home = PROJECT_ROOT / ".dagster"
    home.mkdir(exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable, PROJECT_ROOT / default)).resolve()
