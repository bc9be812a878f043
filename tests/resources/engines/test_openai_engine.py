"""The client of endpoints: asking again, and endpoints that know no more than the standard."""

import json
import math
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import tenacity

from sl_dagster.errors import UserError
from sl_dagster.experiment import Sampling
from sl_dagster.resources.engines import Engine, health, open_engine
from sl_dagster.resources.engines.openai_engine import OpenAIEngine
from tests.conftest import DEMO_MODEL
from tests.resources.engines.conftest import (
    SAMPLED,
    TOPICS,
    complete,
    mini_experiment,
    on_endpoints,
    request,
)

PLAIN = Sampling(temperature=1.0, top_k=0, repetition_penalty=1.0, max_tokens=9, stop=())


class Endpoint(ThreadingHTTPServer):
    """An endpoint that speaks OpenAI's language, ignores what it does not know, and stumbles.

    Attributes:
        status: of the next answers to requests, first to last; 200 when it is empty.
        asked: bodies of the requests.
        message: what its messages have besides, or instead.
        knows: fields beyond the standard that it checks.
        answer: fields of the answers that are other than usual.
        model: what it says of its model besides the name.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status: list[int] = []
        self.asked: list[dict[str, Any]] = []
        self.knows: set[str] = set()
        self.adapters = True
        self.message: dict[str, Any] = {}
        self.answer: dict[str, Any] = {}
        self.model: dict[str, Any] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Answer(BaseHTTPRequestHandler):
    server: Endpoint

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        model = {"id": "plain", "object": "model"} | self.server.model
        self.reply(200, {"object": "list", "data": [model]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("load_lora_adapter"):
            return self.reply(400 if self.server.adapters else 404, {"error": {"message": "no"}})
        if len(body.get("stop") or ()) > 4:
            return self.reply(400, {"error": {"message": "stop: at most 4"}})
        if self.server.knows & body.keys() and body["messages"][0]["content"] == "Hello.":
            return self.reply(400, {"error": {"message": "impossible"}})
        self.server.asked.append(body)
        status = self.server.status.pop(0) if self.server.status else 200
        message = {"role": "assistant", "content": f"answer {len(self.server.asked)}"}
        message |= self.server.message
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        choice = {"index": 0, "message": message, "finish_reason": "stop"} | self.server.answer
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "plain"}
        content = answer | {"choices": [choice], "usage": usage}
        return self.reply(status, content if status == 200 else {"error": {"message": "oh"}})

    def reply(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    server.knows = {
        "continue_final_message", "top_k", "repetition_penalty", "structured_outputs",
    }  # fmt: skip
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()


@pytest.fixture
def connect(endpoint: Endpoint, tmp_path: Path, monkeypatch) -> Callable[..., Engine]:
    """Opens an engine on the endpoint that does not wait long before asking again."""
    monkeypatch.setattr(tenacity, "wait_random_exponential", lambda **_: tenacity.wait_none())

    def opened(**settings: Any) -> Engine:
        engine = {"model": "plain", **settings.pop("engine", {})}
        return on_endpoints(tmp_path, [endpoint.url], engine, **settings)

    return opened


@pytest.mark.parametrize("status", [[500], [429, 503, 500]])
def test_passing_errors_are_asked_again(
    endpoint: Endpoint, connect: Callable[..., Engine], status: list[int]
) -> None:
    engine = connect()
    said: list[str] = []
    engine.say = said.append
    endpoint.status = [*status]
    (answer,) = complete(engine, request(TOPICS[0], PLAIN))
    assert answer.text == f"answer {len(status) + 1}"
    assert (answer.tokens, answer.prompt_tokens, answer.finish_reason) == (2, 3, "stop")
    assert len(said) == len(status)


def test_who_never_answers_is_named(
    endpoint: Endpoint, connect: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_FIRST_PAUSE", 0.01)
    engine = connect()
    endpoint.status = [500] * 50
    with pytest.raises(UserError, match=rf"no endpoint answers any more \({endpoint.url}\): .*oh"):
        complete(engine, request(TOPICS[0], PLAIN))
    words = [body["messages"][0]["content"] for body in endpoint.asked]
    assert words.index("Hello.") == 3, "after three stumbles it is only looked after"
    assert set(words[3:]) == {"Hello."}


def test_a_refusal_is_not_asked_again(endpoint: Endpoint, connect: Callable[..., Engine]) -> None:
    engine = connect()
    endpoint.status = [400]
    with pytest.raises(UserError, match="refuses the request"):
        complete(engine, request(TOPICS[0], PLAIN))
    assert len(endpoint.asked) == 1


def test_extensions_are_sent_only_where_they_are_needed(
    endpoint: Endpoint, connect: Callable[..., Engine]
) -> None:
    engine = connect()
    complete(engine, request(TOPICS[0], PLAIN))
    assert not {"top_k", "repetition_penalty", "continue_final_message"} & endpoint.asked[-1].keys()
    stopping = SAMPLED.model_copy(update={"stop": ("x",), "repetition_penalty": 1.2})
    complete(engine, request(TOPICS[0], stopping, begun="Once"))
    asked = endpoint.asked[-1]
    assert (asked["top_k"], asked["repetition_penalty"], asked["stop"]) == (50, 1.2, ["x"])
    assert (asked["continue_final_message"], asked["add_generation_prompt"]) == (True, False)
    assert asked["messages"][-1] == {"role": "assistant", "content": "Once"}


def test_the_experiments_chat_is_sent(endpoint: Endpoint, connect: Callable[..., Engine]) -> None:
    complete(connect(), request(TOPICS[0], PLAIN))
    assert len(endpoint.asked[-1]["messages"]) == 1
    assert "chat_template_kwargs" not in endpoint.asked[-1]
    endpoint.knows |= {"chat_template_kwargs"}
    engine = connect(system_prompt="Be brief.", chat_template_kwargs={"enable_thinking": False})
    complete(engine, request(TOPICS[0], PLAIN, begun="Once"))
    asked = endpoint.asked[-1]
    assert asked["chat_template_kwargs"] == {"enable_thinking": False}
    assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
    assert [message["role"] for message in asked["messages"]] == ["system", "user", "assistant"]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"reasoning_content": "A lamp?", "content": "It shone."}, "It shone."),
        ({"reasoning": "A lamp?", "content": "It shone."}, "It shone."),
        ({"content": "<think>\nA lamp?\n</think>\n\nIt shone."}, "It shone."),
        ({"content": "A lamp?</think>It shone."}, "It shone."),
        ({"content": "<think>\nA lamp? Which"}, ""),
        ({"reasoning": "A lamp? Which", "content": None}, ""),
    ],
)
def test_what_the_model_thinks_is_taken_off(
    endpoint: Endpoint, connect: Callable[..., Engine], message: dict[str, Any], text: str
) -> None:
    endpoint.message = message
    assert complete(connect(), request(TOPICS[0], PLAIN))[0].text == text


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_what_goes_on_with_a_text_is_no_thought(
    endpoint: Endpoint, connect: Callable[..., Engine], name: str
) -> None:
    endpoint.message = {name: " it shone.", "content": None}
    assert complete(connect(), request(TOPICS[0], PLAIN, begun="Once"))[0].text == " it shone."


def test_a_template_that_does_not_suit_the_loop_is_refused_before_anything_is_asked(
    endpoint: Endpoint, connect: Callable[..., Engine], tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(DEMO_MODEL, model)
    template = (DEMO_MODEL / "chat_template.jinja").read_text()
    begins = "<|im_start|>assistant\n{% endif %}"
    assert template.endswith(begins)
    thinking = template.removesuffix(begins) + begins.replace("{%", "<think>\n{%")
    (model / "chat_template.jinja").write_text(thinking)
    with pytest.raises(UserError, match="chat_template_kwargs: the chat template begins"):
        complete(connect(base_model=str(model)), request(TOPICS[0], PLAIN))
    assert endpoint.asked == []


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [
        ("continue_final_message", "does not know begun assistant turns"),
        ("top_k", "does not know sampling.top_k: set it to 0"),
        ("repetition_penalty", "does not know sampling.repetition_penalty: set it to 1.0"),
        ("chat_template_kwargs", "does not know chat_template_kwargs: use a vLLM endpoint"),
    ],
)
def test_an_endpoint_without_an_extension_is_refused_before_the_first_record(
    endpoint: Endpoint, connect: Callable[..., Engine], unknown: str, expected: str
) -> None:
    endpoint.knows = (endpoint.knows | {"chat_template_kwargs"}) - {unknown}
    engine = connect(chat_template_kwargs={"enable_thinking": False})
    with pytest.raises(UserError, match=expected):
        complete(engine, request(TOPICS[0], PLAIN))
    assert {body["messages"][0]["content"] for body in endpoint.asked} == {"Hello."}


def test_an_extension_that_is_not_used_need_not_be_known(
    endpoint: Endpoint, connect: Callable[..., Engine]
) -> None:
    endpoint.knows = {"continue_final_message"}
    engine = connect(sampling={"top_k": 0, "repetition_penalty": 1.0})
    assert complete(engine, request(TOPICS[0], PLAIN))[0].text


def test_an_endpoint_that_cannot_load_adapters_is_refused(
    endpoint: Endpoint, connect: Callable[..., Engine]
) -> None:
    endpoint.adapters = False
    with pytest.raises(UserError, match="cannot load LoRA adapters while it runs"):
        complete(connect(), request(TOPICS[0], PLAIN))


@pytest.mark.parametrize("root", ["/models/other", str(DEMO_MODEL)])
def test_a_model_that_goes_by_another_name_is_mentioned(
    endpoint: Endpoint, connect: Callable[..., Engine], root: str
) -> None:
    endpoint.model = {"owned_by": "vllm", "root": root}
    engine = connect()
    said: list[str] = []
    engine.say = said.append
    assert complete(engine, request(TOPICS[0], PLAIN))[0].text
    mentioned = [line for line in said if f"was started with the model {root}, and" in line]
    assert len(mentioned) == (root == "/models/other")


def test_repetition_detection_must_be_known_or_off(connect: Callable[..., Engine]) -> None:
    engine = connect(engine={"repetition_detection": {"min_count": 3}})
    with pytest.raises(UserError, match=r"engine\.repetition_detection: set it to null"):
        complete(engine, request(TOPICS[0], PLAIN))


@pytest.mark.parametrize("known", [True, False])
def test_choices_are_sent_to_who_knows_them(
    endpoint: Endpoint, connect: Callable[..., Engine], known: bool
) -> None:
    if not known:
        endpoint.knows.remove("structured_outputs")
    engine = connect()
    said: list[str] = []
    engine.say = said.append
    (answer,) = complete(engine, request(TOPICS[0], PLAIN, choices=("yes", "no")))
    assert answer.text.startswith("answer")
    sent = endpoint.asked[-1].get("structured_outputs")
    assert sent == ({"choice": ["yes", "no"]} if known else None)
    assert any("does not know structured_outputs" in line for line in said) is not known


def step(token: str, **shares: float) -> dict[str, Any]:
    """A token with its probability and its alternatives', as an endpoint gives them."""
    options = [{"token": name, "logprob": math.log(share)} for name, share in shares.items()]
    return {"token": token, "logprob": math.log(shares[token]), "top_logprobs": options}


