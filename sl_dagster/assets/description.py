"""What an asset's page shows of a stage: counts, lengths, a histogram, samples.

Everything is taken from the stored files, so a stage that is reused tells the same as a new one.
"""

import base64
import io
from collections.abc import Sequence
from typing import Any

import dagster as dg
import numpy as np

from sl_dagster.adapters import Adapter
from sl_dagster.records import Record
from sl_dagster.resources.stage_store import StoredStage

_SAMPLE_EDGE = 120  # characters of a text's beginning and end


def stage_result(
    stage: StoredStage, adapter: Adapter | None = None, more: dict[str, Any] | None = None
) -> dg.MaterializeResult:
    """What a stage's asset returns: the stored records, described.

    Args:
        stage: the stage, published or not.
        adapter: whose weights wrote it, if a model did.
        more: further metadata.
    """
    facts = stage.manifest
    metadata: dict[str, Any] = {
        "records_in": facts["records_in"],
        "kept": facts["kept"],
        "dropped": sum(facts["dropped"].values()),
        **{f"dropped_{reason}": count for reason, count in sorted(facts["dropped"].items())},
        **{f"retried_{reason}": count for reason, count in sorted(facts["retried"].items())},
        **length_metadata(_kept_words(stage)),
        **_samples(stage),
        "parquet": dg.MetadataValue.path(str(stage.path)),
        "fingerprint": facts["fingerprint"],
    }
    if "truncated" in facts:
        metadata["truncated_generations"] = facts["truncated"]
    if "tokens_per_second" in facts:
        metadata["tokens_per_second"] = facts["tokens_per_second"]
        metadata["generated_tokens"] = facts["generated_tokens"]
        metadata["seconds"] = facts["seconds"]
    if adapter:
        metadata |= adapter_metadata(adapter)
    metadata |= overrides_metadata(facts.get("overrides"))
    return dg.MaterializeResult(
        value=stage,
        data_version=dg.DataVersion(stage.content_hash),
        metadata=metadata | (more or {}),
    )


def length_metadata(words: Sequence[int]) -> dict[str, Any]:
    """Mean, p10, p50, p90 and maximum of numbers of words, as numbers, and their histogram."""
    if not words:
        return {}
    p10, p50, p90 = (float(p) for p in np.percentile(words, [10, 50, 90]))
    return {
        "mean_words": round(float(np.mean(words)), 1),
        "p10_words": round(p10, 1),
        "p50_words": round(p50, 1),
        "p90_words": round(p90, 1),
        "max_words": max(words),
        "lengths": histogram(words),
    }


def adapter_metadata(adapter: Adapter) -> dict[str, Any]:
    """Which adapter wrote a stage."""
    return {
        "adapter": adapter.fingerprint,
        "adapter_from": (
            f"{adapter.role}_lora of iteration {adapter.iteration}"
            if adapter.path
            else "base model"
        ),
    }


def overrides_metadata(overrides: dict[str, Any] | None) -> dict[str, Any]:
    """The settings with which a result was launched, where they were not the experiment's."""
    return {"overrides": dg.MetadataValue.json(overrides)} if overrides else {}


def histogram(words: Sequence[int]) -> dg.MarkdownMetadataValue:
    """A picture of how the lengths are distributed."""
    figure, axes = new_figure()
    axes.hist(words, bins=min(30, max(5, len(set(words)))), color="#4f6bed", edgecolor="white")
    axes.axvline(float(np.mean(words)), color="#c2410c", linewidth=2)
    axes.set_xlabel("words (line: mean)")
    axes.set_ylabel("records")
    return picture(figure, "histogram of lengths")


def new_figure() -> tuple[Any, Any]:
    """An empty plot of the size that an asset's page shows."""
    # Imported late and without pyplot: definitions load without it, and no global state is kept.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.2), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def picture(figure: Any, title: str) -> dg.MarkdownMetadataValue:
    """A plot as metadata that the web UI shows as a picture."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")


def _kept_words(stage: StoredStage) -> list[int]:
    pairs = zip(stage.column("words"), stage.column("kept"), strict=True)
    return [words for words, kept in pairs if kept]


def _samples(stage: StoredStage) -> dict[str, dg.MetadataValue]:
    """The shortest, the median and the longest kept record, at a glance and in full."""
    words, kept = stage.column("words"), stage.column("kept")
    order = sorted((index for index, good in enumerate(kept) if good), key=words.__getitem__)
    if not order:
        return {}
    chosen = {order[0]: "shortest", order[len(order) // 2]: "median", order[-1]: "longest"}
    found = list(zip(chosen.values(), stage.at(list(chosen)), strict=True))
    return {
        "samples": dg.MetadataValue.table([_row(*pair) for pair in found], schema=_SAMPLE_SCHEMA),
        "sample_texts": dg.MetadataValue.md("\n\n".join(_in_full(*pair) for pair in found)),
    }


_SAMPLE_SCHEMA = dg.TableSchema(
    columns=[
        dg.TableColumn("sample"),
        dg.TableColumn("words", "int"),
        dg.TableColumn("record_id"),
        dg.TableColumn("text"),
    ]
)


def _row(name: str, record: Record) -> dg.TableRecord:
    text = " ".join(record.written.split())
    if len(text) > 2 * _SAMPLE_EDGE:
        text = f"{text[:_SAMPLE_EDGE]} [...] {text[-_SAMPLE_EDGE:]}"
    return dg.TableRecord(
        {"sample": name, "words": record.words, "record_id": record.record_id, "text": text}
    )


def _in_full(name: str, record: Record) -> str:
    """A sample as Markdown; what a model wrote stands in a code block, so that it stays text."""
    parts = [f"**{name}, {record.words} words** (`{record.record_id}`)"]
    if record.instruction:
        parts.append(_as_code(record.instruction))
    return "\n\n".join([*parts, _as_code(record.written)])


def _as_code(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
