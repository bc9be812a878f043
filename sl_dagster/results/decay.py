"""Where the texts of an experiment's models decay: its stored answers, measured fifth by fifth."""

from dataclasses import asdict, dataclass

from sl_dagster.experiment import Experiment
from sl_dagster.method.text_decay import Decay, decay_of
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.results.answers import model_of, stored_answers


@dataclass(frozen=True)
class ModelDecay:
    """The answers of a model to a set of instructions.

    Attributes:
        answers_to: ``heldout``, or the name of a benchmark.
        model: its name (``base``, ``1``, ..., ``aligned``).
        decay: their measures.
    """

    answers_to: str
    model: str
    decay: Decay


def decay_table(experiment: Experiment, stages: StageStore) -> list[ModelDecay]:
    """All answers that measure models, as far as they are stored."""
    return [
        ModelDecay(
            answers_to, model_of(stage.key), decay_of(record.written for record in stage.records())
        )
        for answers_to, stage in stored_answers(experiment, stages)
    ]


def decay_rows(table: list[ModelDecay]) -> list[dict[str, str | int | float]]:
    """One row for each set of answers and each fifth, which ``part`` numbers from 1."""
    return [
        {
            "answers_to": one.answers_to,
            "model": one.model,
            "texts": one.decay.texts,
            "too_short": one.decay.too_short,
            "part": number,
            **asdict(part),
        }
        for one in table
        for number, part in enumerate(one.decay.parts, start=1)
    ]
