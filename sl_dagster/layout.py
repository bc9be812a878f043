"""The version of a data folder's layout: what a later one has stored is refused, never misread."""

import json
import uuid
from pathlib import Path

from sl_dagster import durable
from sl_dagster.errors import UserError

LAYOUT = 1
"""That of this version. A change that earlier versions would misread raises it, and migrates."""

_FILE = "layout.json"  # folders of versions that had none are of the first layout


def check_layout(data_dir: Path) -> None:
    """See that a data folder can be read.

    Raises:
        UserError: a later version of the project has stored in it, or its note of that is damaged.
    """
    file = data_dir / _FILE
    try:
        found = json.loads(file.read_text(encoding="utf-8"))["layout"]
        if not isinstance(found, int):
            raise ValueError("it names no number")
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}; make it readable") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{file} is damaged ({error}): write {json.dumps({'layout': LAYOUT})} into it if this "
            "version of sl-dagster has written the folder"
        ) from error
    if found > LAYOUT:
        raise UserError(
            f"{data_dir}: a later version of sl-dagster has stored here (layout {found}; this one "
            f"knows {LAYOUT}): update sl-dagster, or keep the data in another folder "
            "(SL_DAGSTER_DATA)"
        )


def note_layout(data_dir: Path) -> None:
    """Note the layout in a folder that has no note yet.

    Raises:
        OSError: it cannot be written.
    """
    file = data_dir / _FILE
    if not file.exists():
        # Runs that begin at the same moment each write a draft of their own.
        new = data_dir / f".{_FILE}.{uuid.uuid4().hex}"
        new.write_text(json.dumps({"layout": LAYOUT}), encoding="utf-8")
        durable.replace(new, file)
