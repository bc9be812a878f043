"""Extension the paper's way and ours: accepted words per second and per generated token.

The same initial responses are extended on one server in one run, first by the paper's way, then by
our stages. The paper's is written anew from its section 3.2 and the figures of its code: 32 workers
take a response each and wait for every answer. In every round a fresh prefix is made from the best
text so far, then the whole text with its turn begun with that prefix; an output that passes the
reference filter and is longer becomes the best. If the best after all rounds has not more than 1.2
times the initial words, all is done over again, 20 times at most. When 95 % of the responses are
done, the others are given up. Our stages are those of the loop, one after another, without what
they store.

    python bench/chain.py --experiment demo_vllm --responses 96
    SL_DAGSTER_EXPERIMENTS=smollm2/experiments python bench/chain.py \
        --experiment smollm2_135m --responses 24

With ``--chain-prompts FILE`` the chain asks with another wording of the extension prompt, and with
``--chain-tokens N`` it begins no further round when it has generated so many tokens: what has not
grown by then is given up.
"""

import argparse
import asyncio
import json
import math
import time
from collections import Counter
from pathlib import Path
from statistics import mean
from typing import Any, Protocol

from asking import CountingEngine, Response, initial_responses

from sl_dagster.assets.loop.round_stage1 import ExtendHalf
from sl_dagster.assets.loop.round_stage2 import ExtendWhole
from sl_dagster.assets.stage.run import base_model
from sl_dagster.assets.stage.slot import Slot
from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.identity import seed_from
from sl_dagster.method.extension import extension_drop_reason, has_grown
from sl_dagster.method.paragraphs import first_half, first_two_thirds
from sl_dagster.method.prompts import Prompts, read_prompts
from sl_dagster.method.responses import response_drop_reason
from sl_dagster.method.words import count_words
from sl_dagster.paths import experiments_dir
from sl_dagster.resources.engines import Engine, Request, open_engine
from sl_dagster.resources.records import Text

_CHAIN_WORKERS = 32
_CHAIN_DONE = 0.95  # share of the responses
_CHAIN_TRIES = 20
_CHAIN_STOP = ("\n\n\n", "---")
_IDENTITY = ("experiment", "iteration", "position", "language")


class Way(Protocol):
    """A way to extend."""

    async def extend(self, engine: CountingEngine, responses: list[Response]) -> list[str]:
        """Extend responses on an engine: the best text of each, or the response itself."""
        ...


def main() -> None:
    """Extend the same responses both ways, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="smollm2_135m")
    parser.add_argument("--responses", type=int, default=24)
    parser.add_argument("--chain-prompts", type=Path, help="a prompts file with an `extend`")
    parser.add_argument("--chain-tokens", type=int, default=math.inf, help="stop after so many")
    arguments = parser.parse_args()
    experiment = load_experiment(experiments_dir() / f"{arguments.experiment}.yaml")
    prompts = experiment.prompts_by_language["en"]
    if arguments.chain_prompts:
        prompts = read_prompts("en", arguments.chain_prompts)
    ways: dict[str, Way] = {
        "paper's": PaperChain(experiment, prompts, arguments.chain_tokens),
        "ours": OurStages(experiment),
    }
    engine = open_engine(experiment.served)
    with asyncio.Runner() as loop:
        loop.run(compare(engine, experiment, ways, arguments.responses))
        engine.close()


async def compare(engine: Engine, experiment: Experiment, ways: dict[str, Way], count: int) -> None:
    """All ways on the same responses, one after another."""
    responses = await initial_responses(engine, experiment, count)
    for name, way in ways.items():
        counting, start = CountingEngine(engine), time.monotonic()
        texts = await way.extend(counting, responses)
        seconds = time.monotonic() - start
        line = {"way": name, **summary(experiment, responses, texts, counting, seconds)}
        print(json.dumps(line), flush=True)


class PaperChain:
    """The paper's chain of rounds, by workers that do one response at a time."""

    def __init__(self, experiment: Experiment, prompts: Prompts, tokens: float) -> None:
        self._experiment = experiment
        self._prompts = prompts
        self._tokens = tokens
        sampling = experiment.sampling_of("extension")
        self._sampling = sampling.model_copy(update={"stop": _CHAIN_STOP})

    async def extend(self, engine: CountingEngine, responses: list[Response]) -> list[str]:
        """See ``Way``; what has not ended when most have stays as it was."""
        workers = asyncio.Semaphore(_CHAIN_WORKERS)
        texts = [response.text for response in responses]
        missing = math.ceil(_CHAIN_DONE * len(responses))
        enough = asyncio.Event()

        async def work(place: int) -> None:
            nonlocal missing
            async with workers:
                texts[place] = await self._chain(engine, responses[place])
            missing -= 1
            if missing == 0:
                enough.set()

        tasks = [asyncio.create_task(work(place)) for place in range(len(responses))]
        await enough.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return texts

    async def _chain(self, engine: CountingEngine, response: Response) -> str:
        """All rounds, over and over until the response has grown."""
        for attempt in range(_CHAIN_TRIES):
            best = response.text
            for number in range(self._experiment.extension.rounds):
                if engine.tokens >= self._tokens:
                    break
                best = await self._round(engine, response, best, attempt, number)
            if has_grown(count_words(best), response.words, self._experiment.extension.growth):
                return best
        return response.text

    async def _round(
        self, engine: CountingEngine, response: Response, best: str, *place: int
    ) -> str:
        def request(text: str, stage: int, begun: str = "") -> Request:
            message = self._prompts.extension(response.instruction, text)
            seed = seed_from("chain", response.position, *place, stage)
            model = base_model(self._experiment, "extender")
            return Request(message, self._sampling, seed, model, begun)

        first = await engine.ask(request(first_half(best), 1))
        prefix = first_two_thirds(first.text)
        second = await engine.ask(request(best, 2, prefix))
        text = prefix + second.text
        reason = extension_drop_reason(
            text, best, "en", finish_reason=second.finish_reason, preset="reference"
        )
        return best if reason else text


