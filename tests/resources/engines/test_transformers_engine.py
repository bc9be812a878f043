"""What only the transformers engine does: sharing memory, and loading models in this process."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import Qwen2Config

from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.resources.engines import Completion, Engine, open_engine
from tests.conftest import DEMO_MODEL
from tests.families import Family, build_model
from tests.resources.engines.conftest import GREEDY, TOPICS, complete, request

pytestmark = pytest.mark.integration


@pytest.fixture
def engine(open_engines: Callable[[str], Engine]) -> Engine:
    return open_engines("transformers")


def test_memory_can_be_released_in_between(engine: Engine) -> None:
    before = complete(engine, request(TOPICS[3], GREEDY))
    engine.release()
    assert complete(engine, request(TOPICS[3], GREEDY)) == before


def test_a_model_that_cannot_be_loaded_is_named(experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    broken = experiment.model_copy(update={"base_model": str(tmp_path)})
    engine = open_engine(broken.served)
    with pytest.raises(UserError, match=f"base_model: {tmp_path} cannot be loaded"):
        complete(engine, request(TOPICS[0]))
    engine.close()


def test_a_tokenizer_without_a_chat_template_is_named(
    experiment: Experiment, tmp_path: Path
) -> None:
    for path in DEMO_MODEL.iterdir():
        if path.suffix != ".jinja":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    engine = open_engine(experiment.model_copy(update={"base_model": str(tmp_path)}).served)
    with pytest.raises(UserError, match="has no chat template"):
        complete(engine, request(TOPICS[0]))
    engine.close()


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("<think>A lamp?</think>\n\nIt shone.", "It shone."),
        ("[THINK]A lamp?[/THINK]It shone.", "It shone."),
        ("<ponder>A lamp?</ponder>It shone.", "It shone."),
        ("[THINK]A lamp? Which", ""),
        ("It shone.", "It shone."),
    ],
)
def test_what_the_model_thinks_is_taken_off(
    experiment: Experiment, tmp_path: Path, written: str, text: str
) -> None:
    """By marks that are plain text, that are special tokens, and that only its template knows."""
    thoughts = (
        "{%- if m.reasoning_content -%}{{- '<ponder>' + m.reasoning_content + '</ponder>' -}}"
        "{%- endif -%}"
    )
    template = (
        "{%- for m in messages -%}{{- '[' + m.role + ']' -}}" + thoughts + "{{- m.content + '</s>'"
        " -}}{%- endfor -%}{%- if add_generation_prompt -%}{{- '[assistant]' -}}{%- endif -%}"
    )
    special = ("</s>", "[THINK]", "[/THINK]")
    build_model(Family(Qwen2Config, template, special, "</s>"), tmp_path / "model")
    thinking = experiment.model_copy(update={"base_model": str(tmp_path / "model")})
    engine = open_engine(thinking.served)
    try:
        (answer,) = complete(engine, request(TOPICS[0], GREEDY, choices=(written,)))
    finally:
        engine.close()
    assert answer.text == text
    assert answer.tokens > len(text.split())


def test_closing_ends_what_waits(experiment: Experiment) -> None:
    engine = open_engine(experiment.served)
    requests = [request(TOPICS[0], seed=seed) for seed in range(50 * engine.concurrency)]

    async def close_after_the_first() -> list[Completion | BaseException]:
        waiting = [asyncio.ensure_future(engine.complete(one)) for one in requests]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.to_thread(engine.close)
        return await asyncio.gather(*waiting, return_exceptions=True)

    answers = asyncio.run(close_after_the_first())
    assert isinstance(answers[-1], asyncio.CancelledError)
    assert any(isinstance(answer, Completion) for answer in answers)
