"""What a finished text looks like at its end."""

import textwrap

import pytest

from sl_dagster.method.endings import looks_finished

STORY = "The harbour woke slowly. Gulls circled the empty quay while Mara counted the ropes."


@pytest.mark.parametrize(
    "end",
    [
        "\n\n“We are home,” she said. “At last we are home.”",
        "\n\n**And so the lamp was lit again.**",
        " See you there! 🎉",
        " (Nobody spoke.)",
        " It was _his_ lamp.[2]",
        "\n\nYours sincerely,\n\nMara Lind",
        "\n\nWith love,\nMara",
        "\n\nLUDWIG VAN BEETHOVEN",
        "\n\n— Mara Lind, harbour master",
        "\n\nLyon, 3 May 1824",
        "\n\nTHE END",
        "\n\n*To be continued*",
        "\n\n#harbour #storytelling",
        " Read more at https://example.org/harbour",
        "\n\n| boat | rope |\n| --- | --- |\n| Anna | 12 m |",
        "\n\n```\nmake rope\n```",
        "\n\n- a rope of hemp\n- an oil lamp\n- a bell for the fog",
        "\n\nLight the lamp with:\n\n    strike --match\n    lift lamp",
        "\n\nCoil the rope::\n\n  coil rope\n\n  hang rope",
        "\n\n.. code-block:: console\n\n   $ ring bell",
        "\n\n>>> harbour.lamps\n3",
        "\n\n- a rope of hemp (old)\n- an oil lamp (new)\n- a bell",
        "\n\n- a rope\n- a lamp, which somebody\n  has lit (twice) for the fog",
        "\n\nLicense\n-------\n\nCopyright (c) 2024, Mara Lind. All rights reserved. Apache-2.0",
        "\n\n## License\n\nMIT",
        "\n\n![The harbour](harbour.png)\n\n**Figure 1: the harbour at night**",
        "\n\n![](harbour.png)\n*the harbour at night*",
        "\n\n---",
        " Nobody answered …",
        " 他说：“好。”",
    ],
)
def test_what_ends_a_text(end: str) -> None:
    assert looks_finished(STORY + end)


@pytest.mark.parametrize(
    "end",
    [
        " She took the",
        " She took the rope,",
        ' She said: "',
        " She took what they call a ”",
        ' She said, "We are home,"',
        "\n\nShe took the rope and",
        "\n\n```\nmake rope",
        "\n\n3.",
        " Read more (see https://example.org/har",
        "\n\n- a rope of hemp.\n- an oil lamp.\n- a bell for",
        "\n\n## The second day\n\nIt was raining when the ferry came in from the",
        " She took the rope –",
        "\n\nShe took with her:\n\n    - a rope of hemp.\n    - an oil lamp and",
        "\n\nShe took with her:\n\nthe rope of hemp and the lamp that stood",
        "\n\n## The second day\n\nIn the",
        "\n\n## The second day\n\nThe harbour",
        " The ropes, copyright of nobody in",
        "\n\n![The harbour](harbour.png)\n\nIt was built by the old",
        "\n\n![The harbour](harbour.png)\n\n**Figure 1: the harbour as it was before the",
    ],
)
def test_what_does_not(end: str) -> None:
    assert not looks_finished(STORY + end)


def test_a_poem_is_held_to_its_own_habit() -> None:
    stanzas = ["the harbour wakes\na lamp goes out", "gulls over the quay\nropes in the rain"]
    last = "nobody comes home\nthe fog takes the boats"
    assert looks_finished("\n\n".join([*stanzas, "a bell in the fog\nand no answer", last]))
    prose = [f"{stanza}." for stanza in stanzas]
    assert not looks_finished("\n\n".join([*prose, "a bell in the fog\nand no answer.", last]))


@pytest.mark.parametrize(
    "text",
    [
        '清晨的港口慢慢醒来。\n\n她轻声说："我们终于回家了。"',
        "清晨的港口慢慢醒来。\n\n**全文完。**",
        "清晨的港口慢慢醒来。\n\n全文完",
        "清晨的港口慢慢醒来。\n\n此致\n敬礼\n\n2024年5月1日",
        "清晨的港口慢慢醒来……",
        "清晨的港口慢慢醒来。\n\n## 许可证\n\n木兰许可证",
        "清晨的港口慢慢醒来。请看https://example.org/harbour",
        "清晨的港口慢慢醒来。请看：https://example.org/wiki/港口",
        "清晨的港口慢慢醒来。请看[港口](https://example.org/港口)",
        "港はゆっくりと目を覚ました。",
        "항구는 천천히 깨어났다.",
        "الميناء يستيقظ ببطء؟",
        "बंदरगाह जाग उठा।",
    ],
)
def test_endings_of_other_scripts(text: str) -> None:
    assert looks_finished(text, "zh" if "港口" in text else "ja")


