"""Telling a person how far a stage is, at a rate that can be read.

A line of progress begins with how much is done of how much; the run's log shows it as it is, and a
terminal can turn it into a bar (``progress_of``).
"""

import re
import time
from collections.abc import Callable

_LINE = re.compile(r"(?:step )?(\d+)/(\d+)(?: done)?, (.*)")
_SECONDS_UNTIL_SLOWER = 100
_TIMES_SLOWER = 12


class Pace:
    """Says when a report is due: often in the beginning, so that one sees it work, then less.

    With the default, every 5 seconds at first and once a minute in a work that takes hours.
    """

    def __init__(self, every_seconds: float = 5.0) -> None:
        """Start counting; ``every_seconds`` lie at least between two reports."""
        self._every = every_seconds
        self._start = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self._start

    def due(self, last: bool) -> bool:
        """Whether to report now; what is last is always reported."""
        now = time.monotonic()
        slower = min(_TIMES_SLOWER, max(1.0, (now - self._start) / _SECONDS_UNTIL_SLOWER))
        if now - self._last < self._every * slower and not last:
            return False
        self._last = now
        return True


class Progress:
    """Counts finished records and reports now and then: done, accepted, tokens/s, time left.

    Attributes:
        tokens: tokens generated since the start.
    """

    def __init__(
        self, say: Callable[[str], None], total: int, done: int = 0, every_seconds: float = 5.0
    ) -> None:
        """Start counting.

        Args:
            say: takes one line of text.
            total: number of records to finish.
            done: how many an earlier run has already finished.
            every_seconds: the least time between two reports.
        """
        self.tokens = 0
        self._say = say
        self._total = total
        self._done_before = done
        self._done = done
        self._accepted = 0
        self._pace = Pace(every_seconds)

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return self._pace.seconds

    def finished(self, accepted: bool) -> None:
        """Count one record."""
        self._done += 1
        self._accepted += accepted
        if self._pace.due(last=self._done == self._total):
            self._say(self._line())

    def _line(self) -> str:
        new = self._done - self._done_before
        left = self.seconds / new * (self._total - self._done)
        return (
            f"{self._done}/{self._total} done, {self._accepted}/{new} accepted, "
            f"{self.tokens / max(self.seconds, 1e-9):,.0f} tokens/s, {duration(left)} left"
        )


def training_line(step: int, steps: int, loss: float, left: float) -> str:
    """How far a training is; ``left`` is in seconds."""
    return f"step {step}/{steps}, loss {loss:.3f}, {duration(left)} left"


def progress_of(line: str) -> tuple[int, int, str] | None:
    """How much of how much is done, and what else a line says; None if it is no progress."""
    found = _LINE.fullmatch(line)
    return (int(found[1]), int(found[2]), found[3]) if found else None


def duration(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
