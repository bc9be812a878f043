"""The journal of a running stage: finished records, appended as they come, so a kill loses none."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from sl_dagster.resources.records import Record, record_from_row


@dataclass(frozen=True)
class Outcome:
    """What a stage must know of every finished slot at once, without holding its texts.

    Attributes:
        kept: the final attempt was good enough.
        characters: length of its text.
    """

    kept: bool
    characters: int


class Journal:
    """An append-only file with one line per finished slot of a stage.

    A slot is one record's place in a stage; its line holds every attempt made for it, the final one
    last. A line that a kill left unfinished is cut off when the journal is opened again.

    Attributes:
        outcomes: the finished slots by id.
    """

    def __init__(self, path: Path) -> None:
        """Open a journal, taking over what an earlier, interrupted run wrote."""
        self.path = path
        self.outcomes: dict[str, Outcome] = {}
        self._offsets: dict[str, int] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered, so that no half-written line waits in the process when the disk is full.
        self._writer = path.open("ab", buffering=0)
        self._reader = path.open("rb")
        self._end = self._take_over()
        os.truncate(path, self._end)

    def append(self, slot_id: str, attempts: list[Record]) -> None:
        """Write a finished slot; once this returns, killing the process cannot lose it.

        Raises:
            OSError: the line could not be written whole; the lines before it are still good.
        """
        rows = [record.as_row() for record in attempts]
        line = json.dumps([slot_id, rows], ensure_ascii=False).encode() + b"\n"
        try:
            written = 0
            while written < len(line):
                written += self._writer.write(line[written:])
        except OSError:
            os.truncate(self.path, self._end)
            raise
        self._remember(slot_id, attempts[-1], self._end)
        self._end += len(line)

    def read(self, slot_id: str) -> list[Record]:
        """All attempts of a finished slot, the final one last."""
        self._reader.seek(self._offsets[slot_id])
        return [record_from_row(row) for row in json.loads(self._reader.readline())[1]]

    def close(self) -> None:
        """Close the file; it stays on disk for the next run."""
        self._writer.close()
        self._reader.close()

    def _take_over(self) -> int:
        end = 0
        for line in self._reader:
            try:
                slot_id, rows = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n"):
                break
            self._remember(slot_id, record_from_row(rows[-1]), end)
            end += len(line)
        return end

    def _remember(self, slot_id: str, final: Record, offset: int) -> None:
        self._offsets[slot_id] = offset
        self.outcomes[slot_id] = Outcome(final.kept, final.characters)
