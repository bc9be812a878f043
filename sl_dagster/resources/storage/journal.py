"""The journal of a running stage: finished records, appended as they come, so a kill loses none."""

import json
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sl_dagster.errors import UserError
from sl_dagster.resources.records import Record

# A line is a JSON list: the slot, its attempts, tokens and seconds of its work, and a checksum of
# what stands before it. Journals of earlier versions lack the last one or two of these.
_CHECKSUM = re.compile(rb', "([0-9a-f]{8})"\]\n$')


@dataclass(frozen=True)
class Outcome:
    """What a stage must know of every finished slot at once, without holding its texts.

    Attributes:
        kept: the final attempt was good enough.
        characters: length of its text.
    """

    kept: bool
    characters: int


@dataclass(frozen=True)
class Work:
    """What it has taken to fill slots.

    Attributes:
        tokens: generated tokens, those of failed attempts included.
        seconds: the time that passed.
    """

    tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        """Both together."""
        return Work(self.tokens + other.tokens, self.seconds + other.seconds)


class Journal:
    """An append-only file with one line per finished slot of a stage.

    A slot is one record's place in a stage; its line holds every attempt made for it, the final one
    last. A line that a kill left unfinished is cut off when the journal is opened again, and one
    that is damaged is passed over: its slot is unfinished, and all others stay.

    Attributes:
        outcomes: the finished slots by id.
        work: what they have taken, all runs together.
        damaged: the numbers of the lines that were passed over, the first being 1.
    """

    def __init__(self, path: Path, kind: type[Record]) -> None:
        """Open a journal of this kind of records, taking over what an interrupted run wrote."""
        self.path = path
        self._kind = kind
        self.outcomes: dict[str, Outcome] = {}
        self.work = Work()
        self.damaged: list[int] = []
        self._offsets: dict[str, int] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered, so that no half-written line waits in the process when the disk is full.
        self._writer = path.open("ab", buffering=0)
        self._reader = path.open("rb")
        self._end = self._take_over()
        os.truncate(path, self._end)

    def append(self, slot_id: str, attempts: list[Record], work: Work | None = None) -> None:
        """Write a finished slot; once this returns, killing the process cannot lose it.

        Args:
            slot_id: which one.
            attempts: all that were made for it, the final one last.
            work: what it has taken since the slot before; nothing if no model was asked.

        Raises:
            OSError: the line could not be written whole; the lines before it are still good.
        """
        rows = [record.as_row() for record in attempts]
        work = work or Work()
        parts = [slot_id, rows, [work.tokens, round(work.seconds, 3)]]
        content = json.dumps(parts, ensure_ascii=False).encode().removesuffix(b"]")
        line = content + b', "%08x"]\n' % zlib.crc32(content)
        try:
            written = 0
            while written < len(line):
                written += self._writer.write(line[written:])
        except OSError:
            os.truncate(self.path, self._end)
            raise
        self._remember(slot_id, attempts[-1], work, self._end)
        self._end += len(line)

    def read(self, slot_id: str) -> list[Record]:
        """All attempts of a finished slot, the final one last.

        Raises:
            UserError: its line is not where it was written.
        """
        self._reader.seek(self._offsets[slot_id])
        try:
            found, rows, _ = _parsed(self._reader.readline())
            if found != slot_id:
                raise ValueError(f"it is that of {found}")
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{self.path}: the line of {slot_id} is not what was written ({error}): the disk "
                "is damaged, or another run writes there. Run again when there is none"
            ) from error
        return [self._kind.from_row(row) for row in rows]

    def close(self) -> None:
        """Close the file; it stays on disk for the next run."""
        self._writer.close()
        self._reader.close()

    def _take_over(self) -> int:
        end = 0
        for number, line in enumerate(self._reader, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                slot_id, rows, work = _parsed(line)
                self._remember(slot_id, self._kind.from_row(rows[-1]), work, end)
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
                self.damaged.append(number)
            end += len(line)
        return end

    def _remember(self, slot_id: str, final: Record, work: Work, offset: int) -> None:
        self._offsets[slot_id] = offset
        self.outcomes[slot_id] = Outcome(final.kept, final.characters)
        self.work += work


def _parsed(line: bytes) -> tuple[str, list[dict[str, Any]], Work]:
    """Slot, attempts and work of a line.

    Raises:
        ValueError: it is not what was written.
    """
    slot_id, rows, *rest = json.loads(line)
    if rest:
        found = _CHECKSUM.search(line)
        if not found or int(found[1], 16) != zlib.crc32(line[: found.start()]):
            raise ValueError("the checksum differs")
    tokens, seconds = rest[0] if len(rest) > 1 else (0, 0.0)
    return slot_id, rows, Work(tokens, seconds)
