"""Which wording of the extension prompt a model works with best.

The same responses are extended once with each wording, both stages and a single try each. Shown
for each: the share of the outputs that pass the filter and are longer, by how much, accepted words
per generated token, and why the others were dropped.

    SL_DAGSTER_EXPERIMENTS=smollm2/experiments python bench/wordings.py \
        --experiment smollm2_135m --responses 60 bench/wordings/*.yaml

With ``--texts FILE`` all outputs are written there, one JSON object per line, to be read.
"""

import argparse
import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, TextIO

from asking import CountingEngine, Response, initial_responses

from sl_dagster.assets.stage.run import base_model
from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.identity import seed_from
from sl_dagster.method.extension import extension_drop_reason, prefix_drop_reason
from sl_dagster.method.paragraphs import first_half, first_two_thirds
from sl_dagster.method.prompts import Prompts, read_prompts
from sl_dagster.method.responses import response_in
from sl_dagster.method.words import count_words
from sl_dagster.paths import experiments_dir
from sl_dagster.resources.engines import Engine, Request, open_engine


@dataclass(frozen=True)
class Output:
    """What became of one response.

    Attributes:
        prefix: what was kept of stage 1.
        text: prefix and continuation; the prefix alone where that was dropped already.
        reason: why it was dropped, None if it was not.
    """

    prefix: str
    text: str
    reason: str | None


def main() -> None:
    """Extend with every wording and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wordings", nargs="+", type=Path, help="prompts files with an `extend`")
    parser.add_argument("--experiment", default="smollm2_135m")
    parser.add_argument("--responses", type=int, default=60)
    parser.add_argument("--texts", type=argparse.FileType("w", encoding="utf-8"))
    arguments = parser.parse_args()
    experiment = load_experiment(experiments_dir() / f"{arguments.experiment}.yaml")
    prompts = {path.stem: read_prompts("en", path) for path in arguments.wordings}
    engine = open_engine(experiment.served)
    with asyncio.Runner() as loop:
        work = compare(engine, experiment, prompts, arguments.responses, arguments.texts)
        loop.run(work)
        engine.close()


async def compare(
    engine: Engine,
    experiment: Experiment,
    prompts: dict[str, Prompts],
    count: int,
    texts: TextIO | None,
) -> None:
    """Extend the same responses with each wording, with all of them at the same time."""
    responses = await initial_responses(engine, experiment, count)

    async def work(name: str, wording: Prompts) -> None:
        counting = CountingEngine(engine)
        outputs = await asyncio.gather(
            *(extend(counting, experiment, wording, response) for response in responses)
        )
        print(json.dumps({"wording": name, **summary(responses, outputs, counting)}), flush=True)
        for response, output in zip(responses, outputs, strict=True):
            if texts:
                line = {"wording": name, **vars(response), "prefix": output.prefix}
                line |= {"output": output.text, "reason": output.reason}
                texts.write(json.dumps(line) + "\n")

    await asyncio.gather(*(work(name, wording) for name, wording in prompts.items()))


async def extend(
    engine: CountingEngine, experiment: Experiment, prompts: Prompts, response: Response
) -> Output:
    """Both stages for one response, once."""

    def request(text: str, stage: int, begun: str = "") -> Request:
        sampling = experiment.sampling_of("extension")
        message = prompts.extension(response.instruction, text)
        seed = seed_from("bench", response.position, stage)
        asked = Request(message, sampling, seed, base_model(experiment, "extender"), begun)
        rate = experiment.extension.max_tokens_per_input_word
        return asked.limited_to(int(rate * count_words(text)) + 64) if rate else asked

    first = await engine.ask(request(first_half(response.text), 1))
    preset = experiment.filter.preset
    prefix = first_two_thirds(response_in(first.text, preset)[0])
    reason = prefix_drop_reason(prefix, "en", finish_reason=first.finish_reason, preset=preset)
    if reason:
        return Output(prefix, prefix, f"prefix: {reason}")
    second = await engine.ask(request(response.text, 2, prefix))
    text, _ = response_in((prefix + second.text).strip(), preset)
    reason = extension_drop_reason(
        text,
        response.text,
        "en",
        finish_reason=second.finish_reason,
        preset=preset,
    )
    return Output(prefix, text, reason)


def summary(
    responses: list[Response], outputs: list[Output], engine: CountingEngine
) -> dict[str, Any]:
    """The figures of one wording."""
    pairs = zip(responses, outputs, strict=True)
    good = [
        (response.words, count_words(output.text))
        for response, output in pairs
        if not output.reason
    ]
    words = sum(new for _, new in good)
    return {
        "responses": len(responses),
        "mean_words": round(mean(response.words for response in responses)),
        "accepted": round(len(good) / len(responses), 3),
        "times_longer": round(sum(new / old for old, new in good) / max(1, len(good)), 2),
        "tokens": engine.tokens,
        "accepted_words_per_token": round(words / engine.tokens, 4),
        "dropped": dict(
            Counter(output.reason for output in outputs if output.reason).most_common()
        ),
    }


if __name__ == "__main__":
    main()
