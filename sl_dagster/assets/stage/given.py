"""Texts that users bring along, as records: seeds, documents, questions that measure a model."""

from typing import Any

from sl_dagster.experiment import Experiment
from sl_dagster.identity import fingerprint
from sl_dagster.method.language import Language
from sl_dagster.resources.records import Text


def given_text(
    experiment: Experiment,
    stage: str,
    prefix: str,
    position: int,
    language: Language,
    text: str,
    **columns: Any,
) -> Text:
    """The record of a text that stands before the first iteration.

    Args:
        experiment: whose text it is.
        stage: where it is stored, or what it would be called there.
        prefix: keeps the ids of equal texts in different stages apart.
        position: its place among the others.
        language: it is written in.
        text: as it stands in the file.
        columns: the record's further columns.
    """
    return Text(
        record_id=fingerprint(prefix, experiment.name, position, text),
        experiment=experiment.name,
        iteration=0,
        stage=stage,
        position=position,
        language=language,
        text=text,
        **columns,
    )