@pytest.mark.parametrize(
    ("text", "steps", "probability"),
    [
        ("yes", [step("yes", yes=0.3, no=0.1, maybe=0.6)], 0.75),
        ("yes", [step("yes", yes=0.3, y=0.2, no=0.1, n=0.2)], 0.75),
        ("yes", [step("y", y=0.3, no=0.1), step("es", es=0.9, ellow=0.1)], 0.75),
        ("no", [step("no", yes=0.3, no=0.1)], 0.25),
        ("no", [step("no", no=0.5), step("</s>", **{"</s>": 0.6, "body": 0.4})], 0.6),
        ("no", [{"token": "no", "logprob": -0.1, "top_logprobs": []}], None),
        ("no", [], None),
        ("Yes, of course", [step("Yes", Yes=0.9)], None),
    ],
)
def test_how_probable_a_choice_was(
    endpoint: Endpoint,
    connect: Callable[..., Engine],
    text: str,
    steps: list[dict[str, Any]],
    probability: float | None,
) -> None:
    endpoint.answer = {"message": {"role": "assistant", "content": text}}
    engine, choices = connect(), ("yes", "no", "nobody")
    asked = request(TOPICS[0], PLAIN, choices=choices, graded=True)
    assert complete(engine, asked)[0].probability is None, "it does not say"
    endpoint.answer["logprobs"] = {"content": steps}
    found = complete(engine, asked)[0].probability
    assert found == (probability and pytest.approx(probability))
    assert endpoint.asked[-1]["top_logprobs"] == 20
    assert complete(engine, request(TOPICS[0], PLAIN, choices=choices))[0].probability is None
    assert "logprobs" not in endpoint.asked[-1]


