"""Answers that measure a model: all of them are kept, good or not.

``drop_reason`` only notes what the response filter says. Held-out instructions and benchmarks work
alike in this; what an answer is measured by is theirs.
"""

from abc import abstractmethod
from functools import cached_property
from typing import Any

from sl_dagster.assets.stage.identities import sampling_identity
from sl_dagster.assets.stage.run import served_with
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.assets.stage.task import Task
from sl_dagster.experiment import Sampling, ServedModel
from sl_dagster.identity import seed_from
from sl_dagster.method.prompts import Message
from sl_dagster.method.responses import response_drop_reason
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import Record, Text


class MeasuredAnswers(Task):
    """A model answers questions, each once, and every answer is measured."""

    @property
    def tries(self) -> int:
        return 1

    @property
    @abstractmethod
    def questions(self) -> list[Text]:
        """What is asked, each as the ``text`` of a record."""

    @property
    @abstractmethod
    def sampling(self) -> Sampling:
        """How the model answers."""

    @abstractmethod
    def measured(self, answer: dict[str, Any], question: Text) -> Record:
        """The record of an answer, with what it measures.

        Args:
            answer: the columns that all such records have.
            question: what was asked.
        """

    @abstractmethod
    def measured_by(self) -> list[Any]:
        """What the measures depend on besides, as JSON-serialisable values."""

    def identity(self) -> list[Any]:
        return [
            self.measured_by(),
            sampling_identity(self.sampling),
            self.experiment.filter.identity,
        ]

    @cached_property
    def _whom(self) -> tuple[ServedModel, Adapter]:
        return served_with(self.experiment, self.writer)

    @property
    def served(self) -> ServedModel:
        return self._whom[0]

    @property
    def count(self) -> int:
        return len(self.questions)

    def source_records(self) -> list[Text]:
        return self.questions

    async def attempt(self, slot: Slot[Text], number: int, ask: Ask) -> Record:
        question = slot.source
        # The same draws for the same question to every model, and in the control, too.
        seed = seed_from(self.experiment.seed, question.position, question.text)
        message = Message(role="user", content=question.text)
        completion = await ask(Request(message, self.sampling, seed, self._whom[1]))
        text = completion.text.strip()
        reason = response_drop_reason(
            text,
            slot.language,
            finish_reason=completion.finish_reason,
            preset=self.experiment.filter.preset,
        )
        columns = {
            **slot.identity,
            "parents": (),
            "instruction": question.text,
            "text": text,
            "tokens": completion.tokens,
            "finish_reason": completion.finish_reason,
            "drop_reason": reason,
        }
        return self.measured(columns, question)
