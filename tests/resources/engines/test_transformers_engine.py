"""What only the transformers engine does: sharing memory, and loading models in this process."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.resources.engines import Completion, Engine, open_engine
from tests.conftest import DEMO_MODEL
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
