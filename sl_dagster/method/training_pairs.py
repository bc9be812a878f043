"""Turning kept extensions into prompt/completion pairs for fine-tuning both roles."""

import random

from sl_dagster.method.prompts import Message, Prompts


def generator_pair(instruction: str, extended: str) -> tuple[list[Message], list[Message]]:
    """What the Generator learns: the instruction alone leads to the extended response.

    Returns:
        Prompt and completion, each a list of one chat message.
    """
    return [Message(role="user", content=instruction)], [
        Message(role="assistant", content=extended)
    ]


def extender_pair(
    instruction: str, initial: str, extended: str, prompts: Prompts, *, dropout: float, seed: int
) -> tuple[list[Message], list[Message]]:
    """What the Extender learns: the extension prompt of the *initial* response, some of its lines
    missing, leads to the extended response.

    Args:
        dropout: probability with which each line of the initial response is left out.
        seed: makes the choice of lines repeatable.

    Returns:
        Prompt and completion, each a list of one chat message.
    """
    outline = drop_lines(initial, dropout, seed)
    return [prompts.extension(instruction, outline)], [Message(role="assistant", content=extended)]


def drop_lines(text: str, probability: float, seed: int) -> str:
    """Leave out each line of a text with the given probability, blank lines included."""
    draw = random.Random(seed)
    return "\n".join(line for line in text.split("\n") if draw.random() >= probability)
