"""How far a work is: as figures for a program, and as a line that a person can read.

Both travel in one message of a run's log: the line is its text, and the figures are an attribute of
the log record, from which a terminal makes a bar.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

_ATTRIBUTE = "progress"  # of a log record
_SECONDS_UNTIL_SLOWER = 100
_TIMES_SLOWER = 12


@dataclass(frozen=True)
class Progress:
    """How far a work is.

    Attributes:
        done: how much of it.
        total: of how much.
        details: what else there is to say of it.
        unit: what is counted, if that is not records.
    """

    done: int
    total: int
    details: str
    unit: str = ""

    def __str__(self) -> str:
        counted = f"{self.done}/{self.total}"
        counted = f"{self.unit} {counted}" if self.unit else f"{counted} done"
        return f"{counted}, {self.details}"


def log_progress(log: logging.Logger, progress: Progress) -> None:
    """Say in a log how far a work is."""
    log.info(str(progress), extra={_ATTRIBUTE: progress})


def progress_in(record: logging.LogRecord) -> Progress | None:
    """How far a work is, if that is what a log record says."""
    return getattr(record, _ATTRIBUTE, None)


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


class RecordsDone:
    """Counts finished records and reports now and then: done, accepted, tokens/s, time left.

    Attributes:
        tokens: tokens generated since the start.
    """

    def __init__(
        self,
        report: Callable[[Progress], None],
        total: int,
        done: int = 0,
        every_seconds: float = 5.0,
    ) -> None:
        """Start counting.

        Args:
            report: is told how far the work is.
            total: number of records to finish.
            done: how many an earlier run has already finished.
            every_seconds: the least time between two reports.
        """
        self.tokens = 0
        self._report = report
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
            self._report(self._progress())

    def _progress(self) -> Progress:
        new = self._done - self._done_before
        left = self.seconds / new * (self._total - self._done)
        speed = self.tokens / max(self.seconds, 1e-9)
        details = f"{self._accepted}/{new} accepted, {speed:,.0f} tokens/s, {duration(left)} left"
        return Progress(self._done, self._total, details)


def duration(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
