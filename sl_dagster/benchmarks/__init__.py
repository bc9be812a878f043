"""Benchmarks of length: one small module for each, with what a query is and how an answer scores.

A further benchmark is a further module with a subclass of ``Query``, and one line in
``BENCHMARKS``. Nothing here knows of Dagster, of models or of where files lie.
"""

from sl_dagster.benchmarks.longbench_write import LongBenchWriteQuery
from sl_dagster.benchmarks.longen import LonGenQuery
from sl_dagster.benchmarks.query import Query

BENCHMARKS: dict[str, type[Query]] = {
    "longen": LonGenQuery,
    "longbench_write": LongBenchWriteQuery,
}
"""The benchmarks by the names that experiment files use."""
