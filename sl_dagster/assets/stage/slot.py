"""One place of a stage, to be filled with one record."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from sl_dagster.identity import seed_from
from sl_dagster.method.commentary import Cut
from sl_dagster.method.language import Language
from sl_dagster.resources.engines import Completion, Request
from sl_dagster.resources.records import Record, Text

Ask = Callable[[Request], Awaitable[Completion]]
Source = TypeVar("Source")
_RecordType = TypeVar("_RecordType", bound=Record)


@dataclass(frozen=True)
class Slot(Generic[Source]):
    """One place of a stage, to be filled with one record.

    Attributes:
        identity: the columns that are known before there is a text: which record of which stage it
            is, what it is made from and who writes it.
        source: what it is made from.
    """

    identity: dict[str, Any]
    source: Source

    @property
    def record_id(self) -> str:
        """The id of the record to be."""
        return self.identity["record_id"]

    @property
    def position(self) -> int:
        """Its place in the stage's order."""
        return self.identity["position"]

    @property
    def language(self) -> Language:
        """The language of the record to be."""
        return self.identity["language"]

    def seed(self, attempt: int, purpose: str = "") -> int:
        """The seed for one of the draws of an attempt."""
        return seed_from(self.record_id, attempt, purpose)

    def judged(
        self,
        completion: Completion,
        text: str,
        reason: str | None,
        cut: Cut | None = None,
        **columns: Any,
    ) -> Text:
        """The record of a text that a model wrote; it is kept unless there is a reason against it.

        Args:
            completion: the model's answer.
            text: what is stored of it.
            reason: why it is not good enough, if it is not.
            cut: the model's remarks about it that were cut off; without them it has fewer tokens.
            columns: the record's further columns.
        """
        if cut:
            completion = completion.cut_to(text)
            columns["commentary"] = asdict(cut)
        wrote = {"tokens": completion.tokens, "finish_reason": completion.finish_reason}
        return self.made(Text, reason, text=text, **wrote, **columns)

    def made(
        self, kind: type[_RecordType], reason: str | None = None, /, **columns: Any
    ) -> _RecordType:
        """The record of this kind with these columns, kept unless a reason speaks against it."""
        return kind(**self.identity | columns, kept=reason is None, drop_reason=reason)
