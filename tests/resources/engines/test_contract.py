"""What every engine must do, with the miniature model through the real engine."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from sl_dagster.adapters import CONFIG_FILE, WEIGHTS_FILE, Adapter, adapter_fingerprint
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, Sampling, load_experiment
from sl_dagster.method.prompts import Message
from sl_dagster.resources.engines import Completion, Engine, Request, open_engine
from tests.conftest import DEMO_MODEL

pytestmark = pytest.mark.integration

BASE = Adapter("generator", "base-1")
SAMPLED = Sampling(
    temperature=1.0, top_p=0.95, top_k=50, repetition_penalty=1.0, max_tokens=40, stop=()
)
GREEDY = SAMPLED.model_copy(update={"temperature": 0.0})
TOPICS = ("the copper lantern", "Mara Quill", "the old mill", "the grey heron", "the salt fair")


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    folder = tmp_path_factory.mktemp("experiment")
    (folder / "seeds.jsonl").write_text("")
    path = folder / "mini.yaml"
    path.write_text(json.dumps({"base_model": str(DEMO_MODEL), "seeds": "seeds.jsonl"}))
    return load_experiment(path)


@pytest.fixture(scope="module")
def engine(experiment: Experiment) -> Iterator[Engine]:
    engine = open_engine(experiment)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def make_adapter(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Adapter]:
    """Makes LoRA adapters with random weights, strong enough to change what is written."""

    def make(seed: int) -> Adapter:
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, dtype=torch.float32)
        lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
        folder = tmp_path_factory.mktemp(f"adapter{seed}")
        get_peft_model(model, lora).save_pretrained(str(folder))
        return Adapter("generator", adapter_fingerprint(folder), str(folder), 1)

    return make


def request(topic: str, sampling: Sampling = SAMPLED, seed: int = 1, **more) -> Request:
    message = Message(role="user", content=f"Write a story about {topic}.")
    return Request(message, sampling, seed, **({"adapter": BASE} | more))


def complete(engine: Engine, *requests: Request) -> list[Completion]:
    """All requests at the same time; answers in their order."""

    async def all_of_them() -> list[Completion]:
        return await asyncio.gather(*(engine.complete(one) for one in requests))

    return asyncio.run(all_of_them())


def test_a_turn_ends_by_itself_and_is_counted(engine: Engine) -> None:
    long = GREEDY.model_copy(update={"max_tokens": 400})
    (answer,) = complete(engine, request(TOPICS[0], long))
    assert answer.finish_reason == "stop"
    assert not answer.truncated
    assert 10 < answer.tokens < 400
    assert answer.prompt_tokens > 5
    assert "<|im_end|>" not in answer.text
    assert "copper lantern" in answer.text


def test_the_token_limit_cuts_off(engine: Engine) -> None:
    (answer,) = complete(engine, request(TOPICS[0], GREEDY.model_copy(update={"max_tokens": 7})))
    assert (answer.finish_reason, answer.truncated, answer.tokens) == ("length", True, 7)


def test_seeds_decide_the_text(engine: Engine) -> None:
    requests = [request(TOPICS[0], seed=seed) for seed in (1, 2, 1)]
    first, second, third = (answer.text for answer in complete(engine, *requests))
    assert first == third != second


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED])
def test_a_text_does_not_depend_on_its_neighbours(engine: Engine, sampling: Sampling) -> None:
    requests = [
        request(topic, sampling.model_copy(update={"max_tokens": 10 + 15 * n}), seed=n)
        for n, topic in enumerate(TOPICS)
    ]
    together = complete(engine, *requests)
    alone = [complete(engine, one)[0] for one in requests]
    assert together == alone


def test_each_request_samples_its_own_way(engine: Engine) -> None:
    alone = complete(engine, request(TOPICS[1], GREEDY))[0].text
    mixed = complete(
        engine, request(TOPICS[1]), request(TOPICS[1], GREEDY, seed=9), request(TOPICS[2])
    )
    assert mixed[1].text == alone
    assert mixed[0].text != alone


def test_a_begun_turn_is_continued(engine: Engine) -> None:
    whole = complete(engine, request(TOPICS[0], GREEDY))[0].text
    begun = whole[: len(whole) // 2].rpartition(" ")[0]
    (rest,) = complete(engine, request(TOPICS[0], GREEDY, begun=begun))
    assert not rest.text.startswith(begun)
    shared = min(len(whole) - len(begun), len(rest.text))
    assert rest.text[:shared] == whole[len(begun) :][:shared]


def test_stop_strings_end_the_text_and_are_left_out(engine: Engine) -> None:
    whole = complete(engine, request(TOPICS[0], GREEDY))[0].text
    stop = whole[20:26]
    stopping = GREEDY.model_copy(update={"stop": ("never to be found", stop)})
    (answer,) = complete(engine, request(TOPICS[0], stopping))
    assert answer.text == whole.partition(stop)[0]
    assert answer.finish_reason == "stop"


def test_answers_come_as_they_finish(engine: Engine) -> None:
    order: list[int] = []

    async def ask(limit: int) -> None:
        await engine.complete(request(TOPICS[0], GREEDY.model_copy(update={"max_tokens": limit})))
        order.append(limit)

    async def all_of_them() -> None:
        await asyncio.gather(*(ask(limit) for limit in (40, 3, 20)))

    asyncio.run(all_of_them())
    assert order == [3, 20, 40]


def test_more_requests_than_fit_are_all_answered(engine: Engine) -> None:
    short = SAMPLED.model_copy(update={"max_tokens": 3})
    count = engine.concurrency * 2
    answers = complete(engine, *(request(TOPICS[0], short, seed) for seed in range(count)))
    assert len(answers) == count
    assert {answer.tokens for answer in answers} == {3}


def test_adapters_are_switched_on_the_same_base_model(
    engine: Engine, make_adapter: Callable[[int], Adapter]
) -> None:
    first, second = make_adapter(1), make_adapter(2)
    before = complete(engine, request(TOPICS[0], GREEDY))[0].text
    adapters = [first, BASE, second, first, BASE]
    mixed = complete(engine, *(request(TOPICS[0], GREEDY, adapter=a) for a in adapters))
    texts = [answer.text for answer in mixed]
    assert texts[1] == texts[4] == before
    assert texts[0] == texts[3]
    assert len({texts[0], texts[2], before}) == 3


@pytest.mark.parametrize("damage", ["weights", "config", "missing"])
def test_a_damaged_adapter_is_refused_and_the_engine_goes_on(
    engine: Engine, make_adapter: Callable[[int], Adapter], damage: str
) -> None:
    adapter = make_adapter(3)
    folder = Path(str(adapter.path))
    if damage == "weights":
        weights = bytearray((folder / WEIGHTS_FILE).read_bytes())
        weights[-1] ^= 0xFF
        (folder / WEIGHTS_FILE).write_bytes(weights)
    elif damage == "config":
        (folder / CONFIG_FILE).write_text("{")
    else:
        (folder / WEIGHTS_FILE).unlink()
    with pytest.raises(UserError, match=r"generator_lora|previous_generator"):
        complete(engine, request(TOPICS[0], adapter=adapter))
    assert complete(engine, request(TOPICS[0], GREEDY))[0].text


def test_memory_can_be_released_in_between(engine: Engine) -> None:
    before = complete(engine, request(TOPICS[3], GREEDY))
    engine.release()
    assert complete(engine, request(TOPICS[3], GREEDY)) == before


def test_a_model_that_cannot_be_loaded_is_named(experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    broken = experiment.model_copy(update={"base_model": str(tmp_path)})
    engine = open_engine(broken)
    with pytest.raises(UserError, match=f"base_model: {tmp_path} cannot be loaded"):
        complete(engine, request(TOPICS[0]))
    engine.close()


def test_a_tokenizer_without_a_chat_template_is_named(
    experiment: Experiment, tmp_path: Path
) -> None:
    for path in DEMO_MODEL.iterdir():
        if path.suffix != ".jinja":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    engine = open_engine(experiment.model_copy(update={"base_model": str(tmp_path)}))
    with pytest.raises(UserError, match="has no chat template"):
        complete(engine, request(TOPICS[0]))
    engine.close()


def test_a_prompt_longer_than_the_context_is_truncated_not_fatal(engine: Engine) -> None:
    topic = "the copper lantern " * 3000
    (answer,) = complete(engine, request(topic, GREEDY))
    assert answer.truncated


def test_closing_ends_what_waits(experiment: Experiment) -> None:
    engine = open_engine(experiment)
    requests = [request(TOPICS[0], seed=seed) for seed in range(50 * engine.concurrency)]

    async def close_after_the_first() -> list[Completion | BaseException]:
        waiting = [asyncio.ensure_future(engine.complete(one)) for one in requests]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.to_thread(engine.close)
        return await asyncio.gather(*waiting, return_exceptions=True)

    answers = asyncio.run(close_after_the_first())
    assert isinstance(answers[-1], asyncio.CancelledError)
    assert any(isinstance(answer, Completion) for answer in answers)
