"""An asset that is not made twice: what its result depends on, as one fingerprint."""

import copy
from functools import cached_property
from typing import Any, Self

from sl_dagster.assets.stage.asset import Asset
from sl_dagster.assets.stage.identities import chosen
from sl_dagster.assets.stage.run import StageRun
from sl_dagster.errors import UserError
from sl_dagster.identity import fingerprint
from sl_dagster.resources.adapters import Adapter, base_model_fingerprint
from sl_dagster.resources.storage.stored_stage import StoredStage


class MadeOnce(Asset):
    """An asset whose result is stored with its fingerprint, and found by it.

    Attributes:
        run: the materialization it takes part in; see ``in_run``.
    """

    run: StageRun

    def in_run(self, run: StageRun) -> Self:
        """The asset as it is made in a run, with the settings of its launch."""
        one = copy.copy(self)
        one.run, one.experiment = run, run.experiment
        return one

    @property
    def made_from(self) -> list[StoredStage | Adapter]:
        """The stages and weights that it is made from: by default, all that it is handed."""
        return [self.run.inputs[name] for name in self.inputs]

    def identity(self) -> list[Any]:
        """Which of the experiment's settings the result depends on, in the fingerprint's form.

        By default those of ``reads`` that are not at their defaults, so that what is stored stays
        up to date when a setting is added to them. Stages that are older than this rule have forms
        of their own, for the same reason.
        """
        return [chosen(self.experiment, self.reads or ())]

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all that the result depends on; an equal result is not made twice.

        Besides the settings of ``identity``, those are what it is made from, the base model, the
        chat and the seed.

        Raises:
            UserError: a stage that it is made from has no records.
        """
        for stage in self.made_from:
            if isinstance(stage, StoredStage) and not len(stage):
                raise UserError(_emptiness(stage))
        experiment = self.experiment
        inputs = [
            one.content_hash if isinstance(one, StoredStage) else one.fingerprint
            for one in self.made_from
        ]
        base = base_model_fingerprint(experiment.base_model, experiment.revision)
        chat = experiment.chat.model_dump(exclude_defaults=True)
        settings = [*self.identity(), chat] if chat else self.identity()
        key = str(self.run.key)
        return fingerprint(key, self.code_version, base, experiment.seed, inputs, settings)


def _emptiness(stage: StoredStage) -> str:
    facts = stage.manifest
    reasons = ", ".join(f"{count} {reason}" for reason, count in facts["dropped"].items())
    return (
        f"{stage.key} is empty: all of its {facts['records_in']} records were dropped ({reasons}). "
        f"Read them in {stage.rejected_path}, change the experiment and materialize it again"
    )