class OurStages:
    """Our stages, each of which asks again for just the record that was not good enough."""

    def __init__(self, experiment: Experiment) -> None:
        rounds = range(1, experiment.extension.rounds + 1)
        self._rounds = [(ExtendHalf(experiment, n), ExtendWhole(experiment, n)) for n in rounds]
        for stage in (stage for stages in self._rounds for stage in stages):
            stage.writer = base_model(experiment, "extender")

    async def extend(self, engine: CountingEngine, responses: list[Response]) -> list[str]:
        """See ``Way``."""
        records = [_record(response) for response in responses]
        for stages in self._rounds:
            for stage in stages:
                filled = (self._filled(engine, stage, record) for record in records)
                records = list(await asyncio.gather(*filled))
        return [record.text or "" for record in records]

    async def _filled(
        self, engine: CountingEngine, stage: ExtendHalf | ExtendWhole, source: Text
    ) -> Text:
        """A stage's record for a source: the first that is good, or what flows on instead."""
        identity = {name: getattr(source, name) for name in _IDENTITY}
        record_id = f"{source.record_id}-{stage.name}"
        slot = Slot(identity | {"stage": stage.name, "record_id": record_id}, source)
        record = source
        for number in range(1, stage.tries_for(slot) + 1):
            record = await stage.attempt(slot, number, engine.ask)
            if record.kept:
                return record
        return stage.carry(slot, record)


def _record(response: Response) -> Text:
    return Text(
        record_id=f"bench-{response.position}",
        experiment="bench",
        iteration=1,
        stage="initial_responses",
        position=response.position,
        language="en",
        instruction=response.instruction,
        text=response.text,
    )


def summary(
    experiment: Experiment,
    responses: list[Response],
    texts: list[str],
    engine: CountingEngine,
    seconds: float,
) -> dict[str, Any]:
    """The figures of one way: a response is accepted when it has grown enough.

    What the paper's filter lets pass may be none for ours, so what ours says of the accepted texts,
    without knowing how they ended, stands beside it, for both ways.
    """
    growth = experiment.extension.growth
    grown = [
        (response.words, text)
        for response, text in zip(responses, texts, strict=True)
        if has_grown(count_words(text), response.words, growth)
    ]
    pairs = [(old, count_words(text)) for old, text in grown]
    words = sum(new for _, new in pairs)
    preset = experiment.filter.preset
    judged = (
        response_drop_reason(text, "en", finish_reason=None, preset=preset) for _, text in grown
    )
    return {
        "responses": len(responses),
        "mean_words": round(mean(response.words for response in responses)),
        "accepted": len(pairs),
        "dropped_by_our_filter": dict(Counter(reason for reason in judged if reason)),
        "accepted_words": words,
        "times_longer": round(mean(new / old for old, new in pairs), 2) if pairs else None,
        "requests": engine.requests,
        "tokens": engine.tokens,
        "seconds": round(seconds, 1),
        "accepted_words_per_s": round(words / seconds, 1),
        "accepted_words_per_token": round(words / engine.tokens, 4),
    }


if __name__ == "__main__":
    main()