@pytest.mark.parametrize(
    "text",
    [
        "清晨的港口慢慢醒来，",
        "清晨的港口慢慢醒来。她说",
        "港はゆっくりと目を",
        "写完了.",
        "清晨的港口慢慢醒来。\n\n## 第二天\n\n港口的灯火还没有熄灭她就",
        "清晨的港口慢慢醒来。请看https://example.org了解更",
        "清晨的港口慢慢醒来。请看 https://example.org/harbour。那里有",
        "清晨的港口慢慢醒来。请写信给mara@example.org询问详",
        "清晨的港口慢慢醒来。请看[港口](https://example.org/harbour)的介",
        "清晨的港口慢慢醒来。（https://example.org/harbour）那里",
        "港はゆっくりと目を覚ました。example.org/harbourをご覧",
    ],
)
def test_unfinished_texts_of_other_scripts(text: str) -> None:
    assert not looks_finished(text, "zh")


MARKED = {
    "hi": ("बंदरगाह धीरे-धीरे जाग रहा था। मारा ने रस्सियाँ गिनीं", ["।", "॥"], [" में", " और वह"]),
    "bn": ("বন্দর ধীরে ধীরে জেগে উঠল। মারা দড়ি গুনল", ["।"], [" এবং সে", " কিন্তু"]),
    "ta": ("துறைமுகம் மெதுவாக விழித்தது. மாரா கயிறுகளை எண்ணினாள்", ["."], [" மற்றும்", " உள்ள"]),
    "ar": ("اِسْتَيْقَظَ المِينَاءُ بِبُطْءٍ. عَدَّتْ مَارَا الحِبَالَ", [".", "؟"], [" فِي", " عَلَى"]),
    "he": ("הַנָּמֵל הִתְעוֹרֵר לְאַט. מָרָה סָפְרָה חֲבָלִים", ["."], [" אֶת", " וְהִיא"]),
    "km": ("កំពង់ផែភ្ញាក់ឡើងយឺតៗ។ នាងរាប់ខ្សែពួរ", ["។", " ៕"], [" នៅក្នុង", " និង"]),
    "my": ("ဆိပ်ကမ်း နိုးလာသည်။ သူမသည် ကြိုးများကို ရေတွက်သည်", ["။"], [" သို့မဟုတ်", " တွင်"]),
    "bo": ("གྲུ་ཁ་དལ་བུར་སད་པ་རེད། མོས་ཐག་པ་བགྲངས་པ་རེད", ["།"], [" ནང་ལ", " དང་"]),
    "am": ("ወደቡ ቀስ ብሎ ነቃ። ማራ ገመዶቹን ቆጠረች", ["።"], [" እና", " ውስጥ"]),
}


@pytest.mark.parametrize("language", MARKED)
def test_a_vowel_sign_is_no_picture_and_every_script_has_its_stop(language: str) -> None:
    text, stops, cuts = MARKED[language]
    for end in [*stops, f"{stops[0]}\u200f", f"{stops[0]} 🧑🏽\u200d🚀", f"{stops[0]} ❤\ufe0f"]:
        assert looks_finished(text + end, language), end
    for end in ["", *cuts]:
        assert not looks_finished(text + end, language), end


SPOKEN = {
    "ru": ("Старик сидел у огня.", "Ты опять не спишь, сказала Марья.", "Думаю о том, что"),
    "es": ("El viejo miró el mar.", "¿No duermes todavía?", "Pienso en los barcos que"),
    "fr": ("Le vieux leva la tête.", "Tu ne dors pas encore ?", "Non. Je pense à ceux"),
    "pl": ("Nikt nie mówił.", "Nie śpisz jeszcze?", "Nie – odpowiedział. – Myślę o statkach"),
    "cs": ("Nikdo nemluvil.", "Vidíš tu sbírku?", "Ty kostry jsou zřejmým důsledkem"),
    "en": ("The old man raised his head.", "Are you awake, Mary?", "I am, and looking at Captain"),
}


@pytest.mark.parametrize("language", SPOKEN)
@pytest.mark.parametrize("dash", ["— ", "—", "– ", "-- "])
@pytest.mark.parametrize("between", ["\n", "\n\n"])
def test_speech_behind_a_dash_is_no_signature(language: str, dash: str, between: str) -> None:
    told, asked, cut = SPOKEN[language]
    said = between.join([told, dash + asked, dash + cut])
    assert not looks_finished(said, language)
    assert looks_finished(f"{said}.", language)


