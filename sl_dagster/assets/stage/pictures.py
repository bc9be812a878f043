"""The pictures on the assets' pages: SVG, readable on a light and on a dark page alike.

Dagster's web UI shows Markdown of up to 999 characters on the page itself, and longer ones after a
click. So lengths, outcomes and growth are drawn here in few characters; what needs axes with more
on them is drawn by matplotlib (``sl_dagster/results/plots.py``).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import quote

import dagster as dg
import numpy as np

from sl_dagster.results.growth import GrowthRow
from sl_dagster.results.plots import MAIN, OTHER, QUIET, TEXT, data_uri, drawn

_WIDTH, _HEIGHT, _BINS = 440, 110, 22
_UNQUOTED = " '/:=.,()-_"


def picture(
    title: str, draw: Callable[..., None], height: float = 2.9, panels: int = 1
) -> dg.MarkdownMetadataValue:
    """A plot as metadata that the web UI shows as a picture.

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
        parts.append(_text(label, 130 * place, 11, "" if color == QUIET else color))
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
    longest = max([kept, *totals.values(), 1])
    parts: list[str] = []
    rows = [("kept", kept, 0), *((name, dropped.get(name, 0), retried.get(name, 0))
                                 for name, _ in totals.most_common())]  # fmt: skip
    for place, (name, first, again) in enumerate(rows):
        y, x = 18 * place, 90
        parts.append(_text(name, 86, y + 12, anchor="end"))
        for count, color in ((first, OTHER if place else MAIN), (again, QUIET)):
            width = round(count * (_WIDTH - 170) / longest)
            if count:
                parts.append(f"<path d='M{x} {y}h{width}v15h-{width}' fill='{color}'/>")
            x += width
        tried = f" ({again:,} retried)" if again else ""
        parts.append(_text(f"{first + again:,}{tried}", x + 4, y + 12))
    return _small_picture("kept, dropped, tried again", parts, 18 * len(rows))


def growth_picture(rows: Sequence[GrowthRow]) -> dg.MarkdownMetadataValue:
    """Mean words of held-out answers by iteration, in the band between p10 and p90.

    Args:
        rows: the iterations, the base model first; where they know the control's mean, it is drawn,
            too. At least one.
    """
    highest = max(row.scores.p90_words for row in rows) or 1
    step = (_WIDTH - 40) // max(1, len(rows) - 1)

    def point(place: int, words: float) -> str:
        return f"{30 + step * place} {_HEIGHT + 14 - round(_HEIGHT * words / highest)}"

    def path(words: Iterable[float]) -> str:
        return "L".join(point(place, value) for place, value in enumerate(words))

    band = [*(point(place, row.scores.p10_words) for place, row in enumerate(rows))]
    band += [point(place, rows[place].scores.p90_words) for place in reversed(range(len(rows)))]
    controls = [row.control.mean_words for row in rows if row.control]
    line = "<path d='M{}' fill='none' stroke='{}' stroke-width='2'/>"
    parts = [f"<path d='M{'L'.join(band)}z' fill='{MAIN}' opacity='.2'/>"]
    parts += [line.format(path(controls), QUIET)] if controls else []
    parts.append(line.format(path(row.scores.mean_words for row in rows), MAIN))
    for place, row in enumerate(rows):
        label = f"{row.iteration or 'base'}: {row.scores.mean_words:,.0f}"
        parts.append(_text(label, 30 + step * place, _HEIGHT + 30, anchor="middle"))
    parts.append(_text("mean words, p10 to p90", 20, 11, MAIN))
    parts += [_text("control", 180, 11)] if controls else []
    return _small_picture("growth over the iterations", parts, _HEIGHT + 34)


def _small_picture(title: str, parts: list[str], height: int) -> dg.MarkdownMetadataValue:
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH + 40}' height='{height}' "
        f"font-size='12' font-family='sans-serif' fill='{TEXT}'>{''.join(parts)}</svg>"
    )
    # In angle brackets Markdown allows everything but these, so few characters need encoding.
    return dg.MetadataValue.md(f"![{title}](<data:image/svg+xml,{quote(svg, safe=_UNQUOTED)}>)")


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
    return f"<text x='{x}' y='{y}'{fill}{where}>{text}</text>"
