"""Telling a person how far a stage is, at a rate that can be read."""

import time
from collections.abc import Callable


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
        self._every = every_seconds
        self._start = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self._start

    def finished(self, accepted: bool) -> None:
        """Count one record."""
        self._done += 1
        self._accepted += accepted
        now = time.monotonic()
        if now - self._last >= self._every or self._done == self._total:
            self._last = now
            self._say(self._line())

    def _line(self) -> str:
        new = self._done - self._done_before
        left = self.seconds / new * (self._total - self._done)
        return (
            f"{self._done}/{self._total} done, {self._accepted}/{new} accepted, "
            f"{self.tokens / max(self.seconds, 1e-9):,.0f} tokens/s, {duration(left)} left"
        )


def duration(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
