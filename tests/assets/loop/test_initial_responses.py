"""What the response filter makes of an answer."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from sl_dagster.assets.loop.initial_responses import response_attempt
from sl_dagster.experiment import Sampling, load_experiment
from sl_dagster.method.filters import Language
from sl_dagster.method.prompts import Message
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Completion, Request
from sl_dagster.resources.records import Record
from sl_dagster.resources.stage_runner import Slot


@pytest.mark.parametrize(
    ("language", "answer", "finish_reason", "preset", "reason"),
    [
        ("en", "It is done.", "stop", "default", None),
        ("en", "It is done.", "length", "default", "truncated"),
        ("en", "It is done.", "length", "reference", None),
        ("en", "写完了（真的）", "stop", "default", "wrong_language"),
        ("zh", "It is done.", "stop", "default", "wrong_language"),
        ("zh", "It is done.", "stop", "reference", "unfinished"),
    ],
)
def test_an_answer_keeps_the_reason_that_drops_it(
    write_experiment: Callable[..., Path],
    language: Language,
    answer: str,
    finish_reason,
    preset: str,
    reason: str | None,
) -> None:
    experiment = load_experiment(write_experiment(filter={"preset": preset}))
    blank = Record(
        record_id="a", experiment="e", iteration=1, stage="s", position=0, language=language
    )
    request = Request(
        Message(role="user", content="Write."), Sampling(), 1, Adapter("generator", "base-1")
    )

    async def ask(_: Request) -> Completion:
        return Completion(f" {answer}\n", 5, 10, finish_reason)

    record = asyncio.run(response_attempt(experiment, Slot(blank, blank), request, ask))
    assert (record.text, record.finish_reason) == (answer, finish_reason)
    assert (record.kept, record.drop_reason) == (reason is None, reason)
