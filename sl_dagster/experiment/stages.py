"""The names of methods, roles, models and stages, and the one order in which stages are listed."""

import re
from typing import Literal, get_args

Method = Literal["self_lengthen", "plan_then_write", "back_translation"]
METHOD_TITLES: dict[Method, str] = {
    "self_lengthen": "Self-Lengthen, arXiv 2410.23933",
    "plan_then_write": "plan-then-write (AgentWrite), arXiv 2408.07055",
    "back_translation": "instruction back-translation, arXiv 2308.06259",
}

Role = Literal["generator", "extender"]  # of the loop

EXPERIMENT_NAME = re.compile(r"[a-z][a-z0-9_]*")
GROUP_ENDINGS = {"dataset": "_final", "evaluate": "_scores"}
"""What follows an experiment's name in those of its groups of assets, by the job that makes them;
the group of its loop has its name."""

BASE_MODEL = "base"
ALIGNED_MODEL = "aligned"

SamplingStage = Literal[
    "instructions", "initial_responses", "extension", "plan_then_write", "length_control", "heldout"
]

STAGES_AFTER_THE_LOOP = (
    "more_instructions",
    "more_responses",
    "dataset",
    "length_controlled",
    "aligned_sft",
)

_ROUND = re.compile(r"round(\d+)_stage[12]")
# Of all methods; what a training makes stands with what it was trained on.
_ORDER = {
    name: place
    for place, names in enumerate(
        (
            ("seeds",),
            ("documents",),
            ("heldout_base",),
            ("instructions",),
            ("initial_responses",),
            ("rounds",),
            ("plans",),
            ("planned_responses",),
            ("extended_responses",),
            *((f"{role}_lora", f"{role}_sft") for role in get_args(Role)),
            ("heldout_responses",),
            *((stage,) for stage in STAGES_AFTER_THE_LOOP),
        )
    )
    for name in names
}


def stage_place(stage: str) -> tuple[int, int, str]:
    """Where a stage stands when stages are listed: a key to sort by.

    The order is that of the loop, then what comes after it, then everything else by its name.
    """
    in_round = _ROUND.fullmatch(stage)
    place = _ORDER.get("rounds" if in_round else stage, len(_ORDER))
    return place, int(in_round[1]) if in_round else 0, stage


def roles_of(method: Method, rounds: int) -> tuple[Role, ...]:
    """Who is trained: baselines, and a control without rounds, extend nothing with an Extender."""
    extends = method == "self_lengthen" and rounds > 0
    return get_args(Role) if extends else ("generator",)


def writing_stages(method: Method, rounds: int) -> list[str]:
    """The stages between ``instructions`` and ``extended_responses``, which a model writes."""
    if method == "plan_then_write":
        return ["plans", "planned_responses"]
    if method == "back_translation":
        return []
    numbers = range(1, rounds + 1)
    return [
        "initial_responses",
        *(f"round{number}_stage{stage}" for number in numbers for stage in (1, 2)),
    ]
