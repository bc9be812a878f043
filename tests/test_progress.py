"""Progress lines."""

import pytest

from sl_dagster.progress import Progress, duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (3725, "1:02:05")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_end_is_always_reported() -> None:
    said: list[str] = []
    progress = Progress(said.append, total=3, done=1, every_seconds=1000)
    progress.tokens += 50
    progress.finished(accepted=True)
    assert said == []
    progress.finished(accepted=False)
    assert len(said) == 1
    assert said[0].startswith("3/3 done, 1/2 accepted, ")


def test_reports_do_not_come_faster_than_asked() -> None:
    said: list[str] = []
    progress = Progress(said.append, total=1000, every_seconds=0)
    for _ in range(10):
        progress.finished(accepted=True)
    assert len(said) == 10
