"""What stands in the report, section by section, as values; how it looks is the template's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sl_dagster.experiment import ALIGNED_MODEL, Experiment
from sl_dagster.experiment.public import experiment_yaml, shown
from sl_dagster.method.text_decay import MIN_PART_TOKENS, PARTS
from sl_dagster.report.costs import cost_tables, costs
from sl_dagster.report.samples import Sample, samples
from sl_dagster.report.stage_order import in_order
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.results.answers import HELDOUT
from sl_dagster.results.decay import ModelDecay, decay_table
from sl_dagster.results.dropped import dropped_rows
from sl_dagster.results.growth import GrowthRow
from sl_dagster.results.plots import DECAY_MEASURES, data_uri, decay_curves, drawn, growth_curve
from sl_dagster.results.table import Table
from sl_dagster.results.tables import (
    Achievements,
    achievements,
    growth_as_table,
    quality_as_tables,
    scores_as_tables,
)


@dataclass(frozen=True)
class Picture:
    """A picture that is part of the page.

    Attributes:
        title: said where it cannot be seen.
        address: holds the picture itself.
    """

    title: str
    address: str


@dataclass(frozen=True)
class ReportSection:
    """One section of the report.

    Attributes:
        title: its heading.
        text: what is seen in it.
        pictures, tables, samples, code: what it shows, in this order.
        missing: what has not been made yet, and how to make it.
    """

    title: str
    text: str = ""
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    samples: Sequence[Sample] = ()
    code: str = ""
    missing: str = ""


def sections(
    experiment: Experiment, stages: StageStore, adapters: AdapterStore
) -> list[ReportSection]:
    """Everything that is known of an experiment.

    Raises:
        UserError: a stored stage is damaged.
    """
    achieved = achievements(experiment, stages)
    return [
        _growth(experiment, achieved.growth),
        _acceptance(experiment, stages),
        _samples(experiment, stages),
        _benchmarks(experiment, achieved),
        _quality(experiment, achieved),
        _decay(experiment, stages),
        _costs(experiment, stages, adapters),
        _dropped(experiment, stages),
        _configuration(experiment, stages, adapters),
    ]


def _heldout_missing(experiment: Experiment) -> str:
    if experiment.heldout is None:
        return (
            "No held-out instructions measure the models: name a file of them under "
            f"`heldout:` in {experiment.name}.yaml, and run the iterations again."
        )
    return f"No held-out instruction has been answered yet: run `{_run(experiment)}`."


def _run(experiment: Experiment) -> str:
    return f"sl-dagster run --experiment {experiment.name}"


def _growth(experiment: Experiment, growth: Sequence[GrowthRow]) -> ReportSection:
    title = "Growth"
    if not growth:
        return ReportSection(title, missing=_heldout_missing(experiment))
    missing = []
    if growth[-1].iteration < experiment.iterations:
        missing.append(
            f"The experiment has {experiment.iterations} iterations; those after "
            f"{growth[-1].iteration} are made by `{_run(experiment)}`."
        )
    if experiment.control and not all(row.control for row in growth):
        missing.append(
            f"The control {experiment.control} has not come as far: run "
            f"`sl-dagster run --experiment {experiment.control}`."
        )
    if not experiment.control:
        missing.append("The experiment names no `control:` to be set beside it.")
    return ReportSection(
        title,
        "Lengths of the Generator's answers to "
        f"{growth[0].scores.answers} held-out instructions, which no training has seen. Accepted: "
        "the share that passes the response filter. Relevant: the share that mentions everything "
        "the instruction names.",
        pictures=[
            _picture("Words of held-out answers, by iteration", growth_curve(list(growth)), 3.6)
        ],
        tables=[growth_as_table(growth)],
        missing=" ".join(missing),
    )


def _picture(title: str, draw: Any, height: float, panels: int = 1) -> Picture:
    return Picture(title, data_uri(drawn(draw, height, panels)))


def _acceptance(experiment: Experiment, stages: StageStore) -> ReportSection:
    title, shares = "Acceptance", {}
    for key in in_order(stages.complete(experiment.name), lambda key: key):
        facts = stages.read(key).manifest
        judged = "generated_tokens" in facts or key.stage == "extended_responses"
        if key.iteration and judged and key.stage != "heldout_responses" and facts["records_in"]:
            good = facts["kept"] + facts["dropped"].get("selection", 0)
            cell = f"{good / facts['records_in']:.0%} of {facts['records_in']:,}"
            shares.setdefault(key.stage, {})[str(key.iteration)] = cell
    if not shares:
        return ReportSection(
            title, missing=f"No iteration has been run yet: run `{_run(experiment)}`."
        )
    return ReportSection(
        title,
        "Of the records that a stage was to make, the share that was good enough in the end, "
        "before any selection by length. In extension rounds the others go on as they were; "
        "extended_responses says how many have grown enough to be trained on.",
        tables=[_by_iteration(["stage"], {(stage,): cells for stage, cells in shares.items()})],
    )


def _by_iteration(
    labels: Sequence[str], cells: Mapping[tuple[str, ...], Mapping[str, str]]
) -> Table:
    """A column for each iteration; what stands outside the loop has one of its own."""
    different = {column for row in cells.values() for column in row}
    columns = sorted(different, key=lambda column: int(column) if column.isdigit() else 0)
    head = [*labels, *(f"iteration {c}" if c.isdigit() else c for c in columns)]
    rows = [[*label, *(row.get(column, "") for column in columns)] for label, row in cells.items()]
    return Table(head, rows)


def _samples(experiment: Experiment, stages: StageStore) -> ReportSection:
    title, found = "Samples", samples(experiment, stages)
    if not found:
        return ReportSection(title, missing=_heldout_missing(experiment))
    return ReportSection(
        title,
        "The same held-out instructions, answered by the base model and by the Generator after "
        "each iteration. They were chosen by the length of the last answer alone, not by its "
        "quality.",
        samples=found,
    )


def _benchmarks(experiment: Experiment, achieved: Achievements) -> ReportSection:
    title = "Benchmarks"
    if not experiment.benchmarks:
        return ReportSection(
            title,
            missing="The experiment names no benchmarks: add `benchmarks:` with `longen` or "
            f"`longbench_write` to {experiment.name}.yaml.",
        )
    measured = {(one.benchmark, one.model) for one in achieved.scores}
    missing = [
        f"{benchmark}: model {model}"
        for benchmark in experiment.benchmarks
        for model in experiment.models
        if (benchmark, model) not in measured
    ]
    return ReportSection(
        title,
        "How well the lengths of answers follow what was asked for. Every answer counts, good or "
        "not. Accepted: the share that passes the response filter; truncated: the share that the "
        "token limit cut off."
        if achieved.scores
        else "",
        tables=scores_as_tables(experiment, achieved.scores),
        missing=f"Not measured yet: {', '.join(missing)}. `sl-dagster evaluate --experiment "
        f"{experiment.name}` measures all models that there are."
        if missing
        else "",
    )


def _quality(experiment: Experiment, achieved: Achievements) -> ReportSection:
    title, tables = "Quality, as a judge sees it", quality_as_tables(achieved.quality)
    if experiment.judge is None and not tables:
        missing = f"The experiment names no judge: add `judge:` to {experiment.name}.yaml."
        return ReportSection(title, missing=missing)
    judged = {row.model for row in achieved.quality}
    models = [model for model in experiment.models if model not in judged]
    if not experiment.benchmarks and ALIGNED_MODEL in models:
        models.remove(ALIGNED_MODEL)  # which answers benchmarks only
    several = (
        "Scores in different tables are by different judges, or on different instructions: they "
        "cannot be compared."
    )
    return ReportSection(
        title,
        several if len(tables) > 1 else "",
        tables=tables,
        missing=f"Not judged yet: model {', '.join(models)}. `sl-dagster evaluate --experiment "
        f"{experiment.name}` has all models judged that there are."
        if models
        else "",
    )


def _decay(experiment: Experiment, stages: StageStore) -> ReportSection:
    title, table = "Quality along the text", decay_table(experiment, stages)
    if not table:
        return ReportSection(title, missing=_heldout_missing(experiment))
    answered = list(dict.fromkeys(one.answers_to for one in table))
    pictures, tables = [], []
    for answers_to in answered:
        chosen = [one for one in table if one.answers_to == answers_to]
        name = f"Answers to {'held-out instructions' if answers_to == HELDOUT else answers_to}"
        if any(one.decay.parts for one in chosen):
            pictures.append(_picture(name, decay_curves(chosen), 3.2, len(DECAY_MEASURES)))
        tables.append(_decay_table(name, chosen))
    return ReportSection(
        title,
        "Where texts begin to repeat themselves: each text is cut into fifths. Of a fifth, the "
        "share of 4-grams that the text has had before, the share of different bigrams, and the "
        "bigrams that it shares with the other fifths. Texts of fewer than "
        f"{PARTS * MIN_PART_TOKENS} tokens are too short for that.",
        pictures=pictures,
        tables=tables,
    )


def _decay_table(caption: str, chosen: Sequence[ModelDecay]) -> Table:
    fifths = [f"fifth {number}" for number in range(1, PARTS + 1)]
    rows = []
    for one in chosen:
        name = f"{one.model} ({one.decay.texts} texts, {one.decay.too_short} too short)"
        for measure in DECAY_MEASURES if one.decay.parts else ():
            values = [f"{getattr(part, measure):.3f}" for part in one.decay.parts]
            rows.append([name, measure.replace("_", " "), *values])
        if not one.decay.parts:
            rows.append([name, "", *[""] * PARTS])
    return Table(["model", "measure", *fifths], rows, caption)


def _costs(experiment: Experiment, stages: StageStore, adapters: AdapterStore) -> ReportSection:
    title, found = "Costs", costs(experiment, stages, adapters)
    if not found:
        return ReportSection(
            title, missing=f"No model has been asked yet: run `{_run(experiment)}`."
        )
    return ReportSection(
        title,
        "What the stored results took to make, as stages and trainings recorded it: failed tries "
        "are included; results that were replaced by newer ones are not, and of what went on after "
        "an interruption only the time and the generated tokens since then. GPU hours: wall-clock "
        "hours times the GPUs they were spent on; none on a CPU, and unknown for endpoints that "
        "somebody else runs.",
        tables=cost_tables(found),
    )


def _dropped(experiment: Experiment, stages: StageStore) -> ReportSection:
    title = "What was dropped, and why"
    places = {key.name: key for key in stages.complete(experiment.name)}
    rows = in_order(dropped_rows(stages, experiment.name), lambda row: places[row["stage"]])
    if not rows:
        return ReportSection(title, "Nothing has been dropped.")
    texts: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        column = str(row["iteration"] or "outside the loop")
        cell = f"{row['texts']:,} ({row['share']:.0%})"
        if row["retried"]:
            cell += f", {row['retried']:,} tried again"
        texts.setdefault((row["stage"], row["reason"]), {})[column] = cell
    return ReportSection(
        title,
        "Texts that each stage discarded, by reason: their number, and their share of all texts "
        "that it judged. Tried again: the record was asked for once more after that. All of them "
        "stand with their reason in the stage's rejected/records.parquet, and in the lineage view.",
        tables=[_by_iteration(["stage", "reason"], texts)],
    )


def _configuration(
    experiment: Experiment, stages: StageStore, adapters: AdapterStore
) -> ReportSection:
    overrides = [
        [str(key), setting, str(shown(value, setting.rpartition(".")[2]))]
        for key, changes in _launched_with(experiment, stages, adapters)
        for setting, value in _flat(changes)
    ]
    text = (
        f"The settings that {experiment.name}.yaml names; all others have the values that "
        "sl_dagster/experiment/ documents, the paper's wherever it states one. "
    )
    return ReportSection(
        "Configuration",
        text + ("" if overrides else "No stored result was launched with other settings."),
        tables=[Table(["result", "setting", "launched with"], overrides, "Overridden at launch")]
        if overrides
        else [],
        code=experiment_yaml(experiment),
    )


def _launched_with(
    experiment: Experiment, stages: StageStore, adapters: AdapterStore
) -> Iterator[tuple[StageKey, dict[str, Any]]]:
    for key in in_order(stages.complete(experiment.name), lambda key: key):
        yield key, stages.read(key).manifest.get("overrides") or {}
    for key in adapters.complete(experiment.name):
        yield key, adapters.read(key).overrides


def _flat(changes: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as paths with dots."""
    for name, value in changes.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
