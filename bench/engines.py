"""How well our client keeps a vLLM server busy.

Three measurements in one run, on the same model and the same prompts:

(a) vLLM alone: offline ``LLM.generate`` on all prompts at once, tokens/s;
(b) our engine end to end: the managed server and the asynchronous client, tokens/s;
(c) the extension of the same responses on that server: our stages against a plain pool of 32
    blocking OpenAI clients that repeats whole records, as the paper's scripts do, in accepted
    extended words per second.

    python bench/engines.py --experiment demo_vllm --requests 256 --responses 96
"""

import argparse
import asyncio
import concurrent.futures
import json
import multiprocessing
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from openai import OpenAI
from transformers import AutoTokenizer

from sl_dagster.assets.loop.round_stage1 import ExtendHalf
from sl_dagster.assets.loop.round_stage2 import ExtendWhole
from sl_dagster.assets.stage.run import StageRun, base_model
from sl_dagster.experiment import Experiment, Sampling, VllmSettings, load_experiment
from sl_dagster.inputs.instructions import read_instructions
from sl_dagster.inputs.seeds import read_seed_instructions
from sl_dagster.method.filters import drop_reason
from sl_dagster.method.paragraphs import first_half, first_two_thirds
from sl_dagster.method.prompts import Message
from sl_dagster.method.words import count_words
from sl_dagster.paths import experiments_dir
from sl_dagster.resources.engines import Completion, Request
from sl_dagster.resources.engines.vllm_engine import VllmEngine
from sl_dagster.resources.engines.vllm_options import SERVED_NAME
from sl_dagster.resources.named import resources_in
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.stage_store import StageKey, StageStore

WORKERS = 32
RETRIES = 20


