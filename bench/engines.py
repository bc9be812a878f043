"""How well our client keeps a vLLM server busy.

Two measurements in one run, on the same model and the same prompts:

(a) vLLM alone: offline ``LLM.generate`` on all prompts at once, tokens/s;
(b) our engine end to end: the managed server and the asynchronous client, tokens/s.

    python bench/engines.py --experiment demo_vllm --requests 256

What the stages make of it, beside the paper's way to ask, is measured by ``bench/chain.py``.
"""

import argparse
import asyncio
import json
import multiprocessing
import time
from typing import Any

import psutil
from transformers import AutoTokenizer

from sl_dagster.assets.stage.run import base_model
from sl_dagster.experiment import Experiment, Sampling, VllmSettings, load_experiment
from sl_dagster.inputs.instructions import read_instructions
from sl_dagster.inputs.seeds import read_seed_instructions
from sl_dagster.method.prompts import Message
from sl_dagster.paths import experiments_dir
from sl_dagster.resources.engines import Completion, Request
from sl_dagster.resources.engines.vllm_engine import VllmEngine


def main() -> None:
    """Run both measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="demo_vllm")
    parser.add_argument("--requests", type=int, default=256)
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
        ours = loop.run(our_client(engine, requests))
        engine.close()
    print(
        json.dumps(
            {
                "a_vllm_alone_tokens_per_s": round(alone),
                "b_our_client_tokens_per_s": round(ours),
                "b_over_a": round(ours / alone, 3),
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


async def our_client(engine: VllmEngine, requests: list[Request]) -> float:
    """Tokens/s of our engine, with as many requests in flight as it wants."""
    allowed = asyncio.Semaphore(engine.concurrency)

    async def one(request: Request) -> Completion:
        async with allowed:
            return await engine.complete(request)

    start = time.monotonic()
    answers = await asyncio.gather(*map(one, requests))
    return sum(answer.tokens for answer in answers) / (time.monotonic() - start)


if __name__ == "__main__":
    main()
