"""What the benchmarks of extension share: responses to begin with, and an engine that counts."""

import asyncio
from dataclasses import dataclass

from sl_dagster.assets.stage.run import base_model
from sl_dagster.experiment import Experiment
from sl_dagster.identity import seed_from
from sl_dagster.inputs.seeds import read_seed_instructions
from sl_dagster.method.prompts import Message
from sl_dagster.method.responses import response_drop_reason, response_in
from sl_dagster.method.words import count_words
from sl_dagster.resources.engines import Completion, Engine, Request

_TRIES = 4


@dataclass(frozen=True)
class Response:
    """An initial response that has passed the filter.

    Attributes:
        position: its place among all.
        instruction: what it answers.
        text: the response.
    """

    position: int
    instruction: str
    text: str

    @property
    def words(self) -> int:
        return count_words(self.text)


class CountingEngine:
    """An engine that is asked for no more at a time than keeps it busy, and counts its tokens.

    Attributes:
        tokens: generated so far.
        requests: asked so far.
    """

    def __init__(self, engine: Engine) -> None:
        self.tokens = 0
        self.requests = 0
        self._engine = engine
        self._room = asyncio.Semaphore(engine.concurrency)

    async def ask(self, request: Request) -> Completion:
        """See ``Engine.complete``."""
        async with self._room:
            completion = await self._engine.complete(request)
        self.tokens += completion.tokens
        self.requests += 1
        return completion


async def initial_responses(engine: Engine, experiment: Experiment, count: int) -> list[Response]:
    """The base model's answers to so many seeds in English; those that pass the filter.

    More than there are seeds are asked for again, each with other draws.
    """
    counting = CountingEngine(engine)
    lines = [seed.line for seed in read_seed_instructions(experiment.seeds, ("en",))]
    # Evenly from all kinds, which stand one after another in the file.
    chosen = [lines[place * len(lines) // count] for place in range(count)]
    answers = await asyncio.gather(
        *(
            _answer(counting, experiment, line.instruction, place)
            for place, line in enumerate(chosen)
        )
    )
    return [
        Response(position, line.instruction, answer)
        for position, (line, answer) in enumerate(zip(chosen, answers, strict=True))
        if answer
    ]


async def _answer(
    engine: CountingEngine, experiment: Experiment, instruction: str, place: int
) -> str | None:
    """An answer that passes the filter; None after some tries."""
    sampling = experiment.sampling_of("initial_responses")
    message = Message(role="user", content=instruction)
    for attempt in range(_TRIES):
        seed = seed_from("bench", instruction, place, attempt)
        completion = await engine.ask(Request(message, sampling, seed, base_model(experiment)))
        text, _ = response_in(completion.text.strip(), experiment.filter.preset)
        reason = response_drop_reason(
            text,
            "en",
            finish_reason=completion.finish_reason,
            preset=experiment.filter.preset,
        )
        if reason is None:
            return text
    return None
