"""What every engine must do, with the miniature model through the real engines."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from sl_dagster.errors import UserError
from sl_dagster.experiment import Sampling
from sl_dagster.method.quality import quality_schema, read_scores
from sl_dagster.resources.adapters import CONFIG_FILE, WEIGHTS_FILE, Adapter
from sl_dagster.resources.engines import Engine
from tests.conftest import DEMO_MODEL
from tests.resources.engines.conftest import BASE, GREEDY, LOOP, SAMPLED, TOPICS, complete, request

pytestmark = pytest.mark.integration


def test_a_turn_ends_by_itself_and_is_counted(engine: Engine) -> None:
    long = GREEDY.model_copy(update={"max_tokens": 400})
    (answer,) = complete(engine, request(TOPICS[0], long))
    assert answer.finish_reason == "stop"
    assert 10 < answer.tokens < 400
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL)
    assert answer.tokens == len(tokenizer(answer.text, add_special_tokens=False)["input_ids"])
    assert answer.prompt_tokens > 5
    assert "<|im_end|>" not in answer.text
    assert "copper lantern" in answer.text


def test_the_token_limit_cuts_off(engine: Engine) -> None:
    (answer,) = complete(engine, request(TOPICS[0], GREEDY.model_copy(update={"max_tokens": 7})))
    assert (answer.finish_reason, answer.tokens) == ("length", 7)


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
    assert answer.finish_reason == "stop_string", "which is no end of the turn"


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED])
@pytest.mark.parametrize("choices", [("yes", "no"), ("是", "否"), ("Mara", "Mara Quill", "nobody")])
def test_the_answer_is_one_of_the_choices(
    engine: Engine, sampling: Sampling, choices: tuple[str, ...]
) -> None:
    free = complete(engine, request(TOPICS[0], sampling))[0]
    requests = [request(topic, sampling, choices=choices) for topic in TOPICS]
    answers = complete(engine, *requests, request(TOPICS[0], sampling))
    assert {answer.text for answer in answers[:-1]} <= set(choices)
    assert {answer.finish_reason for answer in answers} == {"stop", free.finish_reason}
    assert answers[-1] == free, "others may say what they like"


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED])
@pytest.mark.parametrize("choices", [("yes", "no"), ("Mara", "Mara Quill", "nobody")])
def test_a_choice_has_a_probability(
    engine: Engine, sampling: Sampling, choices: tuple[str, ...]
) -> None:
    graded = [
        request("the copper lantern", sampling, seed, choices=choices, graded=True)
        for seed in range(12)
    ]
    plain = request("the copper lantern", sampling, choices=choices)
    *answers, ungraded = complete(engine, *graded, plain)
    assert ungraded.probability is None
    probabilities: dict[str, list[float]] = {}
    for answer in answers:
        assert answer.probability is not None and 0 < answer.probability <= 1
        probabilities.setdefault(answer.text, []).append(answer.probability)
    for found in probabilities.values():
        assert found == pytest.approx([found[0]] * len(found), rel=0.02), "it is the model's own"
    total = sum(found[0] for found in probabilities.values())
    assert total == pytest.approx(1, abs=0.02) or len(probabilities) < len(choices)
    assert total <= 1.02
    if sampling is GREEDY and len(choices) == 2:
        assert answers[0].probability >= 0.5  # pyright: ignore[reportOptionalOperand]


def test_probabilities_are_the_models_own(engine: Engine) -> None:
    """The first tokens of two choices, as the model itself weighs them."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL)
    asked = request("the copper lantern", GREEDY, choices=("The", "A"), graded=True)
    prompt = tokenizer.apply_chat_template(
        [dict(asked.message)], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    with torch.inference_mode():
        logits = model(**prompt).logits[0, -1]
    ids = [tokenizer(choice, add_special_tokens=False)["input_ids"] for choice in asked.choices]
    assert all(len(one) == 1 for one in ids), "each is one token"
    expected = logits[[one[0] for one in ids]].softmax(dim=0)
    (answer,) = complete(engine, asked)
    share = float(expected[asked.choices.index(answer.text)])
    assert answer.probability == pytest.approx(share, abs=0.02)


def test_choices_follow_a_begun_turn(engine: Engine) -> None:
    (answer,) = complete(engine, request(TOPICS[0], GREEDY, begun="Once", choices=(" upon", "!")))
    assert answer.text in (" upon", "!")


def test_answers_come_as_they_finish(engine: Engine) -> None:
    async def in_order() -> list[int]:
        order: list[int] = []

        async def ask(limit: int) -> None:
            sampling = GREEDY.model_copy(update={"max_tokens": limit})
            await engine.complete(request(TOPICS[0], sampling))
            order.append(limit)

        await asyncio.gather(*(ask(limit) for limit in (40, 3, 20)))
        return order

    # On a crowded machine this process may see several answers at once, but not every time.
    assert any(LOOP.run(in_order()) == [3, 20, 40] for _ in range(20))


def test_more_requests_than_fit_are_all_answered(engine: Engine) -> None:
    short = SAMPLED.model_copy(update={"max_tokens": 3})
    count = engine.concurrency * 2
    answers = complete(engine, *(request(TOPICS[0], short, seed) for seed in range(count)))
    assert len(answers) == count
    assert {answer.tokens for answer in answers} == {3}


def test_many_long_prompts_come_at_once(engine: Engine) -> None:
    """More tokens than an engine reads in one go."""
    sampling = SAMPLED.model_copy(update={"max_tokens": 4})
    long = "the " * 1000
    requests = [request(f"{long} {topic}", sampling, seed) for seed, topic in enumerate(TOPICS * 4)]
    assert all(completion.tokens for completion in complete(engine, *requests))


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


def test_a_prompt_longer_than_the_context_is_truncated_not_fatal(engine: Engine) -> None:
    topic = "the copper lantern " * 3000
    (answer,) = complete(engine, request(topic, GREEDY))
    assert answer.finish_reason == "length"


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED])
def test_the_answer_is_json_of_the_schema(engine: Engine, sampling: Sampling) -> None:
    free = complete(engine, request(TOPICS[0], sampling))[0]
    patient = sampling.model_copy(update={"max_tokens": 400})
    requests = [request(topic, patient, json_schema=quality_schema()) for topic in TOPICS]
    *answers, other = complete(engine, *requests, request(TOPICS[0], sampling))
    assert all(read_scores(answer.text) for answer in answers)
    assert {answer.finish_reason for answer in answers} == {"stop"}
    assert other == free, "others may say what they like"
