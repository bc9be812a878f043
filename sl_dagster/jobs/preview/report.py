"""How a preview is shown: as Markdown in the web UI, as tables and texts in the terminal."""

from textwrap import indent

from rich import box
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sl_dagster.experiment import Experiment
from sl_dagster.jobs.preview.cost import IterationCost
from sl_dagster.jobs.preview.run import Preview, PreviewedRecord
from sl_dagster.method.words import count_words

COST_COLUMNS: tuple[str, ...] = (
    "iteration", "generated tokens", "hours of generation", "trained tokens", "hours of training",
)  # fmt: skip
_ENOUGH = "Nothing was good enough to train on, so the cost of the full run is unknown."


def for_terminal(experiment: Experiment, preview: Preview) -> RenderableType:
    """The records, each with its texts side by side, and the costs."""
    parts: list[RenderableType] = []
    for number, record in enumerate(preview.records, start=1):
        parts.append(Text(f"\n{number}. {record.instruction}", style="bold"))
        parts.append(
            Columns(
                [
                    Panel(escape(text), title=f"{stage}, {count_words(text)} words", width=56)
                    for stage, text in record.texts
                ]
            )
        )
        parts.append(Text(_fate(record), style="yellow" if record.ended else "green"))
    table = Table(title=f"The full run of {experiment.name}", box=box.SIMPLE_HEAD)
    for name in COST_COLUMNS:
        table.add_column(name, justify="right")
    for row in cost_rows(preview):
        table.add_row(*row)
    return Group(*parts, "", table if preview.costs else _ENOUGH, *_facts(preview))


def as_markdown(experiment: Experiment, preview: Preview) -> str:
    """The same as Markdown; what a model wrote stands in code blocks, so that it stays text."""
    parts = [f"# The full run of {experiment.name}"]
    if preview.costs:
        header = " | ".join(COST_COLUMNS), " | ".join("---:" for _ in COST_COLUMNS)
        rows = [" | ".join(row) for row in cost_rows(preview)]
        parts.append("\n".join(f"| {line} |" for line in [*header, *rows]))
    else:
        parts.append(_ENOUGH)
    parts += _facts(preview)
    for number, record in enumerate(preview.records, start=1):
        parts += [f"## Record {number}", _as_code(record.instruction)]
        for stage, text in record.texts:
            parts += [f"**{stage}**, {count_words(text)} words", _as_code(text)]
        parts.append(_fate(record))
    return "\n\n".join(parts)


def headline(preview: Preview) -> list[str]:
    """What the full run costs, in short lines."""
    if not preview.costs:
        return ["**Costs are unknown**", "Nothing was good enough to train on"]
    hours = sum(cost.generation_hours + cost.training_hours for cost in preview.costs)
    return [f"**{hours:,.2f} hours**", f"for {len(preview.costs)} iterations on this machine"]


def cost_rows(preview: Preview) -> list[tuple[str, ...]]:
    """The costs of each iteration and of all together, as table cells."""
    each = [_sums(str(cost.iteration), [cost]) for cost in preview.costs]
    return [*each, _sums("all", preview.costs)]


def _sums(name: str, costs: list[IterationCost]) -> tuple[str, ...]:
    return (
        name,
        f"{sum(cost.generated_tokens for cost in costs):,.0f}",
        f"{sum(cost.generation_hours for cost in costs):,.2f}",
        f"{sum(cost.training_tokens for cost in costs):,.0f}",
        f"{sum(cost.training_hours for cost in costs):,.2f}",
    )


def _facts(preview: Preview) -> list[str]:
    memory = preview.memory
    return [
        f"Speeds are those of this machine; its engine, when full, generates "
        f"{preview.tokens_per_second:,.0f} tokens/s. Lengths are taken to grow from iteration to "
        "iteration as the extension made them grow here.",
        f"GPU memory (estimated from the model's shape): generation {memory.weights:,.1f} GiB for "
        f"the weights and {memory.cache_per_text:,.2f} GiB for each text of full length; training "
        f"{memory.training:,.1f} GiB with gradient checkpointing, at the longest example.",
    ]


def _fate(record: PreviewedRecord) -> str:
    return f"dropped by {record.ended}" if record.ended else "would be trained on"


def _as_code(text: str) -> str:
    return indent(text, "    ", lambda line: True)
