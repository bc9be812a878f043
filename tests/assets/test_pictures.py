"""The pictures: what stands in them, and that both themes can read them."""

import base64
from xml.etree import ElementTree

import dagster as dg

from sl_dagster.assets.pictures import lengths_picture, outcomes_picture


def texts(picture: dg.MarkdownMetadataValue) -> list[str]:
    """The texts of a picture, in the order of drawing."""
    return [str(node.text) for node in root(picture).iter("{http://www.w3.org/2000/svg}text")]


def root(picture: dg.MarkdownMetadataValue) -> ElementTree.Element:
    markdown = str(picture.value)
    start, _, encoded = markdown.partition("](data:image/svg+xml;base64,")
    assert start.startswith("![")
    return ElementTree.fromstring(base64.b64decode(encoded.removesuffix(")")))


def test_before_and_after_are_one_picture() -> None:
    shown = texts(lengths_picture([200, 220, 260], before=[90, 100, 120]))
    assert {"before", "after", "records"} <= set(shown)
    alone = texts(lengths_picture([200]))
    assert not {"before", "after"} & set(alone)


def test_every_reason_has_a_bar_with_its_count() -> None:
    shown = texts(outcomes_picture(1500, {"selection": 700}, {"repetition": 20, "selection": 3}))
    assert [name for name in shown if name in ("kept", "repetition", "selection")] == [
        "kept", "selection", "repetition",
    ]  # fmt: skip
    assert {"1,500", "703", "20", "dropped", "tried again"} <= set(shown)
    assert "dropped" not in texts(outcomes_picture(3, {}, {}))


def test_pictures_are_transparent_and_equal_when_drawn_again() -> None:
    picture = outcomes_picture(5, {"empty": 1}, {})
    assert picture.value == outcomes_picture(5, {"empty": 1}, {}).value
    backgrounds = [
        path.get("style", "")
        for group in root(picture).iter("{http://www.w3.org/2000/svg}g")
        if group.get("id") in ("patch_1", "patch_2")
        for path in group
    ]
    assert backgrounds
    assert all("opacity: 0" in style or "fill: none" in style for style in backgrounds)
