"""What our plugin makes of vLLM's speed on a CPU, without an adapter and with one.

Seeds with a text of so many words each are given to the Extender to be lengthened, first by a
server that leaves the plugin out and then by one that has it, each time by the base model and by an
adapter of random weights. Prints tokens/s of the four, and the seconds that each server took to
start.

    SL_DAGSTER_EXPERIMENTS=smollm2/experiments python bench/vllm_cpu.py \
        --experiment smollm2_135m --requests 64
"""

import argparse
import asyncio
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from sl_dagster.assets.stage.run import base_model
from sl_dagster.experiment import Experiment, VllmSettings, load_experiment
from sl_dagster.inputs.seeds import read_seed_instructions
from sl_dagster.paths import PROJECT_ROOT, experiments_dir
from sl_dagster.resources.adapters import Adapter, adapter_fingerprint
from sl_dagster.resources.engines import Engine, Request, open_engine
from sl_dagster.resources.engines.vllm_engine import VllmEngine

TOKENS = 300
RANK = 16


def main() -> None:
    """Measure all four and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="smollm2_135m")
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--words", type=int, default=400)
    arguments = parser.parse_args()
    experiment = load_experiment(experiments_dir() / f"{arguments.experiment}.yaml")
    base = base_model(experiment, "extender")
    with tempfile.TemporaryDirectory() as folder:
        adapter = random_adapter(experiment, Path(folder))
        requests = {
            name: some_requests(experiment, model, arguments.requests, arguments.words)
            for name, model in (("base model", base), ("adapter", adapter))
        }
        for plugin in (False, True):
            speeds = measure(experiment, requests, plugin)
            print(json.dumps({"plugin": plugin, **speeds}), flush=True)


def random_adapter(experiment: Experiment, folder: Path) -> Adapter:
    """An adapter that does something, in a folder."""
    model = AutoModelForCausalLM.from_pretrained(experiment.base_model)
    shape = LoraConfig(r=RANK, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(model, shape).save_pretrained(str(folder))
    return Adapter("extender", adapter_fingerprint(folder), str(folder), iteration=1)


def some_requests(
    experiment: Experiment, adapter: Adapter, count: int, words: int
) -> list[Request]:
    """Seeds, each with another part of the project's documentation as the text to lengthen."""
    seeds = read_seed_instructions(experiment.seeds, ("en",))
    text = " ".join(path.read_text() for path in sorted(PROJECT_ROOT.glob("docs/*.md"))).split()
    prompts = experiment.prompts_by_language["en"]
    sampling = experiment.sampling_of("extension").model_copy(update={"max_tokens": TOKENS})

    def request(number: int) -> Request:
        begin = number * words % (len(text) - words)
        given = " ".join(text[begin : begin + words])
        message = prompts.extension(seeds[number % len(seeds)].line.instruction, given)
        return Request(message, sampling, number, adapter)

    return [request(number) for number in range(count)]


def measure(
    experiment: Experiment, requests: dict[str, list[Request]], plugin: bool
) -> dict[str, float]:
    """Seconds to start, and tokens/s of each kind of requests, with or without our plugin."""
    settings = experiment.engine
    assert isinstance(settings, VllmSettings)
    if not plugin:
        environment = {**settings.environment, "VLLM_PLUGINS": ""}
        settings = settings.model_copy(update={"environment": environment})
    engine = open_engine(replace(experiment.served, engine=settings, lora_rank=RANK))
    assert isinstance(engine, VllmEngine)
    with asyncio.Runner() as loop:
        start = time.monotonic()
        loop.run(engine.get_ready())
        speeds = {"start": round(time.monotonic() - start, 1)}
        for name, some in requests.items():
            loop.run(engine.complete(some[0]))  # load the adapter
            start = time.monotonic()
            answers = loop.run(all_of(engine, some))
            speeds[name] = round(sum(answers) / (time.monotonic() - start))
        engine.close()
    return speeds


async def all_of(engine: Engine, requests: list[Request]) -> list[int]:
    """The tokens of each answer, all asked for at once."""
    answers = await asyncio.gather(*map(engine.complete, requests))
    return [answer.tokens for answer in answers]


if __name__ == "__main__":
    main()
