"""What is out of date: made from something that has changed since.

Dagster's web UI marks an asset when one of its own inputs has changed. Here everything that comes
after it counts, too, and so does the link that Dagster cannot know: ``previous_*`` of an iteration
comes from the adapters of the iteration before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import dagster as dg

from sl_dagster.experiment import Role
from sl_dagster.jobs.still_stored import IsStored

_VERSION = "dagster/data_version"
_CODE = "dagster/code_version"
_INPUT = "dagster/input_event_pointer/"  # which materialization of an input was used


@dataclass(frozen=True)
class Finding:
    """Whether a result is out of date.

    Attributes:
        key: the asset.
        partition: which of its partitions, if it has any.
        made: the event that says how it was made.
        why: why it is out of date; empty if it is not.
    """

    key: dg.AssetKey
    partition: str | None
    made: dg.EventLogRecord
    why: str

    @property
    def name(self) -> str:
        """The asset's, without the experiment's."""
        return self.key.path[-1]

    def __str__(self) -> str:
        kind = "iteration" if (self.partition or "").isdecimal() else "model"
        of = f" of {kind} {self.partition}" if self.partition else ""
        return f"{self.name}{of}: {self.why or 'up to date'}"


class Staleness:
    """Compares an experiment's assets with what stands in Dagster's history.

    An asset is out of date when it has been made, and since then its code or the version of one of
    its inputs has changed, its files are gone, or one of its inputs is out of date.

    What the history has been asked once is not asked again: after a run, compare anew.
    """

    def __init__(
        self,
        instance: dg.DagsterInstance,
        definitions: dg.Definitions,
        experiment: str,
        is_stored: IsStored = lambda key, partition: True,
    ) -> None:
        """Compare.

        Args:
            instance: the history.
            definitions: they know the assets.
            experiment: its name.
            is_stored: whether a result that was made is still there (see ``still_stored``).
        """
        self._is_stored = is_stored
        self._instance = instance
        self._graph = definitions.resolve_asset_graph()
        self._experiment = experiment
        self._made: dict[tuple[object, ...], dg.EventLogRecord | None] = {}
        self._partitions: dict[dg.AssetKey, list[str] | None] = {}
        self._ever_made: dict[dg.AssetKey, set[str]] = {}

    def verdicts(self, partition: str) -> list[Finding]:
        """Of all that has been made of a partition, in the order of the loop.

        Args:
            partition: an iteration or a model; what has no partitions is looked at, too.
        """
        found: dict[dg.AssetKey, Finding] = {}
        for key in self.keys:
            made = self.made(key, partition)
            if made:
                mine = None if self.partitions(key) is None else partition
                why = "; ".join(self._reasons(key, made, partition, found))
                if not self._is_stored(key, mine):
                    why = "what was made is not stored any more"
                found[key] = Finding(key, mine, made, why)
        return list(found.values())

    def everything(self) -> list[Finding]:
        """Of all that has been made of the experiment, partition by partition."""
        found: dict[tuple[dg.AssetKey, str | None], Finding] = {}
        names = [(key, name) for key in self.keys for name in self.partitions(key) or ()]
        # Where nothing has been made, there is nothing to see but what has no partitions.
        made = [name for key, name in names if self._ever(key, name)]
        for partition in dict.fromkeys(made or [name for _, name in names[:1]]):
            for one in self.verdicts(partition):
                # What has no partitions is out of date if any partition says so.
                place = (one.key, one.partition)
                if place not in found or not found[place].why:
                    found[place] = one
        return list(found.values())

    @cached_property
    def keys(self) -> list[dg.AssetKey]:
        """The experiment's assets, in the order of the loop."""
        return [key for key in self._graph.toposorted_asset_keys if key.path[0] == self._experiment]

    def partitions(self, key: dg.AssetKey) -> list[str] | None:
        """The keys of an asset's partitions; None if it has none."""
        if key not in self._partitions:
            definition = self._graph.get(key).partitions_def
            names = None if definition is None else list(definition.get_partition_keys())
            self._partitions[key] = names
        return self._partitions[key]

    def made(
        self,
        key: dg.AssetKey,
        partition: str,
        *,
        event: int | None = None,
        before: int | None = None,
    ) -> dg.EventLogRecord | None:
        """How an asset was made last; None if it never was.

        Args:
            key: the asset.
            partition: which of them, if it has any.
            event: this event, and no other.
            before: the last event before this one.
        """
        of = None if self.partitions(key) is None else partition
        place = (key, of, event, before)
        if place not in self._made:
            self._made[place] = self._asked(key, of, event, before) if self._ever(key, of) else None
        return self._made[place]

    def _ever(self, key: dg.AssetKey, partition: str | None) -> bool:
        """Whether it has ever been made: one question for all partitions."""
        if partition is None:
            return True
        if key not in self._ever_made:
            self._ever_made[key] = set(self._instance.get_materialized_partitions(key))
        return partition in self._ever_made[key]

    def _asked(
        self, key: dg.AssetKey, partition: str | None, event: int | None, before: int | None
    ) -> dg.EventLogRecord | None:
        records = self._instance.fetch_materializations(
            dg.AssetRecordsFilter(
                asset_key=key,
                asset_partitions=None if partition is None else [partition],
                storage_ids=None if event is None else [event],
                before_storage_id=before,
            ),
            limit=1,
        ).records
        return records[0] if records else None

    def _reasons(
        self,
        key: dg.AssetKey,
        made: dg.EventLogRecord,
        partition: str,
        found: dict[dg.AssetKey, Finding],
    ) -> Iterator[str]:
        if _tags(made).get(_CODE) != self._graph.get(key).code_version:
            yield "made by an earlier version of its code"
        for parent in sorted(self._graph.get(key).parent_keys):
            name = parent.path[-1]
            changed = self._changed(key, made, parent, partition)
            if changed is not None:
                yield f"made from {name}{changed} of an earlier version"
            elif parent in found and found[parent].why:
                yield f"made from {name}, which is out of date itself"
        for role in get_args(Role):
            if key.path[-1] == f"previous_{role}" and partition.isdecimal() and partition != "1":
                earlier = str(int(partition) - 1)
                now = self.made(dg.AssetKey([self._experiment, f"{role}_lora"]), earlier)
                if now and _tags(made).get(_VERSION) != _tags(now).get(_VERSION):
                    yield f"taken from {role}_lora of iteration {earlier} of an earlier version"

    def _changed(
        self, key: dg.AssetKey, made: dg.EventLogRecord, parent: dg.AssetKey, partition: str
    ) -> str | None:
        """Which of an input's partitions has changed since, if one has: empty words for its own."""
        # It may be made from all partitions of an input.
        if self.partitions(key) is None and self.partitions(parent) is not None:
            changed = [
                one for one in self.partitions(parent) or () if self._newer(made, parent, one)
            ]
            kind = "iteration" if all(one.isdecimal() for one in changed) else "model"
            return f" ({kind} {', '.join(changed)})" if changed else None
        event = _tags(made).get(_INPUT + parent.to_user_string(), "")
        before = self.made(parent, partition, event=int(event)) if event.isdigit() else None
        now = self.made(parent, partition)
        return "" if before and now and _version(before) != _version(now) else None

    def _newer(self, made: dg.EventLogRecord, parent: dg.AssetKey, partition: str) -> bool:
        """Whether a partition of an input has changed since; a new one is no change."""
        then = self.made(parent, partition, before=made.storage_id)
        now = self.made(parent, partition)
        return bool(then and now and _version(then) != _version(now))


def _tags(made: dg.EventLogRecord) -> dict[str, str]:
    assert made.asset_materialization
    return dict(made.asset_materialization.tags or {})


def _version(made: dg.EventLogRecord) -> str | None:
    return _tags(made).get(_VERSION)
