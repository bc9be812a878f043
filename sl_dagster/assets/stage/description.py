"""What an asset's page shows of a stage: counts, lengths, pictures, samples, where it came from.

Everything is taken from the stored files, so a stage that is reused tells the same as a new one.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import numpy as np

from sl_dagster.assets.stage.pictures import lengths_picture, outcomes_picture
from sl_dagster.lineage.addresses import asset_path, record_address, stage_address
from sl_dagster.resources.adapters import Adapter, asset_of, stage_of
from sl_dagster.resources.records import Record
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stored_stage import StoredStage

_SAMPLE_EDGE = 60  # characters of a text's beginning and end
_LINE = 90  # characters that fit beside each other


@dataclass(frozen=True)
class StagePage:
    """What the page of a stage has of its own.

    Attributes:
        headline: its most important figures, in short lines; by default how many records were
            kept, and how long they are.
        picture: what is seen first, by its name; the distribution of lengths by default.
        facts: its own figures.
        lengths: whether it is about texts, so that their lengths say something.
    """

    headline: tuple[str, ...] = ()
    picture: Mapping[str, dg.MetadataValue] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    lengths: bool = True


def stage_result(
    stage: StoredStage,
    made_from: Sequence[StoredStage | Adapter] = (),
    before: Sequence[int] = (),
    shown: StagePage | None = None,
) -> dg.MaterializeResult:
    """What a stage's asset returns: the stored records, described.

    What one looks for first comes first: a headline, a picture, what the stage's own figures are,
    then counts, lengths, samples, and where it all lies.

    Args:
        stage: the stage, current or not yet.
        made_from: the stages it was made from, and the adapter that wrote it if a model did.
        before: words of what the model was given to lengthen, to be shown beside the result.
        shown: what the page has of this stage's own.
    """
    manifest, shown = stage.manifest, shown or StagePage()
    words = kept_words(stage) if shown.lengths else []
    said = shown.headline or _counted(stage, words, before)
    metadata: dict[str, Any] = {"headline": headline(stage.key, *said), **shown.picture}
    if words and not shown.picture:
        metadata["lengths"] = lengths_picture(words, before)
    metadata |= shown.facts
    metadata |= {
        "outcomes": outcomes_picture(manifest["kept"], manifest["dropped"], manifest["retried"]),
        "records_in": manifest["records_in"],
        "kept": manifest["kept"],
        "dropped": sum(manifest["dropped"].values()),
        **{f"dropped_{reason}": count for reason, count in sorted(manifest["dropped"].items())},
        **{f"retried_{reason}": count for reason, count in sorted(manifest["retried"].items())},
        **length_metadata(words, before),
        **({"lengths": lengths_picture(words, before)} if words and shown.picture else {}),
        **_samples(stage),
        "all_records": dg.MetadataValue.url(stage_address(stage.key)),
        "parquet": dg.MetadataValue.path(str(stage.current_path)),
        "fingerprint": manifest["fingerprint"],
    }
    if "truncated" in manifest:
        metadata["truncated_generations"] = manifest["truncated"]
    if "replaced_characters" in manifest:  # of what came from outside and is no text
        metadata["replaced_characters"] = manifest["replaced_characters"]
    if "tokens_per_second" in manifest:
        metadata["tokens_per_second"] = manifest["tokens_per_second"]
        metadata["generated_tokens"] = manifest["generated_tokens"]
        metadata["seconds"] = manifest["seconds"]
    metadata |= made_from_metadata(stage.key.experiment, made_from)
    for adapter in made_from:
        if isinstance(adapter, Adapter):
            metadata |= adapter_metadata(adapter)
    metadata |= overrides_metadata(manifest.get("overrides"))
    return dg.MaterializeResult(
        value=stage, data_version=dg.DataVersion(stage.content_hash), metadata=metadata
    )


def headline(key: StageKey, *said: str) -> dg.MarkdownMetadataValue:
    """What a page begins with: which iteration or model it is about, and its main figures.

    Args:
        key: what the page is about.
        said: the figures, one to a line. The page does not break a line where its column ends.
    """
    if key.model is not None:
        place = f"Iteration {key.model}" if key.model.isdecimal() else f"The {key.model} model"
    elif key.iteration is not None:
        place = f"Iteration {key.iteration}"
    else:
        place, said = said[0], said[1:]
    return dg.MetadataValue.md("  \n".join([f"**{place}**", *said]))


def _counted(stage: StoredStage, words: Sequence[int], before: Sequence[int]) -> tuple[str, ...]:
    facts = stage.manifest
    kept = f"{facts['kept']:,} of {facts['records_in']:,} kept"
    if not words:
        return (kept,)
    grown = f" (before: {np.mean(before):,.0f})" if before else ""
    return (kept, f"{np.mean(words):,.0f} words on average{grown}")


def length_metadata(words: Sequence[int], before: Sequence[int] = ()) -> dict[str, Any]:
    """Mean, p10, p50, p90 and maximum of numbers of words.

    Args:
        words: of the kept texts.
        before: of what they were made from by lengthening; its mean is reported, too.
    """
    if not words:
        return {}
    p10, p50, p90 = (float(p) for p in np.percentile(words, [10, 50, 90]))
    return {
        "mean_words": round(float(np.mean(words)), 1),
        "p10_words": round(p10, 1),
        "p50_words": round(p50, 1),
        "p90_words": round(p90, 1),
        "max_words": max(words),
        **({"mean_words_before": round(float(np.mean(before)), 1)} if before else {}),
    }


def as_table(
    rows: Iterable[Mapping[str, Any]], texts: Sequence[str] = (), numbers: Sequence[str] = ()
) -> dg.TableMetadataValue:
    """Rows as a table on a page.

    Args:
        rows: of the same columns; if their names are not given, at least one.
        texts, numbers: names of the columns; by default these follow from the first row.
    """
    columns = [*map(dg.TableColumn, texts), *(dg.TableColumn(name, "float") for name in numbers)]
    records = [dg.TableRecord(dict(row)) for row in rows]
    return dg.MetadataValue.table(records, dg.TableSchema(columns) if columns else None)


def made_from_metadata(
    experiment: str, sources: Sequence[StoredStage | Adapter]
) -> dict[str, dg.MetadataValue]:
    """Links to the assets, at the right iteration, that something was made from."""
    lines = []
    for source in sources:
        if isinstance(source, StoredStage):
            lines.append(f"- {_link(source.key)}, {len(source):,} records")
        elif source.path:
            key = StageKey(experiment, stage_of(source.role), source.iteration or None)
            lines.append(f"- {_link(key)}, adapter `{source.fingerprint}`")
        else:
            lines.append(f"- the base model, `{source.fingerprint}`")
    return {"made_from": dg.MetadataValue.md("\n".join(lines))} if lines else {}


def adapter_metadata(adapter: Adapter) -> dict[str, Any]:
    """Which adapter wrote a stage."""
    return {
        "adapter": adapter.fingerprint,
        "adapter_from": asset_of(adapter.role, adapter.iteration) if adapter.path else "base model",
    }


def overrides_metadata(overrides: dict[str, Any] | None) -> dict[str, Any]:
    """The settings with which a result was launched, where they were not the experiment's."""
    return {"overrides": dg.MetadataValue.json(overrides)} if overrides else {}


