"""What the response filter makes of an answer."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sl_dagster.assets.loop.initial_responses import InitialResponses
from sl_dagster.assets.stage.slot import Slot
from sl_dagster.experiment import load_experiment
from sl_dagster.method.language import Language
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Completion, Request
from sl_dagster.resources.records import Text

IDENTITY: dict[str, Any] = {
    "record_id": "a",
    "experiment": "e",
    "iteration": 1,
    "stage": "s",
    "position": 0,
    "language": "en",
}


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
    identity: dict[str, Any] = {**IDENTITY, "language": language}
    task = InitialResponses(experiment)
    task.writer = Adapter("generator", "base-1")
    slot = Slot(identity, Text(**identity, text="Write."))

    async def ask(_: Request) -> Completion:
        return Completion(f" {answer}\n", 5, 10, finish_reason)

    record = asyncio.run(task.attempt(slot, 1, ask))
    assert (record.text, record.finish_reason) == (answer, finish_reason)
    assert (record.kept, record.drop_reason) == (reason is None, reason)
    assert record.commentary is None


@pytest.mark.parametrize(("preset", "cuts"), [("default", True), ("reference", False)])
def test_what_the_model_says_about_its_writing_is_cut_off(
    write_experiment: Callable[..., Path], preset: str, cuts: bool
) -> None:
    task = InitialResponses(load_experiment(write_experiment(filter={"preset": preset})))
    task.writer = Adapter("generator", "base-1")
    before, text = "Here is your story:", "The bridge was old.\n\nThe mill was older still."
    after = "I hope this story meets your needs!"
    written = f"{before}\n\n{text}\n\n{after}"

    async def ask(_: Request) -> Completion:
        return Completion(written, 100, 10, "stop")

    record = asyncio.run(task.attempt(Slot(IDENTITY, Text(**IDENTITY, text="Write.")), 1, ask))
    if cuts:
        assert record.kept
        assert (record.text, record.commentary) == (text, {"before": before, "after": after})
        assert record.tokens == round(100 * len(text) / len(written))
    else:
        assert (record.text, record.tokens, record.commentary) == (written, 100, None)
