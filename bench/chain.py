"""Accepted words per generated token: our stages beside the paper's chain of rounds.

The same initial responses are extended on one server in one run, by the paper's chain and by our
stages. The chain is written anew from the paper (section 3.2) and the figures of its code: in every
round a fresh prefix from the best text so far, then the whole text with its turn begun with that
prefix; an output that passes the reference filter and is longer becomes the best. If the best after
all rounds has not more than 1.2 times the initial words, all is done over again, 20 times at most.

    SL_DAGSTER_EXPERIMENTS=smollm2/experiments python bench/chain.py \
        --experiment smollm2_135m --responses 24

With ``--chain-prompts FILE`` the chain asks with another wording of the extension prompt.
"""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import mean
from typing import Any

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
from sl_dagster.method.words import count_words
from sl_dagster.paths import experiments_dir
from sl_dagster.resources.engines import Engine, Request, open_engine
from sl_dagster.resources.records import Text

_CHAIN_TRIES = 20
_CHAIN_STOP = ("\n\n\n", "---")
_IDENTITY = ("experiment", "iteration", "position", "language")

Extend = Callable[[CountingEngine, Response], Awaitable[str]]
"""Extends a response on an engine: the best text, or the response itself."""


def main() -> None:
    """Extend the same responses both ways, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="smollm2_135m")
    parser.add_argument("--responses", type=int, default=24)
    parser.add_argument("--chain-prompts", type=Path, help="a prompts file with an `extend`")
    arguments = parser.parse_args()
    experiment = load_experiment(experiments_dir() / f"{arguments.experiment}.yaml")
    prompts = experiment.prompts_by_language["en"]
    if arguments.chain_prompts:
        prompts = read_prompts("en", arguments.chain_prompts)
    engine = open_engine(experiment.served)
    with asyncio.Runner() as loop:
        loop.run(compare(engine, experiment, PaperChain(experiment, prompts), arguments.responses))
        engine.close()


async def compare(engine: Engine, experiment: Experiment, chain: "PaperChain", count: int) -> None:
    """Both ways on the same responses, at the same time: a long text of one leaves no core idle."""
    responses = await initial_responses(engine, experiment, count)

    async def work(name: str, extend: Extend) -> None:
        counting = CountingEngine(engine)
        texts = await asyncio.gather(*(extend(counting, response) for response in responses))
        line = {"way": name, **summary(experiment, responses, list(texts), counting)}
        print(json.dumps(line), flush=True)

    await asyncio.gather(
        work("paper's chain", chain.extend), work("our stages", OurStages(experiment).extend)
    )


class PaperChain:
    """The paper's chain of rounds."""

    def __init__(self, experiment: Experiment, prompts: Prompts) -> None:
        self._experiment = experiment
        self._prompts = prompts
        sampling = experiment.sampling_of("extension")
        self._sampling = sampling.model_copy(update={"stop": _CHAIN_STOP})

    async def extend(self, engine: CountingEngine, response: Response) -> str:
        """All rounds, over and over until the response has grown."""
        for attempt in range(_CHAIN_TRIES):
            best = response.text
            for number in range(self._experiment.extension.rounds):
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

    async def extend(self, engine: CountingEngine, response: Response) -> str:
        """All rounds of both stages, as their assets run them."""
        record = Text(
            record_id=f"bench-{response.position}",
            experiment="bench",
            iteration=1,
            stage="initial_responses",
            position=response.position,
            language="en",
            instruction=response.instruction,
            text=response.text,
        )
        for stages in self._rounds:
            for stage in stages:
                record = await self._filled(engine, stage, record)
        return record.text or ""

    async def _filled(
        self, engine: CountingEngine, stage: ExtendHalf | ExtendWhole, source: Text
    ) -> Text:
        """A stage's record for a source: the first that is good, or what flows on instead."""
        identity = {name: getattr(source, name) for name in _IDENTITY}
        record_id = f"{source.record_id}-{stage.name}"
        slot = Slot(identity | {"stage": stage.name, "record_id": record_id}, source)
        record = source
        for number in range(1, stage.tries + 1):
            record = await stage.attempt(slot, number, engine.ask)
            if record.kept:
                return record
        return stage.carry(slot, record)


def summary(
    experiment: Experiment, responses: list[Response], texts: list[str], engine: CountingEngine
) -> dict[str, Any]:
    """The figures of one way: a response is accepted when it has grown enough."""
    growth = experiment.extension.growth
    pairs = [
        (response.words, count_words(text))
        for response, text in zip(responses, texts, strict=True)
        if has_grown(count_words(text), response.words, growth)
    ]
    words = sum(new for _, new in pairs)
    return {
        "responses": len(responses),
        "mean_words": round(mean(response.words for response in responses)),
        "accepted": len(pairs),
        "accepted_words": words,
        "times_longer": round(mean(new / old for old, new in pairs), 2) if pairs else None,
        "requests": engine.requests,
        "tokens": engine.tokens,
        "accepted_words_per_token": round(words / engine.tokens, 4),
    }


if __name__ == "__main__":
    main()
