"""What is out of date: made from something that has changed since.

Dagster's web UI marks an asset when one of its own inputs has changed. Here everything that comes
after it counts, too, and so does the link that Dagster cannot know: ``previous_*`` of an iteration
comes from the adapters of the iteration before.
"""

from typing import get_args

import dagster as dg

from sl_dagster.experiment import Role

_VERSION = "dagster/data_version"
_CODE = "dagster/code_version"
_INPUT = "dagster/input_event_pointer/"  # which materialization of an input was used


class Staleness:
    """Compares an experiment's assets with what stands in Dagster's history."""

    def __init__(
        self, instance: dg.DagsterInstance, definitions: dg.Definitions, experiment: str
    ) -> None:
        self._instance = instance
        self._graph = definitions.resolve_asset_graph()
        self._experiment = experiment

    def out_of_date(self, iteration: int) -> list[str]:
        """The assets of an iteration that are out of date, in the order of the loop.

        An asset is out of date when it has been made, and since then its code or the version of
        one of its inputs has changed, or one of its inputs is out of date. What has never been
        made is not listed.
        """
        found: list[dg.AssetKey] = []
        for key in self._graph.toposorted_asset_keys:
            if key.path[0] != self._experiment:
                continue
            used = self._versions(key, iteration)
            if used is not None and (
                used.get(_CODE) != self._graph.get(key).code_version
                or not self._graph.get(key).parent_keys.isdisjoint(found)
                or self._inputs_differ(key, used, iteration)
                or self._starts_from_another_adapter(key, used, iteration)
            ):
                found.append(key)
        return [key.path[-1] for key in found]

    def _versions(
        self, key: dg.AssetKey, iteration: int, event: int | None = None
    ) -> dict[str, str] | None:
        """The versions that stand with a materialization of an asset; None if there is none.

        Args:
            event: which one; the latest by default.
        """
        partitions = [str(iteration)] if self._graph.get(key).is_partitioned else None
        records = self._instance.fetch_materializations(
            dg.AssetRecordsFilter(
                asset_key=key,
                asset_partitions=partitions,
                storage_ids=None if event is None else [event],
            ),
            limit=1,
        ).records
        made = records[0].asset_materialization if records else None
        return dict(made.tags or {}) if made else None

    def _inputs_differ(self, key: dg.AssetKey, used: dict[str, str], iteration: int) -> bool:
        node = self._graph.get(key)
        for parent in node.parent_keys:
            if self._graph.get(parent).is_partitioned and not node.is_partitioned:
                continue  # made from all iterations; whatever is new in one of them comes with it
            event = used.get(_INPUT + parent.to_user_string(), "")
            before = self._versions(parent, iteration, int(event)) if event.isdigit() else None
            now = self._versions(parent, iteration)
            if before and now and before.get(_VERSION) != now.get(_VERSION):
                return True
        return False

    def _starts_from_another_adapter(
        self, key: dg.AssetKey, used: dict[str, str], iteration: int
    ) -> bool:
        for role in get_args(Role):
            if key.path[-1] == f"previous_{role}" and iteration > 1:
                trained = dg.AssetKey([self._experiment, f"{role}_lora"])
                now = self._versions(trained, iteration - 1)
                return now is not None and used.get(_VERSION) != now.get(_VERSION)
        return False
