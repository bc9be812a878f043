"""What the answers to the held-out instructions are like, model by model.

Lengths and acceptance stand in ``sl-dagster growth``; this adds, for the same stored answers:

- mentions: the share of answers that name everything the instruction asked for;
- cosine, ranked first: whether an answer belongs to its instruction, by TF-IDF
  (``smollm2.relevance``): the mean, and the share whose own instruction is the likest;
- perplexity: under the bare base model, the instruction given; that of the base model's own answers
  is what fluent text has for it. Much higher is word salad, much lower is repetition. The mean over
  all answers in the logarithm, of whole answers and of their last fifths;
- repeated: the share of 4-grams that the answer had before, in the first and in the last fifth.

    python -m smollm2.measure smollm2_135m smollm2_135m_control
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

import torch

from sl_dagster.commands.terminal import print_table
from sl_dagster.errors import UserError
from sl_dagster.experiment import BASE_MODEL, Experiment, load_experiment
from sl_dagster.method.prompts import Message
from sl_dagster.method.text_decay import decay_of
from sl_dagster.paths import data_dir, experiments_dir
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.results.table import Table
from smollm2.relevance import relevances


@dataclass(frozen=True)
class Measures:
    """Of a model's answers; see above. What cannot be told, for want of texts, is None."""

    experiment: str
    model: str
    mean_words: float
    accepted: float
    mentions: float
    cosine: float
    ranked_first: float
    perplexity: float | None
    perplexity_at_the_end: float | None
    repeated_at_the_start: float | None
    repeated_at_the_end: float | None


def main() -> None:
    """Measure the stored answers of experiments, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="+")
    arguments = parser.parse_args()
    try:
        show(arguments.experiments)
    except UserError as error:
        sys.exit(f"smollm2: {error}")


def show(names: Sequence[str]) -> None:
    """Measure and print: a line for each measure, a column for each model."""
    stages = StageStore(data_dir=str(data_dir()))
    columns: list[dict[str, Any]] = []
    for name in names:
        experiment = load_experiment(experiments_dir() / f"{name}.yaml")
        fluency = Fluency(experiment)
        for model, stage in stored_answers(experiment, stages):
            columns.append(asdict(measured(experiment.name, model, stage, fluency)))
    head, *rows = [[name, *(_figure(one[name]) for one in columns)] for name in columns[0]]
    print_table(Table(head, rows), "Answers to held-out instructions")


def _figure(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def stored_answers(experiment: Experiment, stages: StageStore) -> Iterator[tuple[str, StoredStage]]:
    """The answers to held-out instructions that are there, by model.

    Raises:
        UserError: there are none.
    """
    keys = {BASE_MODEL: StageKey(experiment.name, "heldout_base", None)}
    for iteration in experiment.partitions:
        keys[iteration] = StageKey(experiment.name, "heldout_responses", int(iteration))
    done = set(stages.complete(experiment.name))
    found = {model: key for model, key in keys.items() if key in done}
    if not found:
        raise UserError(
            f"there are no held-out answers of {experiment.name} yet: run "
            f"`sl-dagster run --experiment {experiment.name}`"
        )
    for model, key in found.items():
        yield model, stages.read(key)


def measured(experiment: str, model: str, stage: StoredStage, fluency: Fluency) -> Measures:
    """Measure one model's answers."""
    records = list(stage.records(Text))
    instructions = [str(record.instruction) for record in records]
    answers = [record.text for record in records]
    alike = relevances(instructions, answers)
    decay = decay_of(answers).parts
    losses = [
        loss
        for instruction, answer in zip(instructions, answers, strict=True)
        if (loss := fluency.losses(instruction, answer))
    ]
    return Measures(
        experiment=experiment,
        model=model,
        mean_words=mean(record.words for record in records),
        accepted=mean(record.drop_reason is None for record in records),
        mentions=mean(not record.missing_mentions for record in records),
        cosine=mean(one.cosine for one in alike),
        ranked_first=mean(one.rank == 1 for one in alike),
        perplexity=_perplexity(losses),
        perplexity_at_the_end=_perplexity([loss[-max(1, len(loss) // 5) :] for loss in losses]),
        repeated_at_the_start=decay[0].repetition if decay else None,
        repeated_at_the_end=decay[-1].repetition if decay else None,
    )


class Fluency:
    """How likely a text is to the bare base model of an experiment."""

    def __init__(self, experiment: Experiment) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        name, revision = experiment.base_model, experiment.revision
        self._chat = experiment.chat
        self._tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
        model: Any = AutoModelForCausalLM.from_pretrained(
            name, revision=revision, dtype=torch.float32
        )
        self._model = model.eval()

    @torch.inference_mode()
    def losses(self, instruction: str, answer: str) -> list[float]:
        """The negative log-likelihood of each token of an answer, the instruction given."""
        prompt = self._chat.prompt(self._tokenizer, Message(role="user", content=instruction))
        given = self._tokenizer(prompt, add_special_tokens=False)["input_ids"]
        tokens = self._tokenizer(answer, add_special_tokens=False)["input_ids"]
        if not tokens:
            return []
        ids = torch.tensor([given + tokens])
        # One position more than the answer has: each predicts the token after it.
        logits = self._model(ids, logits_to_keep=len(tokens) + 1).logits[0, :-1].float()
        loss = torch.nn.functional.cross_entropy(logits, ids[0, len(given) :], reduction="none")
        return loss.tolist()


def _perplexity(losses: Sequence[Sequence[float]]) -> float | None:
    return math.exp(mean(mean(loss) for loss in losses)) if losses else None


if __name__ == "__main__":
    main()