@pytest.mark.parametrize(
    "source",
    [
        "— Mara Lind",
        "-- Mara Lind, keeper of the lamp",
        "--- M. Lind",
        '    -- "The Lamp", act 2, as it was played in a small theatre',
        "    -- from a book of sayings about\n       lamps, edited by nobody",
        "──《灯》第二章",
        "— मारा",
    ],
)
def test_who_said_it_stands_behind_a_dash(source: str) -> None:
    assert looks_finished(f"{STORY}\n\n{source}")
    assert looks_finished(f"{STORY}\n{source}")
    assert looks_finished(f"{STORY}\n{source}\n\n{STORY}\n{source}")
    assert not looks_finished(f"{STORY.removesuffix('.')} and\n\n{source}".replace("    ", ""))


UNMARKED = {
    "en": "the river carries what it cannot name\na shoe a letter half a door\nand every stone",
    "ja": "古池や\n蛙飛びこむ\n水の音",
    "ko": "산에는 꽃 피네\n꽃이 피네\n갈 봄 여름 없이\n꽃이 피네",
    "ur": "زبان ایک سمندر ہے\nجس کا کوئی کنارہ نہیں\nہم اس کے مسافر ہیں\nاور کوئی سہارا نہیں",
    "fa": "الا یا ایها الساقی ادر کاسا و ناولها\nکه عشق آسان نمود اول ولی افتاد مشکل‌ها\nبه بوی",
    "zh": "床前明月光\n疑是地上霜\n举头望明月\n低头思故乡",
}
CHAT = """\
[10:02] anna: is the lamp lit again?
[10:03] ben: almost, two ropes left
[10:03] anna: which ones
[10:04] ben: the one at the quay, and that of the bell
[10:07] anna: ok, i take the bell
[10:21] ben: done"""
MARKED_POEM = """\
The harbour wakes, the lamps go out,
the gulls are screaming on the quay.
The ropes are wet, the sails are old,
and nobody has asked for me.

The fog has taken every boat,
the bell is ringing far away.
A man is standing at the wall
and waiting for the end of"""


@pytest.mark.parametrize("language", UNMARKED)
def test_a_poem_of_one_stanza_is_held_to_its_lines(language: str) -> None:
    poem = UNMARKED[language]
    assert looks_finished(poem, language)
    assert looks_finished(f"{poem}\n\n{poem}", language)
    assert looks_finished(f"{STORY}\n\n{poem}", language)


def test_a_transcript_is_held_to_what_was_said() -> None:
    assert looks_finished(CHAT)
    names = CHAT.replace("[10:", "").replace("]", "")
    assert looks_finished("\n".join(line[3:] for line in names.split("\n")))


def test_a_poem_with_sentence_marks_ends_with_one() -> None:
    assert not looks_finished(MARKED_POEM)
    assert looks_finished(f"{MARKED_POEM} day.")


@pytest.mark.parametrize("width", [60, 72])
def test_broken_lines_are_no_verse(width: int) -> None:
    told = "gulls circled the empty quay while Mara counted the ropes and the lamps of the harbour "
    assert not looks_finished(f"{STORY}\n\n{textwrap.fill(told * 5, width)}")


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_script_without_stops_is_held_to_one_other_paragraph(count: int) -> None:
    thai = [
        "ตอนเป็นเด็กฉันอยู่ที่เชียงใหม่ บ้านของเราอยู่ติดกับแม่น้ำ ทุกเช้าแม่จะทำข้าวต้มให้กิน",
        "เมื่อโตขึ้นฉันย้ายมากรุงเทพ แต่ยังคิดถึงเสียงน้ำตอนกลางคืนอยู่เสมอ ทุกวันที่ทำงานหนัก",
        "ปีนี้ฉันจะกลับไปเยี่ยมบ้านอีกครั้ง และจะทำข้าวต้มให้แม่กินบ้าง เหมือนเมื่อก่อน",
        "หลังจากนั้นไม่นานเขาก็หายดี และสอนให้ฉันปั้นหม้อใบแรกในชีวิต ที่ริมแม่น้ำสายเดิม",
    ]
    assert looks_finished("\n\n".join(thai[:count]), "th")


def test_links_listings_and_short_items_are_no_habit_of_prose() -> None:
    badges = "\n\n".join(f".. image:: https://example.org/{name}" * 2 for name in "abcd")
    code = "\n\n".join(
        f"    harbour = open_harbour({name}, lamps, ropes and bells) or nothing" for name in "abcd"
    )
    cut = "Gulls circled the empty quay, and Mara counted the ropes of the harbour while nobody"
    assert not looks_finished(f"{badges}\n\n{cut}")
    assert not looks_finished(f"{STORY}\n\n{code}\n\n{cut}")
    items = f"- {STORY}\n- a rope\n- a lamp\n- a bell\n- {STORY}"
    assert not looks_finished(f"{STORY}\n\n{items}\n- {cut}")
    assert looks_finished(f"{STORY}\n\n{items}\n- a net")


