"""How much of a text may have been said before."""

import random
import time

import pytest

from sl_dagster.method.repetition import repeats_itself

WORDS = [
    "harbour", "lamp", "gull", "rope", "tide", "captain", "market", "bell", "fog", "stone",
    "ladder", "garden", "kettle", "letter",
]  # fmt: skip
VERSE = "Mirror, mirror on the wall,\nwho is the fairest\nof us all?"


def sentence(draw: random.Random, words: int = 12) -> str:
    """A sentence that is not said twice: it has a number."""
    return f"{draw.choice(WORDS).title()} {draw.random()} " + " ".join(draw.choices(WORDS, k=words))


def paragraphs(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [". ".join(sentence(draw) for _ in range(5)) + "." for _ in range(count)]


def chinese(count: int) -> list[str]:
    draw = random.Random(1)
    return [
        "".join(chr(draw.randrange(0x4E00, 0x5E00)) for _ in range(60)) + "。" for _ in range(count)
    ]


@pytest.mark.parametrize("made", [paragraphs(12), chinese(12)])
def test_a_copied_paragraph(made: list[str]) -> None:
    assert not repeats_itself("\n\n".join(made))
    assert repeats_itself("\n\n".join([*made[:9], made[2], *made[9:]]))


def test_copied_sentences() -> None:
    made = paragraphs(12)
    copies = [made[number].split(". ")[number] for number in (0, 1, 2)]
    changed = [f"{text} {copy}." for text, copy in zip(made[6:], copies * 2, strict=True)]
    assert repeats_itself("\n\n".join(made[:6] + changed))
    assert not repeats_itself("\n\n".join([*made, f"{copies[0]}."])), "one of them is a refrain"


@pytest.mark.parametrize(("words", "copied"), [(7, False), (9, False), (10, True), (14, True)])
def test_one_sentence_that_comes_back_in_a_short_text(words: int, copied: bool) -> None:
    """Some words that were there at the beginning are an echo, a long sentence is a copy."""
    story = "The lamp of the harbour burned until morning came again for Mara and the gulls"
    echo = " ".join(story.split()[:words])
    first, second = paragraphs(2)
    assert repeats_itself(f"{echo}. {first}\n\n{second} {echo}.") == copied
    assert not repeats_itself("\n\n".join([f"{echo}.", *paragraphs(20), f"{echo}."])), "a refrain"


@pytest.mark.parametrize(
    "laid_out",
    [
        "- Take a rope.\n- {}\n- Ring the bell.",
        "Nobody rang the bell.\n{}\nNobody lit a lamp.",
    ],
)
def test_a_sentence_that_is_told_comes_back_laid_out_or_the_other_way_round(laid_out: str) -> None:
    """Steps and verses may come back as they are; what was told comes back nowhere."""
    told = "The old captain coils\nhis rope of hemp\neach night before he goes to bed."
    told = told if laid_out.startswith("Nobody") else told.replace("\n", " ")
    prose = f"{told} {paragraphs(1)[0]}".replace("\n", " ")
    between, laid_out = paragraphs(1, seed=4)[0], laid_out.format(told)
    assert repeats_itself("\n\n".join([prose, between, laid_out]))
    assert repeats_itself("\n\n".join([laid_out, between, prose]))
    assert not repeats_itself("\n\n".join([laid_out, between, laid_out.replace("bell", "boat")]))


def test_what_explains_an_example_may_come_back() -> None:
    made = paragraphs(4)
    example = "```\nring {}\n```\n\n{} the bell is the one that hangs over the door of the harbour."
    explained = [example.format("bell", "where"), example.format("bell --loud", "where")]
    assert not repeats_itself("\n\n".join([made[0], explained[0], made[1], explained[1]]))
    told = [text.replace("where the", "Where the") for text in explained]
    assert repeats_itself("\n\n".join([made[0], told[0], made[1], told[1]]))


@pytest.mark.parametrize("phrase", ["and then the bell rang", "bell", " ".join(WORDS)])
def test_a_loop(phrase: str) -> None:
    start = "\n\n".join(paragraphs(30))
    assert repeats_itself(f"{start} {' '.join([phrase] * 40)}")
    assert not repeats_itself(f"{start} {phrase}")


def test_a_loop_in_chinese_and_of_one_line() -> None:
    start = "\n\n".join(chinese(30))
    assert repeats_itself(start + "他笑了笑，" * 10)


def test_a_refrain_a_table_a_form_and_a_formula_of_speech_pass() -> None:
    told = paragraphs(12)
    assert not repeats_itself("\n\n".join([*told[:4], VERSE, *told[4:8], VERSE, *told[8:]]))
    chorus = "Row the boat home tonight,\nrow it home through the fog,\nrow it home to the light"
    verses = [
        "\n".join(
            f"{draw.choice(WORDS)} {draw.random()} and {draw.choice(WORDS)}" for _ in range(4)
        )
        for draw in map(random.Random, range(4))
    ]
    assert not repeats_itself("\n\n".join(f"{verse}\n\n{chorus}" for verse in verses))
    rule = "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    assert not repeats_itself(f"One.\n\n| a | b |\n{rule}\n| 1 | 2 |\n\nTwo.\n\n| c | d |\n{rule}")
    assert not repeats_itself(f"合同编号：{'＿' * 40}\n\n姓名：{'_' * 80}\n\n{chinese(1)[0]}")
    formula = (
        '"Good evening, gentlemen, and thank you all for having waited so long for me," he said.'
    )
    assert not repeats_itself("\n\n".join([*told, formula, *paragraphs(12, seed=1), formula]))


def test_what_introduces_examples_and_the_examples_themselves_may_come_back() -> None:
    told = paragraphs(12)
    leads = (
        "For a harbour of this size one lights the lamps and rings the bells in this way, always:"
    )
    code = [
        f"    harbour = open_harbour({number}, lamps=three, ropes=many)\n    harbour.ring()"
        for number in range(4)
    ]
    examples = [
        f"{paragraph}\n\n{leads}\n\n{one}" for paragraph, one in zip(told[:4], code, strict=True)
    ]
    assert not repeats_itself("\n\n".join([*examples, *told[4:]]))
    assert repeats_itself("\n\n".join([*examples, *told[4:], told[5]]))


def test_addresses_may_be_alike() -> None:
    place = "https://example.org/harbour/lamps/of/the/northern/quay/by/night/and/day"
    told = [f"{sentence(random.Random(n))} (see {place}/{n})." for n in range(20)]
    assert not repeats_itself("\n\n".join(told))


def test_time_grows_with_the_text_only() -> None:
    def seconds(count: int) -> float:
        text = "\n\n".join(paragraphs(count))
        begin = time.process_time()
        repeats_itself(text)
        return time.process_time() - begin

    seconds(100)
    assert seconds(8_000) < 60 * seconds(400)


LETTERS = {"hi": "कखगघचजटडतद", "ta": "கஙசஞடணதநபம", "ar": "بتثجحخدذرز", "he": "אבגדהוזחטי"}
VOWELS = {"hi": "ािीुूे", "ta": "ாிீுூெ", "ar": "َُِّْٰ", "he": "ְִֵֶַָ"}


def marked_sentence(language: str, draw: random.Random) -> str:
    """Ten words of three letters, each letter with a vowel sign, and the language's stop."""
    letters, vowels = LETTERS[language], VOWELS[language]
    words = [
        "".join(draw.choice(letters) + draw.choice(vowels) for _ in range(3)) for _ in "0123456789"
    ]
    return " ".join(words) + ("।" if language == "hi" else "؟" if language == "ar" else ".")


@pytest.mark.parametrize("language", LETTERS)
def test_a_letter_and_its_marks_are_one(language: str) -> None:
    draw = random.Random(1)
    told = [[marked_sentence(language, draw) for _ in range(4)] for _ in range(12)]
    assert not repeats_itself("\n\n".join(map(" ".join, told)))
    # A run of four words that comes back is a habit, however many vowel signs it has.
    habit = " ".join(told[0][0].split()[:4])
    habitual = [[f"{habit} {sentence}" for sentence in part] for part in told]
    assert not repeats_itself("\n\n".join(map(" ".join, habitual)))
    # Whole sentences are not.
    copied = [*told[:9], *([*part, told[place][1]] for place, part in enumerate(told[9:]))]
    assert repeats_itself("\n\n".join(map(" ".join, copied)))


MARKED_WORDS = [
    "timeout=30",
    "<timeout>",
    '"timeout"',
    "«timeout»",
    "{timeout}",
    "C:\\timeout",
    "timeout",
]


@pytest.mark.parametrize("mark", MARKED_WORDS)
def test_a_symbol_or_a_quoted_word_makes_no_table_and_no_speech(mark: str) -> None:
    told = paragraphs(12)
    marked = (
        f"The setting {mark} decides how long the harbour waits for a ship before the lamps go out "
        f"and the bells are rung."
    )
    assert not repeats_itself("\n\n".join([*told, marked]))
    assert repeats_itself("\n\n".join([*told[:4], marked, *told[4:], marked]))
    sentences = [f"{mark} {sentence(random.Random(n))}." for n in range(3)]
    copied = [f"{part} {copy}" for part, copy in zip(told, sentences * 4, strict=True)]
    assert repeats_itself("\n\n".join([*told, *paragraphs(12, seed=2), *copied[:6]]))


@pytest.mark.parametrize("quoted", ["”timeout”", "»timeout»"])
def test_a_quotation_may_begin_with_the_mark_that_ends_it(quoted: str) -> None:
    """In Finnish and Swedish; what stands before or behind it is no speech for that."""
    told = paragraphs(12)
    marked = (
        f"The setting that the old and the new harbour master both call by the name of a {quoted} "
        "decides how long they wait for a ship before the lamps go out and the bells are rung."
    )
    assert repeats_itself("\n\n".join([*told[:4], marked, *told[4:], marked]))


def test_marked_words_and_paragraphs_of_chinese_and_japanese() -> None:
    told = chinese(12)
    for mark in ("「灯」", "“灯”", "name=灯", "<灯>"):
        marked = f"他说的{mark}是什么，没有人知道，{told[0]}"
        assert repeats_itself("\n\n".join([*told[1:], marked, told[0][::-1], marked])), mark
        assert not repeats_itself("\n\n".join([*told[1:], marked])), mark


SAID = "Good evening, and thank you for having waited so long for me at the northern quay"


@pytest.mark.parametrize(
    "speech",
    [
        f"“{SAID},” he said.",
        f"«{SAID}», dit-il.",
        f"— {SAID}, he said.",
        f"He bowed to all of them and said: “{SAID}.”",
        f"”{SAID}”, hän sanoi.",
        f"»{SAID}», sade han.",
        f"Hän kumarsi ja sanoi: ”{SAID}.”",
        f"{SAID},” he said.",
    ],
)
def test_what_somebody_says_may_come_back(speech: str) -> None:
    told = paragraphs(24)
    assert not repeats_itself("\n\n".join([*told[:8], speech, *told[8:], speech]))


@pytest.mark.parametrize(
    "row",
    [
        "| harbour | three | lamps |",
        "harbour = open(lamps)",
        "<b>harbour</b> <i>lamps</i>",
        "a<b>c",
    ],
)
def test_rows_of_tables_and_code_may_come_back(row: str) -> None:
    told = paragraphs(24)
    rows = "\n".join([row] * 2)
    assert not repeats_itself("\n\n".join([*told[:8], rows, *told[8:16], rows, *told[16:]]))


STEP = (
    "Depending on the tide, you may have to ring the bell in the northern tower and give the name"
)
HOW_TO = """\
## {title}

To {title}:

{a} Open the gate of the harbour and choose the lamp.

{b} {step} of your ship when you are asked for it.

{c} {last}"""


@pytest.mark.parametrize("marks", ["1. 2. 3.", "1) 2) 3)", "- - -", "* * *"])
def test_the_same_step_in_two_procedures(marks: str) -> None:
    a, b, c = marks.split()
    first = HOW_TO.format(title="land a ship", a=a, b=b, c=c, step=STEP, last="Throw the rope.")
    second = HOW_TO.format(title="lift an anchor", a=a, b=b, c=c, step=STEP, last="Wind it up.")
    told = paragraphs(3)
    assert not repeats_itself("\n\n".join([first, second]))
    assert not repeats_itself("\n\n".join([told[0], first, told[1], second, told[2]]))
    # The whole procedure is another thing, and so is a step without its list.
    assert repeats_itself("\n\n".join([first, second, first, second, first]))
    step = f"{STEP} of your ship when you are asked for it."
    assert repeats_itself("\n\n".join([told[0], step, told[1], step, told[2]]))


def test_a_copied_list_and_a_copied_item_that_is_a_paragraph() -> None:
    told = paragraphs(24)
    draw = random.Random(3)
    items = "\n".join(f"- {sentence(draw, 9)}" for _ in range(6))
    long_item = f"1. {paragraphs(1, seed=9)[0]}"
    for copied in (items, long_item):
        assert repeats_itself("\n\n".join([*told[:12], copied, *told[12:], copied]))
        assert not repeats_itself("\n\n".join([*told[:12], copied, *told[12:]]))


def test_a_run_that_comes_back_once_is_no_share_of_a_short_text() -> None:
    told = ["Nobody lit the lamps of the harbour, and nobody rang the bell, until Mara came home"]
    rest = [f"{sentence(random.Random(n), 30)}." for n in range(3)]
    assert not repeats_itself(f"{told[0]} in May. {' '.join(rest)} But {told[0].lower()} again.")
    assert repeats_itself(f"{told[0]}. {told[0]}.")
