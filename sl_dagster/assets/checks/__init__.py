"""Asset checks: what must hold of an iteration's results, looked at as soon as they are there.

What belongs here: checks of a single result, a module per subject. An ERROR says that it must not
be used: what depends on the asset is not begun. A WARN is for a person to judge, and the run goes
on. Checks read what is stored, so any of them can be run again alone, for any iteration.

What does not: ``up_to_date``, which every asset's own step says (``stage/asset.py``) and
``jobs/staleness_notes.py`` evaluates again; and what must hold before a stage begins, which that
stage sees to.
"""

import dagster as dg

from sl_dagster.assets import assets_of
from sl_dagster.assets.checks.achievements import EnoughAccepted, EnoughGrown, LengthsGrew
from sl_dagster.assets.checks.check import Check, declared_check
from sl_dagster.assets.checks.records import CountsAgree, NothingTruncated
from sl_dagster.assets.checks.trial import changes_output
from sl_dagster.assets.checks.weights import LossFell, StartsFromCurrent
from sl_dagster.assets.stage.stage import Stage
from sl_dagster.experiment import Experiment


def experiment_checks(experiment: Experiment) -> list[dg.AssetChecksDefinition]:
    """Every check of one experiment, as Dagster knows it."""
    return [*map(declared_check, _checks_of(experiment)), changes_output(experiment)]


def _checks_of(experiment: Experiment) -> list[Check]:
    """Those that look at one result, in the order of the loop."""
    stages = [asset for asset in assets_of(experiment) if isinstance(asset, Stage)]
    roles = experiment.roles
    return [
        *(CountsAgree(experiment, stage) for stage in stages if CountsAgree.suits(stage)),
        *(NothingTruncated(experiment, stage) for stage in stages if NothingTruncated.suits(stage)),
        *([EnoughGrown(experiment)] if "extender" in roles else []),
        *(StartsFromCurrent(experiment, role) for role in roles),
        *(LossFell(experiment, role) for role in roles),
        *([EnoughAccepted(experiment)] if experiment.heldout else []),
        *([LengthsGrew(experiment)] if LengthsGrew.suits(experiment) else []),
    ]
