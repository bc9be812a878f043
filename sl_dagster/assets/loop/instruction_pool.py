"""What self-instruct draws its examples from: the seeds, and what has been made up, if it grows."""

from collections.abc import Iterable

from sl_dagster.assets.stage.run import StageRun
from sl_dagster.method.diversity import distinct_n, kinds_by_origin, mean_shares
from sl_dagster.method.language import Language
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.stored_stage import StoredStage


def earlier_instructions(run: StageRun, iterations: Iterable[int]) -> list[StoredStage]:
    """The instructions of these iterations, if the pool grows.

    Looked up and not declared, because Dagster lets no asset depend on its own earlier iterations.
    If they are made anew the fingerprint of what draws from them changes, and it shows as out of
    date once their iteration has been run to its end, through ``previous_generator``.
    """
    if run.experiment.instructions.pool == "seeds":
        return []
    return [run.read("instructions", iteration) for iteration in iterations]


class InstructionPool:
    """Instructions that serve as examples, and that must not be repeated."""

    def __init__(self, stages: Iterable[StoredStage]) -> None:
        self._records = [record for stage in stages for record in stage.records(Text)]

    @property
    def texts(self) -> list[str]:
        """All of them."""
        return [record.text for record in self._records]

    def in_language(self, language: Language) -> list[Text]:
        """Those of a language."""
        return [record for record in self._records if record.language == language]

    def variety_of(self, new: list[Text]) -> dict[str, float]:
        """Distinct-n of instructions made from the pool, and of what kinds their examples were."""
        texts = [record.text for record in new]
        kinds = kinds_by_origin(
            (one.record_id, one.parents, one.kind) for one in [*self._records, *new]
        )
        shares = mean_shares([kinds[record.record_id] for record in new])
        return {f"distinct_{n}": round(distinct_n(texts, n), 3) for n in (1, 2)} | {
            f"share_{kind}": round(share, 3) for kind, share in sorted(shares.items())
        }
