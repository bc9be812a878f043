"""What the lengths database has still to be told: noted before a stage appears, until it is there.

A note outlives a run that is killed and a database that somebody keeps open, so that readers know
that the database is behind, and the next writer what to add.
"""

import json
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from sl_dagster import durable
from sl_dagster.identity import fingerprint
from sl_dagster.resources.storage.stage_key import StageKey

_FOLDER = ".lengths-pending"


@dataclass(frozen=True)
class KnownAdapter:
    """Where an adapter comes from: a row of the table ``adapters``."""

    experiment: str
    iteration: int
    role: str
    fingerprint: str


class Pending:
    """The notes of a data folder, one small file each.

    Two writers never lose each other's: each removes the very files that it has read.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / _FOLDER

    def __bool__(self) -> bool:
        return self._folder.is_dir() and any(self._folder.glob("*.json"))

    def note(self, what: StageKey | KnownAdapter) -> None:
        """Remember that the database must be told of a stage or an adapter."""
        self._folder.mkdir(parents=True, exist_ok=True)
        content = {type(what).__name__: asdict(what)}
        # Its name is the same again if this is killed here.
        draft = self._folder / f"{fingerprint(content)}.new"
        draft.write_text(json.dumps(content), encoding="utf-8")
        # It is gone if another run that notes the same has just made a note of it.
        with suppress(FileNotFoundError):
            durable.replace(draft, self._folder / f"{uuid.uuid4().hex}.json")

    def read(self) -> dict[Path, StageKey | KnownAdapter | None]:
        """All notes by their files; None for one that cannot be read any more."""
        return {path: _read(path) for path in sorted(self._folder.glob("*.json"))}

    def settle(self, files: list[Path]) -> None:
        """Forget notes: the database has been told."""
        for file in files:
            file.unlink(missing_ok=True)


def _read(path: Path) -> StageKey | KnownAdapter | None:
    kinds = {kind.__name__: kind for kind in (StageKey, KnownAdapter)}
    try:
        ((kind, values),) = json.loads(path.read_text(encoding="utf-8")).items()
        return kinds[kind](**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
