"""Which instructions are used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.diversity import SimilarTexts
from sl_dagster.method.instructions import (
    duplicate_reason,
    instruction_drop_reason,
    instruction_in,
)


@pytest.mark.parametrize(
    ("words", "reason"), [(3, "too_short"), (4, None), (499, None), (500, "too_long")]
)
def test_bounds(words: int, reason: str | None) -> None:
    assert instruction_drop_reason(" ".join(["word"] * words)) == reason
    assert instruction_drop_reason("字" * words) == reason


def test_truncated_ones() -> None:
    text = "Write about a very old bridge."
    assert instruction_drop_reason(text, finish_reason="length") == "truncated"


@pytest.mark.parametrize(
    ("text", "max_similarity", "reason"),
    [
        ("Write about a very old bridge.", 0.7, "duplicate"),
        ("Write about a very old bridge.", 1.0, "duplicate"),
        ("Write about a very old lighthouse.", 0.7, "near_duplicate"),
        ("Write about a very old lighthouse.", 0.9, None),
        ("write about a very old bridge", 1.0, None),
        ("Explain how heat pumps work.", 0.7, None),
    ],
)
def test_duplicates(text: str, max_similarity: float, reason: str | None) -> None:
    others = SimilarTexts(["Write about a very old bridge."])
    assert duplicate_reason(text, others, max_similarity) == reason


def test_one_in_another_language_than_asked_for() -> None:
    def reason(text: str, language) -> str | None:
        return instruction_drop_reason(text, language=language)

    assert reason("Write about a very old bridge.", "zh") == "wrong_language"
    assert reason("写一个关于老桥的故事。", "en") == "wrong_language"
    assert reason("写一个关于老桥的故事。", "zh") is None
    assert reason("写一个关于老桥的故事。", None) is None


@pytest.mark.parametrize(
    "text", ["Write about an old bridge in two pages.", "写一篇关于老桥的文章，字数3000左右。"]
)
def test_those_that_name_a_length_are_told_apart(text: str) -> None:
    assert instruction_drop_reason(text) is None
    assert instruction_drop_reason(text, may_name_length=False) == "names_length"
    assert instruction_drop_reason("Write about an old bridge.", may_name_length=False) is None


STORY = "Write a story about a lamp that nobody can put out."
WHOLE = [
    STORY,
    "写一篇关于老桥的散文。",
    "Write a guide. Cover:\n1. the tools\n2. the steps\n3. the risks\n4. the costs",
    "Write a letter.\n\nNote: The reader has never seen the sea.",
    "Write a story in three parts.\n\n- the storm\n- the dawn\n\nEnd with a question.",
    "Write an essay. Feel free to include dialogue. Let the reader decide.",
    "Explain these tasks of a mayor: roads, schools.",
    "Design an app for lists of tasks. Each task has a title.",
    'Write a letter that begins: "I hope you are well."',
    "**Write a story.**\n\nInclude a storm.",
    "写一份报告：\n1. 背景\n2. 目标\n3. 方法\n4. 结论",
    "Write a scene.\n\nKeeper: Who is there?\nSailor: A friend.",
    "Write a parody of a manual. The instructions should be absurd.",
    "Write a recipe.\n\nPlease note the oven's temperature and the tasks of a cook.",
    "Compare two schools. In these cases, say who has founded them.",
    "Write a guide to a board game.\n\nIn order to win the game, one must be patient.",
]
ADDED = [
    "\n\nNote: these instructions are meant to be detailed.",
    "\n\n*Note: The instructions above vary in topic.*",
    " Note: These instructions can be adapted.",
    " (Note: this assignment is a long one.)",
    "\n\nInstruction 4: Write a poem.",
    "\n**Instruction 4:** Write a poem.",
    "\n\n### Instruction 4\nWrite a poem.",
    "\n\nHere are three more instructions:\n1. Write a poem.",
    "\n\nThese assignments differ in topic.",
    "\n\nThe above instructions are varied.",
    "\n\nThe instructions are as follows:\nMy first adventure.",
    "\n\nPlease add more instructions to your list!",
    " Please refer to the instruction below.",
    "\n\nPlease note that the instructions can be customized.",
    "\n\nIn these examples, you can choose one of them.",
    "\n\nIn this example, the painting's symbolism counts.",
    " You will find that Instruction 1 calls for a long text.",
    "\n\nIn order to meet these requirements you need an audience.",
    "\n\nEach assignment calls for a long text.",
    "\n\nI hope this helps!",
    "\n\nLet me know if you need more.",
    " Feel free to ask for more.",
    "\n\nIf you need any help, ask.",
    "\n\nWould you like me to write it?",
    "\n\nAnswer: Once upon a time",
    "\n\nAssistant: Sure!",
    "\n<|im_end|>\nuser",
    "\n---\nMore of them",
    "\n\n* * *\n\nMore of them",
    "\n\n写作任务4：写一首诗。",
    "\n注：以上三道任务各不相同。",
    "\n\n以上是三道写作任务。",
    "希望对你有帮助。",
    "\n\n如果您需要更多，请告诉我。",
    "\n\n参考答案：从前",
]


@pytest.mark.parametrize("text", WHOLE)
def test_an_instruction_stays_whole(text: str) -> None:
    assert instruction_in(f" {text}\n") == (text, "")


@given(
    st.sampled_from([text for text in WHOLE if text.endswith((".", "。"))]),
    st.lists(st.sampled_from(ADDED), min_size=1, max_size=3),
)
def test_what_follows_an_instruction_is_cut_off(text: str, added: list[str]) -> None:
    whole = text + "".join(added)
    found = instruction_in(whole)
    assert found.instruction == text
    assert found.cut and instruction_in(found.instruction).cut == ""
    assert instruction_in(whole, "reference") == (whole.strip(), "")


def test_a_list_that_goes_on_is_cut_off_where_the_instruction_has_none_of_its_own() -> None:
    assert instruction_in(f"{STORY}\n\n4. Write a poem.\n5. Write a play.").instruction == STORY
    assert instruction_in("写一篇散文。\n4、写一首诗").instruction == "写一篇散文。"
    own = f"{STORY} Tell:\n1. how\n2. when\n3. why\n4. where"
    assert instruction_in(own).cut == ""