def test_in_flight_by_default_and_by_setting(connect: Callable[..., Engine]) -> None:
    assert isinstance(engine := connect(), OpenAIEngine)
    assert engine.concurrency == 128
    assert connect(engine={"max_in_flight": 7}).concurrency == 7


def test_a_judge_needs_no_more_than_the_standard(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.knows = {"response_format"}
    endpoint.adapters = False
    settings = {"type": "openai", "base_urls": [endpoint.url]}
    judge = {"model": "plain", "engine": settings}
    served = mini_experiment(tmp_path, judge=judge).served_judge
    engine = open_engine(served)
    said: list[str] = []
    engine.say = said.append
    schema = {"type": "object"}
    complete(engine, request(TOPICS[0], served.samplings[0], json_schema=schema))
    asked = endpoint.asked[-1]
    assert asked["response_format"]["json_schema"]["schema"] == schema
    assert asked.keys() == {
        "model", "messages", "temperature", "top_p", "seed", "stop", "max_tokens",
        "response_format",
    }  # fmt: skip
    assert said == []


def test_an_endpoint_that_does_not_know_json_schemas_is_mentioned(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.knows = set()
    judge = {"model": "plain", "engine": {"type": "openai", "base_urls": [endpoint.url]}}
    served = mini_experiment(tmp_path, judge=judge).served_judge
    engine = open_engine(served)
    said: list[str] = []
    engine.say = said.append
    complete(engine, request(TOPICS[0], served.samplings[0]))
    assert any("does not know response_format" in line for line in said)


@pytest.mark.parametrize(
    ("says", "stop", "finish_reason", "tokens"),
    [
        ({"stop_reason": None}, ("x",), "stop", 1),  # vLLM counts the token that ends a turn
        ({"stop_reason": 7}, ("x",), "stop", 1),
        ({"stop_reason": "x"}, ("x",), "stop_string", 2),
        ({}, ("x",), "unknown", 2),
        ({}, (), "stop", 2),
        ({"finish_reason": "length"}, ("x",), "length", 2),
    ],
)
def test_the_end_of_a_turn_and_a_stop_string_are_told_apart(
    endpoint: Endpoint, connect: Callable[..., Engine], says, stop, finish_reason, tokens
) -> None:
    endpoint.answer = says
    sampling = PLAIN.model_copy(update={"stop": stop})
    (answer,) = complete(connect(), request(TOPICS[0], sampling))
    assert (answer.finish_reason, answer.tokens) == (finish_reason, tokens)


def test_an_endpoint_that_takes_few_stop_strings_is_refused(connect: Callable[..., Engine]) -> None:
    engine = connect(sampling={**PLAIN.model_dump(), "stop": ["a", "b", "c", "d"]})
    with pytest.raises(UserError, match="does not take 5 stop strings: leave at most 3"):
        complete(engine, request(TOPICS[0], PLAIN))