def _link(key: StageKey) -> str:
    return f"[{key}]({asset_path(key)})"


def kept_words(stage: StoredStage) -> list[int]:
    """Words of the records that are kept."""
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
        "samples": as_table([_row(*pair) for pair in found]),
        "sample_texts": dg.MetadataValue.md("\n\n".join(_in_full(*pair) for pair in found)),
    }


def _row(name: str, record: Record) -> dict[str, Any]:
    text = " ".join(record.written.split())
    if len(text) > 2 * _SAMPLE_EDGE:
        text = f"{text[:_SAMPLE_EDGE]} [...] {text[-_SAMPLE_EDGE:]}"
    return {"sample": name, "words": record.words, "text": text}


def _in_full(name: str, record: Record) -> str:
    """A sample as Markdown; what a model wrote stands in a code block, so that it stays text."""
    where = f"[{record.record_id}]({record_address(record.record_id)})"
    parts = [f"**{name}, {record.words} words** ({where})"]
    if record.question:
        parts.append(_as_code(record.question))
    return "\n\n".join([*parts, _as_code(record.written)])


def _as_code(text: str) -> str:
    # A code block is not wrapped by the page, so it is here.
    lines = (part for line in text.splitlines() for part in textwrap.wrap(line, _LINE) or [""])
    return "\n".join(f"    {line}" for line in lines)
