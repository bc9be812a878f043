"""Checking seed instructions: what a person should mend before a model makes up more like them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from sl_dagster.commands.terminal import console, print_table, wrong
from sl_dagster.errors import UserError
from sl_dagster.experiment.base import looks_like_a_path
from sl_dagster.inputs.seeds import Seed, detection_note, read_seeds
from sl_dagster.method.diversity import distinct_n, most_similar_earlier
from sl_dagster.method.instructions import MAX_SIMILARITY, Kind, instruction_drop_reason
from sl_dagster.method.language import BUILT_IN_LANGUAGES
from sl_dagster.method.lengths import length_named_in
from sl_dagster.method.words import count_words
from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.results.table import Table


def check(files: Sequence[str]) -> bool:
    """Print the balance and the lengths of seeds, and what should be mended.

    Args:
        files: of seeds, or ids of data sets on the hub; none for those of the project.

    Returns:
        Whether nothing should be.

    Raises:
        UserError: a file cannot be read, or there is no seed in them.
    """
    # ``Path`` forgets that ``./owner/name`` began with a dot, and could be an id.
    named = [Path(name).absolute() if looks_like_a_path(name) else Path(name) for name in files]
    seeds = read_seeds(named or own_seed_files())
    if not seeds:
        raise UserError(f"{', '.join(files)}: no seed instruction in it")
    if note := detection_note(seeds):
        console.print(note)
    for table in (balance_table(seeds), length_table(seeds)):
        print_table(table, table.caption)
    found = problems(seeds)
    for problem in found:
        wrong(problem)
    if not found:
        console.print("[green]✓[/] no duplicates, no near-duplicates, no length named")
    return not found


def own_seed_files() -> list[Path]:
    """The seed files that come with the project, one per language."""
    return [PROJECT_ROOT / "seeds" / f"{language}.jsonl" for language in BUILT_IN_LANGUAGES]


def problems(seeds: Sequence[Seed]) -> list[str]:
    """What is wrong with seeds, as lines that begin with their place.

    Looked for are exact duplicates, near-duplicates (as self-instruct defines them), instructions
    too short or too long for the loop, and instructions that name a length.
    """
    found = []
    earlier = most_similar_earlier([seed.line.instruction for seed in seeds], MAX_SIMILARITY)
    for seed, alike in zip(seeds, earlier, strict=True):
        text = seed.line.instruction
        if alike:
            place, similarity = seeds[alike[0]].place, alike[1]
            same = text == seeds[alike[0]].line.instruction
            relation = "the same as" if same else f"nearly the same ({similarity:.2f}) as"
            found.append(f"{seed.place}: {relation} {place}")
        if reason := instruction_drop_reason(text):
            found.append(f"{seed.place}: {reason}: {count_words(text)} words")
        if named := length_named_in(text):
            found.append(f"{seed.place}: names a length: {named}")
    return found


def balance_table(seeds: Sequence[Seed]) -> Table:
    """How many seeds there are of each kind, per language."""
    languages = _languages(seeds)
    counts = Counter((seed.line.kind, seed.line.language) for seed in seeds)
    kinds = [*get_args(Kind), *([None] if any(kind is None for kind, _ in counts) else [])]
    rows = [
        [kind or "none given", *(str(counts[kind, name]) for name in languages)] for kind in kinds
    ]
    return Table(["kind", *languages], rows, "seeds per kind")


def length_table(seeds: Sequence[Seed]) -> Table:
    """How long the seeds are and how varied, per language."""
    head = ["language", "seeds", "min", "mean", "max", "Distinct-1", "Distinct-2"]
    rows = []
    for language in _languages(seeds):
        texts = [seed.line.instruction for seed in seeds if seed.line.language == language]
        words = [count_words(text) for text in texts]
        lengths = [str(min(words)), f"{sum(words) / len(words):.1f}", str(max(words))]
        variety = [f"{distinct_n(texts, n):.2f}" for n in (1, 2)]
        rows.append([language, str(len(words)), *lengths, *variety])
    return Table(head, rows, "lengths in words")


def _languages(seeds: Sequence[Seed]) -> list[str]:
    return sorted({seed.line.language for seed in seeds})
