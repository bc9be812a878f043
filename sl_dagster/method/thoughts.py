"""What a model thinks before it answers, told apart from the answer by the marks around it."""

from collections.abc import Sequence

Marks = tuple[str, str]

# How thoughts begin and end in the families of models that write them into the text. A template
# may have others, which are found where it is rendered.
MARKS: tuple[Marks, ...] = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought", "<channel|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)


def without_thoughts(text: str, marks: Sequence[Marks] = MARKS) -> str:
    """The answer without the thoughts that stand before it.

    Args:
        text: what a model wrote in its turn.
        marks: how thoughts begin and end.

    Returns:
        The text itself if it has no thoughts; nothing if they do not end.
    """
    begun = text.lstrip()
    for begin, end in marks:
        if begun.startswith(begin):
            _, ended, answer = begun.partition(end)
            return without_thoughts(answer.lstrip(), marks) if ended else ""
    for begin, end in marks:
        # The prompt may have begun them already.
        thoughts, ended, answer = text.partition(end)
        if ended and begin not in thoughts:
            return answer.lstrip()
    return text


def leaves_thoughts_open(text: str) -> bool:
    """Whether thoughts begin in a text and do not end in it."""
    return any(text.rfind(begin) > text.rfind(end) for begin, end in MARKS)
