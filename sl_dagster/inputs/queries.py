"""Reading the queries of benchmarks, from local files and from the Hugging Face hub."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sl_dagster.benchmarks import BENCHMARKS
from sl_dagster.benchmarks.query import Query
from sl_dagster.errors import UserError
from sl_dagster.experiment import Benchmark, describe_problems
from sl_dagster.inputs.hub import hub_rows
from sl_dagster.inputs.json_lines import checked, numbered_objects, open_lines
from sl_dagster.method.language import Language


@dataclass(frozen=True)
class Queries:
    """The queries that a benchmark asks.

    Attributes:
        chosen: to scale, in the file's order.
        left_out: those that cannot be scaled, each as a sentence that begins with where it stands.
        note: what is to be said about them, if there are any.
    """

    chosen: list[Query]
    left_out: list[str]

    @property
    def note(self) -> str | None:
        if not self.left_out:
            return None
        return f"{len(self.left_out)} queries are left out, the first: {self.left_out[0]}"


def read_queries(name: str, benchmark: Benchmark, languages: tuple[Language, ...]) -> Queries:
    """The queries that a benchmark asks: in these languages, at most ``limit``, to scale.

    A query whose wording does not name the length that it is scored by cannot be scaled. It is
    left out, and said to be.

    Args:
        name: the benchmark's name.
        benchmark: its settings.
        languages: queries in others are left out.

    Raises:
        UserError: naming the line (or the row on the hub) and what is wrong with it, that the data
            set cannot be loaded, or that no query is left, and why.
    """
    kind = BENCHMARKS[name]
    numbered = [
        (where, checked(kind, row, where, f"no query of {kind.title}"))
        for where, row in _rows(benchmark.queries)
    ]
    chosen = [(where, query) for where, query in numbered if query.written_in in languages]
    if not chosen:
        raise UserError(
            f"{benchmark.queries}: no query in {' or '.join(languages)} among its {len(numbered)}: "
            "add some, or change `languages`"
        )
    queries = _scaled(chosen, benchmark.scale)
    if not queries.chosen:
        raise UserError(f"{queries.left_out[0]}; nor can any other: remove `scale`")
    return Queries(_spread(queries.chosen, benchmark.limit), queries.left_out)


def _rows(queries: str) -> Iterator[tuple[str, Any]]:
    """Each query as it is published, and where it stands."""
    if Path(queries).is_absolute():
        with open_lines(queries) as lines:
            for number, content in numbered_objects(lines, queries):
                yield f"{queries}, line {number}", content
    else:
        for split, number, content in hub_rows(queries, "queries"):
            yield f"{queries}, split {split}, row {number}", content


def _scaled(found: list[tuple[str, Query]], scale: float) -> Queries:
    queries = Queries([], [])
    for where, query in found:
        try:
            queries.chosen.append(query if scale == 1 else query.scaled(scale))
        except ValidationError as error:
            queries.left_out.append(f"{where}: cannot be scaled: {describe_problems(error)}")
        except ValueError as error:
            queries.left_out.append(f"{where}: cannot be scaled: {error}")
    return queries


def _spread(queries: list[Query], limit: int | None) -> list[Query]:
    """At most so many, at even distances: files are sorted by language, type and length."""
    count = min(len(queries), limit or len(queries))
    return [queries[place * len(queries) // count] for place in range(count)]
