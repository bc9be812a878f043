"""The pictures on the assets' pages: SVG on a paper of their own, so that any page can show them.

Dagster's web UI shows Markdown of up to 999 characters on the page itself, and longer ones after a
click. So what a page begins with is drawn here in few characters, as wide as the column of values
is in a window of 1280 pixels; what needs axes with more on them is drawn by matplotlib
(``sl_dagster/results/plots.py``) and stands further down.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import TypeVar
from urllib.parse import quote

import dagster as dg
import numpy as np

from sl_dagster.results.growth import GrowthRow
from sl_dagster.results.plots import MAIN, OTHER, PAPER, QUIET, TEXT, data_uri, drawn

_Item = TypeVar("_Item")

WIDTH = 280  # pixels, of every picture that a page shows without a click
_WIDTH, _HEIGHT, _BINS = 260, 90, 20  # of what is drawn on the paper
_POINTS = 30  # of a line; of more, each stands for the mean of several
_ROW, _LINE = 18, 14  # pixels from bar to bar, and from one line of words to the next
_ITERATIONS, _LABELS = 8, 4  # so many points have a place in the picture of growth, and labels
_UNQUOTED = " '/:=.,()-_"


def picture(
    title: str, draw: Callable[..., None], height: float = 2.9, panels: int = 1
) -> dg.MarkdownMetadataValue:
    """A plot as metadata that the web UI shows as a picture, after a click.

    Args:
        title: read out where the picture cannot be seen.
        draw: draws on the axes that it is given, one argument per panel.
        height: in inches; the width is that of an asset's page.
        panels: how many plots stand side by side.
    """
    return dg.MetadataValue.md(f"![{title}]({data_uri(drawn(draw, height, panels))})")


def lengths_picture(words: Sequence[int], before: Sequence[int] = ()) -> dg.MarkdownMetadataValue:
    """How lengths in words are distributed; behind them, those of the texts that they replace.

    Args:
        words: of what was made; at least one.
        before: of what the model was given to lengthen, if it was.
    """
    everything = [*before, *words]
    edges = np.histogram_bin_edges(everything, bins=min(_BINS, max(5, len(set(everything)))))
    series = [(before, QUIET, "before"), (words, MAIN, "after")] if before else [(words, MAIN, "")]
    counts = [np.histogram(values, edges)[0] for values, _, _ in series]
    highest = max(int(count.max()) for count in counts)
    step = _WIDTH // (len(edges) - 1)
    parts = [
        _steps(count * (_HEIGHT - 20) // highest, step, color)
        for count, (_, color, _) in zip(counts, series, strict=True)
    ]
    for place, (values, color, name) in enumerate(series):
        label = f"{name} mean {np.mean(values):,.0f}".strip()
        ink = "" if color == QUIET else color  # QUIET is too light for words
        parts.append(_text(label, 130 * place, 11, ink))
    right = step * (len(edges) - 1)
    for share in (0, 0.5, 1):
        number = edges[0] + share * (edges[-1] - edges[0])
        anchor = {0: "start", 0.5: "middle", 1: "end"}[share]
        label = f"{number:,.0f}" + (" words" if share == 1 else "")
        parts.append(_text(label, round(share * right), _HEIGHT + 14, anchor=anchor))
    return _small_picture("lengths", parts, _HEIGHT + 18)


def outcomes_picture(
    kept: int, dropped: Mapping[str, int], retried: Mapping[str, int]
) -> dg.MarkdownMetadataValue:
    """How many records were kept, and why the others and earlier attempts were not.

    Args:
        kept: records.
        dropped: records, by reason.
        retried: attempts that were followed by another one, by reason.
    """
    totals = Counter(dropped) + Counter(retried)
    labels, bars = [f"kept {kept:,}"], [(float(kept), 0.0)]
    for name, total in totals.most_common():
        again = retried.get(name, 0)
        labels.append(f"{name} {total:,}" + (f" ({again:,} retried)" if again else ""))
        bars.append((dropped.get(name, 0), again))
    return _rows("kept, dropped, tried again", labels, bars, OTHER)


def bars_picture(
    title: str, rows: Sequence[tuple[str, float, str]], best: float | None = None
) -> dg.MarkdownMetadataValue:
    """Values as bars under each other.

    Args:
        title: read out where the picture cannot be seen.
        rows: of each its name, its value and how that is written.
        best: what a bar of full width means; the highest value by default.
    """
    labels = [f"{name} {written}" for name, _, written in rows]
    return _rows(title, labels, [(value, 0.0) for _, value, _ in rows], MAIN, best)


def lines_picture(
    title: str, lines: Sequence[tuple[str, Sequence[tuple[float, float]]]], along: str
) -> dg.MarkdownMetadataValue:
    """Up to two lines over a common axis; what is no finite number is left out.

    Args:
        title: read out where the picture cannot be seen.
        lines: of each its name and its points, from left to right.
        along: what the axis counts.
    """
    finite = [
        (name, [(x, y) for x, y in points if math.isfinite(y)], color)
        for (name, points), color in zip(lines, (MAIN, OTHER), strict=False)
    ]
    everything = [point for _, points, _ in finite for point in points]
    left, right = (edge([x for x, _ in everything], default=0) for edge in (min, max))
    low, high = (edge([y for _, y in everything], default=0) for edge in (min, max))
    top = 6 + _LINE * len(finite)  # below the names
    parts: list[str] = []
    for place, (name, points, color) in enumerate(finite):
        if not points:
            continue
        means = [
            (
                _WIDTH * (x - left) / ((right - left) or 1),
                top + (_HEIGHT - top) * (high - y) / ((high - low) or 1),
            )
            for x, y in _thinned(points)
        ]
        parts.append(_line(means, color))
        label = f"{name} {points[0][1]:.3g} to {points[-1][1]:.3g}"
        parts.append(_text(label, 0, 11 + _LINE * place, color))
    parts.append(_text(f"{left:,g}", 0, _HEIGHT + 14))
    parts.append(_text(f"{along} {right:,g}", _WIDTH, _HEIGHT + 14, anchor="end"))
    return _small_picture(title, parts, _HEIGHT + 18)


def asked_picture(asked: Sequence[float], written: Sequence[int]) -> dg.MarkdownMetadataValue:
    """Lengths that were asked for, and what was written: the mean, and the band from p10 to p90.

    Args:
        asked: words that each query asks for; at least one.
        written: words of each answer.
    """
    highest = max(*asked, *written, 1)
    order = sorted(zip(asked, written, strict=True))
    groups = np.array_split(np.array(order, dtype=float), min(10, len(set(asked))))

    def at(x: float, y: float) -> str:
        return f"{round(_WIDTH * x / highest)} {round(_HEIGHT * (1 - y / highest))}"

    bands, dots = "", ""
    for group in groups:
        middle = float(group[:, 0].mean())
        low, high = np.percentile(group[:, 1], [10, 90])
        bands += f"M{at(middle, low)}L{at(middle, high)}"
        dots += f"M{at(middle, float(group[:, 1].mean()))}h0"
    parts = [
        f"<path d='M{at(0, 0)}L{at(highest, highest)}' stroke='{QUIET}'/>",
        f"<path d='{bands}' stroke='{MAIN}' stroke-width='2'/>",
        f"<path d='{dots}' stroke='{MAIN}' stroke-width='7' stroke-linecap='round'/>",
        _text("words written: mean, p10 to p90", 0, 11, MAIN),
        _text("line: as asked", _WIDTH, _HEIGHT - 4, anchor="end"),
        _text("0", 0, _HEIGHT + 14),
        _text(f"{highest:,.0f} words asked for", _WIDTH, _HEIGHT + 14, anchor="end"),
    ]
    return _small_picture("asked and written words", parts, _HEIGHT + 18)


def growth_picture(rows: Sequence[GrowthRow]) -> dg.MarkdownMetadataValue:
    """Mean words of held-out answers by iteration, in the band between p10 and p90.

    Args:
        rows: the iterations, the base model first; where they know the control's mean, it is drawn,
            too. At least one. Of many iterations not all are drawn.
    """
    rows = _some(rows, _ITERATIONS)
    highest = max(row.scores.p90_words for row in rows) or 1
    step = (_WIDTH - 60) // max(1, len(rows) - 1)

    def path(words: Iterable[float], places: Iterable[int]) -> list[tuple[float, float]]:
        return [
            (30 + step * place, _HEIGHT + 14 - _HEIGHT * value / highest)
            for place, value in zip(places, words, strict=False)
        ]

    places = range(len(rows))
    band = path((row.scores.p10_words for row in rows), places)
    band += path((row.scores.p90_words for row in reversed(rows)), reversed(places))
    controls = [row.control.mean_words for row in rows if row.control]
    parts = [_line(band, "none", f" fill='{MAIN}' opacity='.2'")]
    parts += [_line(path(controls, places), QUIET)] if controls else []
    parts.append(_line(path((row.scores.mean_words for row in rows), places), MAIN))
    for place, row in _some(list(enumerate(rows)), _LABELS):
        label = f"{row.iteration or 'base'}: {row.scores.mean_words:,.0f}"
        parts.append(_text(label, 30 + step * place, _HEIGHT + 30, anchor="middle"))
    parts.append(_text("mean words, p10 to p90", 0, 11, MAIN))
    parts += [_text("control", 160, 11)] if controls else []
    return _small_picture("growth over the iterations", parts, _HEIGHT + 34)


def _rows(
    title: str,
    labels: Sequence[str],
    bars: Sequence[tuple[float, float]],
    others: str,
    best: float | None = None,
) -> dg.MarkdownMetadataValue:
    """Labels under each other, and beside each a bar; in it, a further part may follow.

    Args:
        title: read out where the picture cannot be seen.
        labels: of the rows.
        bars: of each row, and of its further part.
        others: the colour of all bars but the first.
        best: what a bar of full width means; the longest one by default.
    """
    x = min(200, 8 + round(6.5 * max(map(len, labels))))  # a letter has 6.5 pixels, or fewer
    scale = (_WIDTH - x) / (best or max([sum(bar) for bar in bars] or [0]) or 1)
    drawn = {MAIN: "", others: "", QUIET: ""}
    for place, (first, second) in enumerate(bars):
        here = x
        for value, color in ((first, others if place else MAIN), (second, QUIET)):
            width = max(1, round(min(value * scale, _WIDTH - here))) if value > 0 else 0
            if width:
                drawn[color] += f"M{here} {_ROW * place}h{width}v14h-{width}"
            here += width
    parts = [f"<path d='{path}' fill='{color}'/>" for color, path in drawn.items() if path]
    parts += [_text(label, 0, _ROW * place + 12) for place, label in enumerate(labels)]
    return _small_picture(title, parts, _ROW * len(labels))


def _small_picture(title: str, parts: list[str], height: int) -> dg.MarkdownMetadataValue:
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height + 12}' "
        f"viewBox='-10 -6 {WIDTH} {height + 12}' style='background:{PAPER}' font-size='12' "
        f"font-family='sans-serif' fill='{TEXT}'>{''.join(parts)}</svg>"
    )
    # In angle brackets Markdown allows everything but these, so few characters need encoding.
    return dg.MetadataValue.md(f"![{title}](<data:image/svg+xml,{quote(svg, safe=_UNQUOTED)}>)")


def _some(items: Sequence[_Item], limit: int) -> list[_Item]:
    """Every item, or every second, or every third, ..., the last one among them."""
    return list(items[:: -math.ceil(len(items) / limit)][::-1])


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points of which each stands for several, if there are too many."""
    groups = np.array_split(np.array(points, dtype=float), min(_POINTS, len(points)))
    return [(fmean(group[:, 0]), fmean(group[:, 1])) for group in groups]


def _line(points: Iterable[tuple[float, float]], color: str, style: str = "") -> str:
    path = "L".join(f"{round(x)} {round(y)}" for x, y in points)
    style = style or f" fill='none' stroke='{color}' stroke-width='2'"
    return f"<path d='M{path}'{style}/>"


def _steps(heights: Iterable[int], step: int, color: str) -> str:
    """The outline of a histogram, filled."""
    path, here = f"M0 {_HEIGHT}", 0
    for height in heights:
        path += f"v{here - height}h{step}"
        here = height
    return f"<path d='{path}v{here}' fill='{color}' opacity='.7'/>"


def _text(text: str, x: int, y: int, color: str = "", anchor: str = "start") -> str:
    fill = f" fill='{color}'" if color else ""
    where = "" if anchor == "start" else f" text-anchor='{anchor}'"
    left = f" x='{x}'" if x else ""
    return f"<text{left} y='{y}'{fill}{where}>{text}</text>"
