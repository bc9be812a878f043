"""The same held-out instructions, answered by the base model and after every iteration."""

from dataclasses import dataclass

from sl_dagster.experiment import Experiment
from sl_dagster.resources.records import Record
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.results.answers import stored_heldout

# Which of the last model's answers are shown, as shares of the way from shortest to longest.
_SHOWN = {0.1: "short (10th percentile)", 0.5: "of median length", 0.9: "long (90th percentile)"}


@dataclass(frozen=True)
class Sample:
    """One instruction with its answers.

    Attributes:
        instruction: what was asked.
        why: where the last answer stands among all last answers.
        answers: by iteration, 0 for the base model.
    """

    instruction: str
    why: str
    answers: dict[int, Record]


def samples(experiment: Experiment, stages: StageStore) -> list[Sample]:
    """Instructions whose last answers are short, of median length and long for their model.

    Returns:
        As many as there are different ones; none if there are no held-out answers.
    """
    found = {stage.key.iteration or 0: stage for stage in stored_heldout(experiment, stages)}
    answered = {iteration: stage for iteration, stage in found.items() if len(stage)}
    if not answered:
        return []
    last = answered[max(answered)]
    words = last.column("words")
    order = sorted(range(len(words)), key=words.__getitem__)
    chosen: dict[int, str] = {}
    for share, why in _SHOWN.items():
        chosen.setdefault(order[round(share * (len(order) - 1))], why)
    return [
        _sample(instruction, why, answered)
        for place, why in chosen.items()
        if (instruction := last.at([place])[0].instruction)
    ]


def _sample(instruction: str, why: str, answered: dict[int, StoredStage]) -> Sample:
    answers = {}
    for iteration, stage in answered.items():
        # By the instruction: the file may have had other ones when an iteration was measured.
        asked = stage.column("instruction")
        if instruction in asked:
            answers[iteration] = stage.at([asked.index(instruction)])[0]
    return Sample(instruction, why, answers)
