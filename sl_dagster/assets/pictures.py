"""The pictures on the assets' pages: SVG, readable on a light and on a dark page alike."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAIN = "#4f6bed"
OTHER = "#d9822b"
QUIET = "#9ca3af"
_TEXT = "#757c86"  # as far from white as from the dark theme's background
_STYLE: dict[Any, Any] = {
    "text.color": _TEXT,
    "axes.labelcolor": _TEXT,
    "axes.edgecolor": _TEXT,
    "xtick.color": _TEXT,
    "ytick.color": _TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "font.size": 10.5,
    "svg.fonttype": "none",  # text stays text, in the page's own sharpness
    "svg.hashsalt": "sl-dagster",  # equal pictures are equal files
}


def picture(
    title: str, draw: Callable[["Axes"], None], height: float = 2.9
) -> dg.MarkdownMetadataValue:
    """A plot as metadata that the web UI shows as a picture.

    Args:
        title: read out where the picture cannot be seen.
        draw: draws on the axes that it is given.
        height: in inches; the width is that of an asset's page.
    """
    # Imported late and without pyplot: definitions load without it, and no global state is kept.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    buffer = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, height), layout="constrained")
        draw(figure.add_subplot())
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{encoded})")


def lengths_picture(words: Sequence[int], before: Sequence[int] = ()) -> dg.MarkdownMetadataValue:
    """How lengths in words are distributed; behind them, those of the texts that they replace.

    Args:
        words: of what was made; at least one.
        before: of what the model was given to lengthen, if it was.
    """

    def draw(axes: "Axes") -> None:
        everything = [*before, *words]
        count = min(30, max(5, len(set(everything))))
        bins = np.histogram_bin_edges(everything, bins=count).tolist()
        if before:
            _histogram(axes, before, bins, QUIET, "before")
        _histogram(axes, words, bins, MAIN, "after" if before else None)
        axes.set_xlabel("words (dashed: mean)")
        axes.set_ylabel("records")
        if before:
            axes.legend()

    return picture("histogram of lengths", draw)


def outcomes_picture(
    kept: int, dropped: Mapping[str, int], retried: Mapping[str, int]
) -> dg.MarkdownMetadataValue:
    """How many records were kept, and why the others and earlier attempts were not.

    Args:
        kept: records.
        dropped: records, by reason.
        retried: attempts that were followed by another one, by reason.
    """
    reasons = sorted(
        {*dropped, *retried}, key=lambda name: -dropped.get(name, 0) - retried.get(name, 0)
    )
    gone = [dropped.get(reason, 0) for reason in reasons]
    again = [retried.get(reason, 0) for reason in reasons]

    def draw(axes: "Axes") -> None:
        axes.barh(["kept"], [kept], color=MAIN)
        if reasons:
            axes.barh(reasons, gone, color=OTHER, label="dropped")
            axes.barh(reasons, again, left=gone, color=QUIET, label="tried again")
            axes.legend(loc="lower right")
        for row, total in enumerate([kept, *np.add(gone, again)]):
            beside(axes, f"{total:,}", total, row)
        axes.set_ylim(len(reasons) + 0.6, -0.6)
        axes.margins(x=0.12)
        axes.tick_params(left=False)

    return picture(
        "kept and dropped records, by reason", draw, height=0.9 + 0.36 * (1 + len(reasons))
    )


def beside(axes: "Axes", label: str, x: float, y: float) -> None:
    """Write a label to the right of a point."""
    axes.annotate(label, (x, y), (5, 0), textcoords="offset points", va="center")


def _histogram(
    axes: "Axes", words: Sequence[int], bins: Sequence[float], color: str, label: str | None
) -> None:
    axes.hist(words, bins=bins, histtype="stepfilled", color=color, alpha=0.75, label=label)
    axes.axvline(float(np.mean(words)), color=color, linestyle="--")
