"""How far a work is."""

import logging
from itertools import pairwise

import pytest

from sl_dagster import progress as progress_module
from sl_dagster.progress import Pace, Progress, RecordsDone, duration, log_progress, progress_in


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (3725, "1:02:05")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_end_is_always_reported() -> None:
    said: list[Progress] = []
    progress = RecordsDone(said.append, total=3, done=1, every_seconds=1000)
    progress.tokens += 50
    progress.finished(accepted=True)
    assert said == []
    progress.finished(accepted=False)
    assert [(one.done, one.total) for one in said] == [(3, 3)]
    assert str(said[0]).startswith("3/3 done, 1/2 accepted, ")


def test_reports_do_not_come_faster_than_asked() -> None:
    said: list[Progress] = []
    progress = RecordsDone(said.append, total=1000, every_seconds=0)
    for _ in range(10):
        progress.finished(accepted=True)
    assert len(said) == 10


def test_a_long_work_is_reported_less_and_less_often(monkeypatch) -> None:
    now = 0.0
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now)
    pace = Pace(every_seconds=5)
    reported = []
    for second in range(1, 36_001):
        now = float(second)
        if pace.due(last=False):
            reported.append(second)
    apart = [after - before for before, after in pairwise(reported)]
    assert reported[0] == 5 and apart[0] == 5
    assert apart[-1] == 60
    assert apart == sorted(apart)
    assert len(reported) < 700, "ten hours of work"


def test_a_log_carries_figures_and_a_line(caplog: pytest.LogCaptureFixture) -> None:
    log, progress = logging.getLogger("work"), Progress(3, 40, "loss 1.500, 1:01 left", "step")
    with caplog.at_level(logging.INFO):
        log_progress(log, progress)
        log.info("3/4 done, of something else")
    first, second = caplog.records
    assert (first.getMessage(), progress_in(first)) == (
        "step 3/40, loss 1.500, 1:01 left",
        progress,
    )
    assert progress_in(second) is None
