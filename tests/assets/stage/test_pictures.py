"""The pictures: what stands in them, and where the web UI shows them."""

from urllib.parse import unquote
from xml.etree import ElementTree

import dagster as dg
import numpy as np

from sl_dagster.assets.stage.pictures import growth_picture, lengths_picture, outcomes_picture
from sl_dagster.results.growth import GrowthRow, HeldoutScores
from sl_dagster.results.plots import MAIN, OTHER, QUIET

SHOWN_ON_THE_PAGE = 999  # characters of Markdown; what is longer, the web UI shows after a click


def drawn(picture: dg.MarkdownMetadataValue) -> ElementTree.Element:
    """The picture's SVG, parsed."""
    start, _, encoded = str(picture.value).partition("](<data:image/svg+xml,")
    assert start.startswith("![")
    return ElementTree.fromstring(unquote(encoded.removesuffix(">)")))


def texts(picture: dg.MarkdownMetadataValue) -> list[str]:
    return [str(node.text) for node in drawn(picture).iter("{http://www.w3.org/2000/svg}text")]


def colors(picture: dg.MarkdownMetadataValue) -> list[str]:
    paths = drawn(picture).iter("{http://www.w3.org/2000/svg}path")
    return [path.attrib["fill"] for path in paths]


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
    assert len(str(lengths_picture(words, before).value)) <= SHOWN_ON_THE_PAGE


def test_every_reason_has_a_bar_with_its_count() -> None:
    picture = outcomes_picture(1500, {"selection": 700}, {"repetition": 20, "selection": 3})
    assert texts(picture) == [
        "kept", "1,500", "selection", "703 (3 retried)", "repetition", "20 (20 retried)",
    ]  # fmt: skip
    assert colors(picture) == [MAIN, OTHER, QUIET, QUIET]
    assert len(str(picture.value)) <= SHOWN_ON_THE_PAGE
    assert texts(outcomes_picture(3, {}, {})) == ["kept", "3"]


def test_growth_is_shown_on_the_page_beside_its_control() -> None:
    def row(iteration: int, words: float, control: float | None) -> GrowthRow:
        scores = [HeldoutScores(64, mean, mean / 2, mean, 1.5 * mean, 1.0, 1.0)
                  for mean in (words, control) if mean]  # fmt: skip
        return GrowthRow(iteration, scores[0], None, scores[1] if control else None)

    rows = [row(0, 980, 980), row(1, 1_900, 960), row(2, 3_700, 990), row(3, 7_200, 970)]
    picture = growth_picture(rows)
    assert len(str(picture.value)) <= SHOWN_ON_THE_PAGE
    assert texts(picture) == [
        "base: 980", "1: 1,900", "2: 3,700", "3: 7,200", "mean words, p10 to p90", "control",
    ]  # fmt: skip
    alone = growth_picture([row(0, 980, None)])
    assert texts(alone) == ["base: 980", "mean words, p10 to p90"]
