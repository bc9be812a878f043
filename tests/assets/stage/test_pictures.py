"""The pictures: what stands in them, and where the web UI shows them."""

import re
from urllib.parse import unquote
from xml.etree import ElementTree

import dagster as dg
import numpy as np

from sl_dagster.assets.stage.pictures import (
    asked_picture,
    bars_picture,
    growth_picture,
    lengths_picture,
    lines_picture,
    outcomes_picture,
)
from sl_dagster.results.growth import GrowthRow, HeldoutScores
from sl_dagster.results.plots import MAIN, OTHER, PAPER, QUIET, TEXT

SHOWN_ON_THE_PAGE = 999  # characters of Markdown; what is longer, the web UI shows after a click


def drawn(picture: dg.MarkdownMetadataValue) -> ElementTree.Element:
    """The picture's SVG, parsed, if the web UI shows it on the page and it fits there."""
    assert len(str(picture.value)) <= SHOWN_ON_THE_PAGE
    start, _, encoded = str(picture.value).partition("](<data:image/svg+xml,")
    assert start.startswith("![")
    svg = ElementTree.fromstring(unquote(encoded.removesuffix(">)")))
    assert int(svg.attrib["width"]) <= 280, "the column that is seen at 1280 pixels"
    assert svg.attrib["style"] == f"background:{PAPER}"
    for text in svg.iter("{http://www.w3.org/2000/svg}text"):
        assert text.get("fill") in (None, MAIN, OTHER), "all others are too light for words"
    return svg


def contrast(color: str) -> float:
    """Of a colour to white, as WCAG 2 defines it."""
    shares = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.03928 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 1.05 / (float(np.dot([0.2126, 0.7152, 0.0722], linear)) + 0.05)


def test_words_and_lines_stand_out_from_the_paper() -> None:
    assert PAPER == "white"
    assert min(contrast(color) for color in (MAIN, OTHER, TEXT)) >= 4.5
    assert contrast(QUIET) >= 3


def texts(picture: dg.MarkdownMetadataValue) -> list[str]:
    return [str(node.text) for node in drawn(picture).iter("{http://www.w3.org/2000/svg}text")]


def colors(picture: dg.MarkdownMetadataValue) -> list[str]:
    paths = drawn(picture).iter("{http://www.w3.org/2000/svg}path")
    return [path.attrib["fill"] for path in paths if path.get("fill") != "none"]


def test_before_and_after_are_one_picture() -> None:
    both = lengths_picture([200, 220, 270], before=[90, 100, 120])
    assert colors(both) == [QUIET, MAIN]
    assert texts(both) == ["before mean 103", "after mean 230", "90", "180", "270 words"]
    alone = lengths_picture([200])
    assert colors(alone) == [MAIN]
    assert texts(alone)[0] == "mean 200"


def test_lengths_of_real_models_are_shown_on_the_page() -> None:
    draw = np.random.default_rng(0)
    words = draw.normal(7_000, 1_500, 10_000).astype(int).tolist()
    before = draw.normal(3_000, 900, 10_000).astype(int).tolist()
    assert len(texts(lengths_picture(words, before))) == 5


def test_every_reason_has_a_bar_with_its_count() -> None:
    picture = outcomes_picture(1500, {"selection": 700}, {"repetition": 20, "selection": 3})
    assert texts(picture) == [
        "kept 1,500", "selection 703 (3 retried)", "repetition 20 (20 retried)",
    ]  # fmt: skip
    assert colors(picture) == [MAIN, OTHER, QUIET]
    assert texts(outcomes_picture(3, {}, {})) == ["kept 3"]
    assert texts(outcomes_picture(0, {}, {})) == ["kept 0"]


def test_every_bar_is_as_long_as_its_value() -> None:
    dimensions = ["relevance", "coherence", "accuracy", "consistency", "clarity", "creativity"]
    rows = [(name, place + 1.0, f"{place + 1}.0") for place, name in enumerate(dimensions)]
    picture = bars_picture("scores", [*rows, ("engagement", 10.0, "10.0")], best=10)
    assert texts(picture)[0] == "relevance 1.0"
    [path] = drawn(picture).iter("{http://www.w3.org/2000/svg}path")
    widths = [int(width) for width in re.findall(r"h(\d+)", path.attrib["d"])]
    assert np.allclose(np.array(widths) / widths[-1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1], atol=0.01)
    models = [f"longbench_write {model}" for model in ("base", "1", "2", "3", "aligned")]
    assert len(texts(bars_picture("scores", [(name, 0.5, "50.4") for name in models * 2]))) == 10


def test_a_loss_curve_is_shown_on_the_page_whatever_it_holds() -> None:
    steps = np.arange(1, 5_001)
    falling = [(float(x), 3 / x**0.2) for x in steps]
    nans = [(float(x), float("nan")) for x in steps]
    few = [(float(x), 2.9) for x in (0, 2_500, 5_000)]
    picture = lines_picture("loss curve", [("training", falling), ("evaluation", few)], "step")
    assert texts(picture) == [
        "training 3 to 0.546", "evaluation 2.9 to 2.9", "0", "step 5,000",
    ]  # fmt: skip
    assert texts(lines_picture("loss curve", [("training", nans)], "step")) == ["0", "step 0"]
    assert texts(lines_picture("loss curve", [("training", few[:1])], "step"))[-1] == "step 0"


def test_asked_and_written_words_of_a_whole_benchmark_are_shown_on_the_page() -> None:
    draw = np.random.default_rng(0)
    asked = draw.choice([2_000, 3_000, 4_000, 5_500, 7_000, 8_000], 240).tolist()
    written = [int(words * draw.uniform(0.3, 1.4)) for words in asked]
    assert texts(asked_picture(asked, written))[-1].endswith("words asked for")
    many = draw.uniform(100, 400, 240).tolist()
    assert texts(asked_picture(many, [100] * 240))[-1] == f"{max(many):,.0f} words asked for"
    assert texts(asked_picture([300], [0]))[-1] == "300 words asked for"


def test_growth_is_shown_on_the_page_beside_its_control() -> None:
    def row(iteration: int, words: float, control: float | None) -> GrowthRow:
        scores = [HeldoutScores(64, mean, mean / 2, mean, 1.5 * mean, 1.0, 1.0)
                  for mean in (words, control) if mean]  # fmt: skip
        return GrowthRow(iteration, scores[0], None, scores[1] if control else None)

    rows = [row(0, 980, 980), row(1, 1_900, 960), row(2, 3_700, 990), row(3, 7_200, 970)]
    picture = growth_picture(rows)
    assert texts(picture) == [
        "base: 980", "1: 1,900", "2: 3,700", "3: 7,200", "mean words, p10 to p90", "control",
    ]  # fmt: skip
    many = [row(place, 1_000 + 700 * place, 980) for place in range(11)]
    assert texts(growth_picture(many))[:3] == ["2: 2,400", "6: 5,200", "10: 8,000"]
    alone = growth_picture([row(0, 980, None)])
    assert texts(alone) == ["base: 980", "mean words, p10 to p90"]
