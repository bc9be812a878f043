"""Plots by matplotlib: what asset pages, cards and the report draw alike.

They stand on a paper of their own, so that they can be read on a light and on a dark page: no
colour of words is far enough from both. How a page shows a picture belongs to the page.
"""

import base64
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sl_dagster.method.text_decay import PARTS
from sl_dagster.results.decay import ModelDecay
from sl_dagster.results.growth import GrowthRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Words in each but QUIET have a contrast of at least 4.5:1 to the paper, and QUIET has 3:1.
PAPER = "white"
MAIN = "#3d56d8"
OTHER = "#b45309"
QUIET = "#8b93a1"
TEXT = "#4b5563"
DECAY_MEASURES = {
    "repetition": "4-grams that occurred before",
    "distinct_2": "Distinct-2 (falls with length)",
    "self_similarity": "similarity to other fifths",
}
_STYLE: dict[Any, Any] = {
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "font.size": 10.5,
    "svg.fonttype": "none",  # text stays text, in the page's own sharpness
    "svg.hashsalt": "sl-dagster",  # equal pictures are equal files
}


def drawn(draw: Callable[..., None], height: float, panels: int = 1, format: str = "svg") -> bytes:
    """A plot as a file's content.

    Args:
        draw: draws on the axes that it is given, one argument per panel.
        height: in inches; the width is that of an asset's page.
        panels: how many plots stand side by side.
        format: of the file, as matplotlib names it.
    """
    # Imported late and without pyplot: definitions load without it, and no global state is kept.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    buffer = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4 if panels == 1 else 9.6, height), layout="constrained")
        draw(*figure.subplots(1, panels, squeeze=False)[0])
        facts = {"Date": None} if format == "svg" else None  # equal pictures are equal files
        figure.savefig(buffer, format=format, metadata=facts)
    return buffer.getvalue()


def data_uri(svg: bytes) -> str:
    """A plot as an address that holds it."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def beside(axes: "Axes", label: str, x: float, y: float) -> None:
    """Write a label to the right of a point."""
    axes.annotate(label, (x, y), (5, 0), textcoords="offset points", va="center")


def growth_curve(rows: list[GrowthRow]) -> Callable[..., None]:
    """What draws mean, median, and the band between p10 and p90, over the iterations."""
    iterations = [row.iteration for row in rows]
    scores = [row.scores for row in rows]
    control = [(row.iteration, row.control.mean_words) for row in rows if row.control]

    def draw(axes: Any) -> None:
        band = [[s.p10_words for s in scores], [s.p90_words for s in scores]]
        axes.fill_between(iterations, *band, color=MAIN, alpha=0.2, label="p10 to p90")
        axes.plot(iterations, [s.median_words for s in scores], "--", color=MAIN, label="median")
        means = [s.mean_words for s in scores]
        axes.plot(iterations, means, marker="o", color=MAIN, label="mean")
        for iteration, mean in zip(iterations, means, strict=True):
            axes.annotate(
                f"{mean:.0f}", (iteration, mean), (0, 7), textcoords="offset points", ha="center"
            )
        if control:
            axes.plot(*zip(*control, strict=True), marker="s", color=QUIET, label="control, mean")
        axes.legend(loc="upper left")
        axes.set_xticks(iterations)
        axes.margins(x=0.12)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("iteration (0: base model)")
        axes.set_ylabel("words of held-out answers")

    return draw


def decay_curves(chosen: Sequence[ModelDecay]) -> Callable[..., None]:
    """What draws one panel per measure with one line per model, from fifth to fifth."""

    def draw(*panels: Any) -> None:
        from matplotlib import colormaps

        # Not the end of the map, which is too light for the paper.
        shades = [0.7 * place / max(1, len(chosen) - 1) for place in range(len(chosen))]
        fifths = range(1, PARTS + 1)
        for axes, (measure, title) in zip(panels, DECAY_MEASURES.items(), strict=True):
            for one, shade in zip(chosen, shades, strict=True):
                if one.decay.parts:
                    values = [getattr(part, measure) for part in one.decay.parts]
                    color = colormaps["viridis"](shade)
                    axes.plot(fifths, values, marker="o", color=color, label=_label(one))
            axes.set_title(title, fontsize=9)
            axes.set_xticks(fifths)
            axes.set_xlabel("fifth of the text")
        panels[0].legend(fontsize=7)

    return draw


def _label(one: ModelDecay) -> str:
    too_short = f", {one.decay.too_short} too short" if one.decay.too_short else ""
    return f"{one.model} ({one.decay.texts} texts{too_short})"
