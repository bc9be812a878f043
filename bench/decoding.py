"""Which sampling a base model answers best with, before anything is trained.

A small model goes round in circles, or talks nonsense, by how its tokens are drawn. This asks the
bare base model for the held-out answers of an experiment with several samplings, all on one server,
and shows for each how long they are, how many the filter accepts, how many mention what was asked
for, and why the others are dropped. What is chosen by that holds for the base model, the control
and every iteration alike, so growth cannot be tuned by it.

    SL_DAGSTER_EXPERIMENTS=smollm2/experiments python bench/decoding.py --experiment smollm2_135m \
        '{}' '{"temperature": 0.2, "top_p": 0.9}' '{"temperature": 1.0}'

Each argument names what is different from the experiment's own sampling of held-out answers.
"""

import argparse
import asyncio
import json
from collections import Counter
from statistics import mean, median
from typing import Any

from asking import CountingEngine

from sl_dagster.assets.stage.run import base_model
from sl_dagster.experiment import Experiment, Sampling, load_experiment
from sl_dagster.experiment.sections import SamplingChanges
from sl_dagster.identity import seed_from
from sl_dagster.inputs.instructions import InstructionLine, read_instructions
from sl_dagster.method.prompts import Message
from sl_dagster.method.responses import missing_mentions, response_drop_reason
from sl_dagster.method.words import count_words
from sl_dagster.paths import experiments_dir
from sl_dagster.resources.engines import Completion, Engine, Request, open_engine


def main() -> None:
    """Answer with every sampling, and print a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("samplings", nargs="+", type=SamplingChanges.model_validate_json)
    parser.add_argument("--experiment", default="smollm2_135m")
    arguments = parser.parse_args()
    experiment = load_experiment(experiments_dir() / f"{arguments.experiment}.yaml")
    engine = open_engine(experiment.served)
    with asyncio.Runner() as loop:
        loop.run(compare(engine, experiment, arguments.samplings))
        engine.close()


async def compare(engine: Engine, experiment: Experiment, samplings: list[SamplingChanges]) -> None:
    """All samplings on one server at the same time."""
    if not experiment.heldout:
        raise SystemExit(f"{experiment.name} has no held-out instructions")
    lines = read_instructions(experiment.heldout.file, experiment.languages)
    counting = CountingEngine(engine)

    async def work(changes: SamplingChanges) -> None:
        sampling = experiment.sampling_of("heldout").overlaid(changes)
        answers = await asyncio.gather(
            *(answer(counting, experiment, sampling, line) for line in lines)
        )
        named = changes.model_dump(exclude_unset=True)
        print(json.dumps({"sampling": named, **summary(experiment, lines, answers)}), flush=True)

    await asyncio.gather(*(work(changes) for changes in samplings))


async def answer(
    engine: CountingEngine, experiment: Experiment, sampling: Sampling, line: InstructionLine
) -> Completion:
    """The base model's answer to one instruction."""
    message = Message(role="user", content=line.instruction)
    seed = seed_from("bench", line.instruction)
    return await engine.ask(Request(message, sampling, seed, base_model(experiment)))


def summary(
    experiment: Experiment, lines: list[InstructionLine], answers: list[Completion]
) -> dict[str, Any]:
    """The figures of one sampling."""
    words = [count_words(completion.text) for completion in answers]
    reasons = [
        response_drop_reason(
            completion.text,
            line.language,
            finish_reason=completion.finish_reason,
            preset=experiment.filter.preset,
        )
        for line, completion in zip(lines, answers, strict=True)
    ]
    accepted = [count for count, reason in zip(words, reasons, strict=True) if not reason]
    relevant = [
        not missing_mentions(completion.text, line.mentions)
        for line, completion in zip(lines, answers, strict=True)
    ]
    return {
        "answers": len(answers),
        "mean_words": round(mean(words), 1),
        "median_words": median(words),
        "accepted": round(len(accepted) / len(answers), 3),
        "mean_words_of_accepted": round(mean(accepted), 1) if accepted else None,
        "relevant": round(mean(relevant), 3),
        "dropped": dict(Counter(reason for reason in reasons if reason).most_common()),
    }


if __name__ == "__main__":
    main()