LETTERS = {
    "zh": (
        "亲爱的爸爸妈妈：\n\n我在学校一切都好，请不要担心。",
        ["你的女儿\n小红", "李华"],
        ["等放假了我就回家看"],
    ),
    "ja": (
        "お久しぶりです。来月お会いできるのを楽しみにしています。",
        ["田中花子", "敬具"],
        ["またお便りを書きたいと"],
    ),
    "ko": (
        "어머니께\n\n저는 잘 지내고 있습니다.",
        ["아들 민수 올림", "민수"],
        ["방학이 되면 저는 집에"],
    ),
    "ar": (
        "عزيزي أحمد،\n\nأكتب إليك من القاهرة.",
        ["صديقك المخلص\nمحمد"],
        ["أرجو أن تزورنا قريبا في مدينة"],
    ),
    "he": (
        "אמא יקרה,\n\nהכול בסדר אצלי.",
        ["שלך, דוד", "באהבה\nדוד"],
        ["אבוא הביתה בקרוב מאוד כי"],
    ),
    "hi": ("प्रिय माँ,\n\nमैं यहाँ ठीक हूँ।", ["आपका बेटा\nराम", "राम"], ["जल्दी ही मैं घर आऊँगा और"]),
    "th": ("ถึงคุณแม่\n\nผมสบายดี ไม่ต้องเป็นห่วง", ["รัก\nสมชาย"], []),
    "ru": (
        "Дорогая мама!\n\nУ меня всё хорошо.",
        ["Твой сын Иван", "Целую\nтвоя Катя"],
        ["Скоро приеду и"],
    ),
    "de": (
        "Liebe Anna,\n\nmir geht es gut.",
        ["Dein Tom", "Bis bald\ndein Tom"],
        ["Bald komme ich nach"],
    ),
    "en": (
        "Dear Anna,\n\nthe garden is finished at last.",
        [
            "Best wishes\n\nTom",
            "Your loving son\n\nwilliam",
            "Yours,\n\nT.",
            "P.S. Bring the dog",
            "XOXO",
            "Jane Doe\nHead of Sales\nTel. 030 1234567",
            "Sincerely,\n\nJane Doe\nHead of Sales\nTel. 030",
        ],
        [
            "We ate the first",
            "And then Tom",
            "Tom said",
            "We ate the first tomatoes on Sunday and Tom",
        ],
    ),
}


@pytest.mark.parametrize("language", LETTERS)
def test_a_sign_off_is_known_by_its_layout(language: str) -> None:
    letter, signed, cuts = LETTERS[language]
    for end in signed:
        assert looks_finished(f"{letter}\n\n{end}", language), end
    for end in cuts:
        assert not looks_finished(f"{letter}\n\n{end}", language), end


NOTED = "The youngest was called Dummling,[*] and was laughed at.\n\nHe lived content.\n\n"


def test_a_footnote_explains_what_has_its_mark() -> None:
    assert looks_finished(f"{NOTED}[*] Simpleton")
    assert looks_finished(NOTED.replace("[*]", "[1]") + "[1] Simpleton")
    assert looks_finished(NOTED.replace("[*]", "¹") + "¹ Simpleton")
    assert not looks_finished(f"{NOTED}[2] Simpleton"), "nothing in the text has this mark"
    long = "He was called that because the people of those days were of the opinion that a fool"
    assert not looks_finished(f"{NOTED}[*] {long}")


@pytest.mark.parametrize(
    "end",
    [
        "Set `PYRIGHT",
        "Read the `documentation <https://example.org/en/lat",
        "See <https://example.org/en",
        "It is described in [the guide](https://example.org/gui",
    ],
)
def test_code_and_links_that_are_open_are_no_end(end: str) -> None:
    assert not looks_finished(f"All of it is explained.\n\n{end}")


@pytest.mark.parametrize(
    "end",
    [
        "Set `PYRIGHT`",
        "Read the `documentation <https://example.org/en/latest>`_",
        "See <https://example.org/en>",
        "Old texts quote `like this' and `this'.",
        "It is described in [the guide](https://example.org/guide)",
    ],
)
def test_code_and_links_that_are_closed_are_one(end: str) -> None:
    assert looks_finished(f"All of it is explained.\n\n{end}")


def test_a_line_of_a_poem_is_no_name() -> None:
    poem = (
        "Blow, breezes, blow,\nOver the dales,\nOver the rocks,\nOver the hills,\nInto the sea,\n"
    )
    assert not looks_finished(f"{poem}Away be it whirl")
    assert looks_finished("I thank you for all of it.\n\nYours truly,\nAnna Berg")