def main() -> None:
    """Run the three measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="demo_vllm")
    parser.add_argument("--requests", type=int, default=256)
    parser.add_argument("--responses", type=int, default=96)
    arguments = parser.parse_args()
    experiment = load_experiment(experiments_dir() / f"{arguments.experiment}.yaml")
    instructions = some_instructions(experiment, arguments.requests)
    sampling = experiment.sampling.overlaid(experiment.initial_responses.sampling)

    alone = vllm_alone(experiment, instructions, sampling)
    assert isinstance(experiment.engine, VllmSettings)
    engine = VllmEngine(experiment.served, experiment.engine)
    with asyncio.Runner() as loop:
        requests = [
            Request(Message(role="user", content=text), sampling, seed, base_model(experiment))
            for seed, text in enumerate(instructions)
        ]
        loop.run(engine.complete(requests[0]))  # start the server
        ours, answers = loop.run(our_client(engine, requests))
    responses = good_responses(instructions, answers)[: arguments.responses]
    # The engine wants one event loop, and the stage runner has its own: another server, equal.
    engine.close()
    extended = our_extension(experiment, responses)
    plain = plain_pool(experiment, responses)
    print(
        json.dumps(
            {
                "a_vllm_alone_tokens_per_s": round(alone),
                "b_our_client_tokens_per_s": round(ours),
                "b_over_a": round(ours / alone, 3),
                "c_responses": len(responses),
                "c_ours": extended,
                "c_plain_pool": plain,
                "c_ours_over_plain": round(extended["words_per_s"] / plain["words_per_s"], 2),
            },
            indent=2,
        )
    )


def some_instructions(experiment: Experiment, count: int) -> list[str]:
    """Seeds and held-out instructions, repeated until there are enough."""
    seeds = read_seed_instructions(experiment.seeds, experiment.languages)
    lines = [seed.line for seed in seeds]
    if experiment.heldout:
        lines += read_instructions(experiment.heldout.file, experiment.languages)
    texts = [line.instruction for line in lines]
    return [texts[number % len(texts)] for number in range(count)]


def vllm_alone(experiment: Experiment, instructions: list[str], sampling: Sampling) -> float:
    """Tokens/s of offline generation, in a process of its own."""
    queue: multiprocessing.Queue[float] = multiprocessing.get_context("spawn").Queue()
    process = multiprocessing.get_context("spawn").Process(
        target=_generate_offline, args=(experiment, instructions, sampling, queue)
    )
    process.start()
    speed = queue.get()
    # vLLM's own processes keep it from ending by itself.
    for one in [*psutil.Process(process.pid).children(recursive=True), process]:
        one.kill()
    process.join()
    return speed


def _generate_offline(
    experiment: Experiment, instructions: list[str], sampling: Sampling, queue: Any
) -> None:
    import os

    assert isinstance(experiment.engine, VllmSettings)
    os.environ.update(experiment.engine.environment)
    from vllm import LLM, SamplingParams  # pyright: ignore[reportMissingImports]

    tokenizer = AutoTokenizer.from_pretrained(experiment.base_model)
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
        )
        for text in instructions
    ]
    parameters = [
        SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            repetition_penalty=sampling.repetition_penalty,
            max_tokens=sampling.max_tokens,
            seed=seed,
        )
        for seed in range(len(prompts))
    ]
    options = experiment.engine.options
    model = LLM(model=experiment.base_model, enable_lora=True, max_lora_rank=16, **options)
    model.generate(prompts[:1], parameters[:1], use_tqdm=False)
    start = time.monotonic()
    outputs = model.generate(prompts, parameters, use_tqdm=False)
    seconds = time.monotonic() - start
    answers = [output.outputs[0] for output in outputs]
    # As our client counts: without the token that ends a turn.
    tokens = sum(len(answer.token_ids) - (answer.finish_reason == "stop") for answer in answers)
    queue.put(tokens / seconds)


async def our_client(engine: VllmEngine, requests: list[Request]) -> tuple[float, list[Completion]]:
    """Tokens/s of our engine, with as many requests in flight as it wants, and the answers."""
    allowed = asyncio.Semaphore(engine.concurrency)

    async def one(request: Request) -> Completion:
        async with allowed:
            return await engine.complete(request)

    start = time.monotonic()
    answers = await asyncio.gather(*map(one, requests))
    return sum(answer.tokens for answer in answers) / (time.monotonic() - start), answers


def good_responses(instructions: list[str], answers: list[Completion]) -> list[Text]:
    """The answers that pass the filter, as initial responses."""
    return [
        Text(
            record_id=f"response-{position}",
            experiment="bench",
            iteration=1,
            stage="initial_responses",
            position=position,
            language="en",
            instruction=instruction,
            text=answer.text.strip(),
        )
        for position, (instruction, answer) in enumerate(zip(instructions, answers, strict=True))
        if drop_reason(answer.text, "en", finish_reason=answer.finish_reason) is None
    ]


def our_extension(experiment: Experiment, responses: list[Text]) -> dict[str, float]:
    """Accepted extended words per second of our stages, all rounds of them."""
    only_once = experiment.extension.model_copy(update={"samples": 1})
    experiment = experiment.model_copy(update={"extension": only_once})
    with tempfile.TemporaryDirectory() as folder:
        resources: dict[str, Any] = resources_in(Path(folder))
        warm_up(resources, experiment)
        start = time.monotonic()
        records = responses
        for number in range(1, experiment.extension.rounds + 1):
            for stage in (ExtendHalf(experiment, number), ExtendWhole(experiment, number)):
                records = our_stage(resources, stage, records)
        seconds = time.monotonic() - start
        resources["session"].close()
    return accepted(experiment, [(r.initial_response or "", r.text) for r in records], seconds)


def our_stage(
    resources: dict[str, Any], stage: ExtendHalf | ExtendWhole, source: list[Text]
) -> list[Text]:
    """One stage of one round, as its asset runs it."""
    stages: StageStore = resources["stages"]
    experiment = stage.experiment
    key = StageKey(experiment.name, stage.inputs[0], 1)
    with stages.draft(key, "bench", Text) as draft:
        for record in source:
            draft.add(record)
        given = stages.make_current(draft.finish({}))
    names = ("session", "stages", "adapters", "lengths", "trainer")
    run = StageRun(
        key=StageKey(experiment.name, stage.name, 1),
        experiment=experiment,
        inputs={key.stage: given, "previous_extender": base_model(experiment, "extender")},
        run_id="bench",
        say=print,
        warn=print,
        report=print,
        force=True,
        **{name: resources[name] for name in names},
    )
    return list(stages.make_current(stage.in_run(run).stored()).records(Text))


def warm_up(resources: dict[str, Any], experiment: Experiment) -> None:
    """Start the server."""
    record = Text(
        record_id="warm-up",
        experiment=experiment.name,
        iteration=1,
        stage="initial_responses",
        position=0,
        language="en",
        instruction="Write a story.",
        text="A story.",
    )
    our_stage(resources, ExtendHalf(experiment, 1), [record])


def plain_pool(experiment: Experiment, responses: list[Text]) -> dict[str, float]:
    """Accepted extended words per second of 32 blocking workers that repeat whole records."""
    assert isinstance(experiment.engine, VllmSettings)
    engine = VllmEngine(experiment.served, experiment.engine)
    with asyncio.Runner() as loop:
        loop.run(engine.get_ready())
        server = engine.server
        client = OpenAI(base_url=server.url, api_key=server.api_key, max_retries=2)
        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            texts = list(pool.map(lambda r: extend_record(client, experiment, r), responses))
        seconds = time.monotonic() - start
        engine.close()
    pairs = [(response.text, text) for response, text in zip(responses, texts, strict=True)]
    return accepted(experiment, pairs, seconds)


def extend_record(client: OpenAI, experiment: Experiment, response: Text) -> str:
    """All calls for one record, all over again until it has grown."""
    draw = random.Random(response.record_id)
    initial = response.text
    for _ in range(RETRIES):
        best = extend_once(client, experiment, str(response.instruction), initial, draw)
        if count_words(best) > experiment.extension.growth * count_words(initial):
            return best
    return initial


def extend_once(
    client: OpenAI, experiment: Experiment, instruction: str, initial: str, draw: random.Random
) -> str:
    """All rounds of both stages."""
    best = initial
    for _ in range(experiment.extension.rounds):
        prefix = first_two_thirds(
            ask(client, experiment, instruction, first_half(best), "", draw)[0]
        )
        text, finish = ask(client, experiment, instruction, best, prefix, draw)
        text = prefix + text
        if drop_reason(text, "en", finish_reason=finish) is None:
            best = max(best, text, key=count_words)
    return best


def ask(
    client: OpenAI,
    experiment: Experiment,
    instruction: str,
    response: str,
    begun: str,
    draw: random.Random,
) -> tuple[str, str]:
    """One blocking call of the Extender; text and finish reason."""
    sampling = experiment.sampling.overlaid(experiment.extension.sampling)
    messages: list[Any] = [experiment.prompts_by_language["en"].extension(instruction, response)]
    extra: dict[str, Any] = {"top_k": sampling.top_k}
    if begun:
        messages.append({"role": "assistant", "content": begun})
        extra |= {"continue_final_message": True, "add_generation_prompt": False}
    rate = experiment.extension.max_tokens_per_input_word
    limit = int(rate * count_words(response)) + 64 if rate else sampling.max_tokens
    answer = client.chat.completions.create(
        model=SERVED_NAME,
        messages=messages,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=min(limit, sampling.max_tokens),
        seed=draw.randrange(2**31),
        extra_body=extra,
    )
    return answer.choices[0].message.content or "", str(answer.choices[0].finish_reason)


def accepted(
    experiment: Experiment, pairs: list[tuple[str, str]], seconds: float
) -> dict[str, float]:
    """How much of (initial, extended) has grown enough, per second."""
    grown = [
        count_words(text)
        for initial, text in pairs
        if count_words(text) > experiment.extension.growth * count_words(initial)
    ]
    return {
        "accepted": len(grown),
        "words": sum(grown),
        "seconds": round(seconds, 1),
        "words_per_s": round(sum(grown) / seconds, 1),
    }


if __name__ == "__main__":
    main()
