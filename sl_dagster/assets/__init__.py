"""The assets of an experiment: one module per stage, named like the assets it defines.

What belongs here: what is asked of the model, what becomes of the answer, and what an asset's page
shows. Rules live in ``method``, files and processes in ``resources``. ``stage`` has what all stages
share, ``loop`` the stages of an iteration, ``baselines`` other ways to long responses, ``final``
what is made of all iterations, ``measures`` what says how good it is, and ``checks`` what must hold
of all these.
"""

from itertools import chain

import dagster as dg

from sl_dagster.assets.baselines.back_translation import (
    BackTranslatedInstructions,
    Documents,
    DocumentsAsResponses,
)
from sl_dagster.assets.baselines.plan_then_write import PlannedResponses, Plans
from sl_dagster.assets.final.aligned_model import AlignedModel, AlignedSft
from sl_dagster.assets.final.collected import MoreInstructions, MoreResponses
from sl_dagster.assets.final.dataset import Dataset
from sl_dagster.assets.final.length_controlled import LengthControlled
from sl_dagster.assets.loop.extended_responses import ExtendedResponses
from sl_dagster.assets.loop.initial_responses import InitialResponses
from sl_dagster.assets.loop.instructions import Instructions
from sl_dagster.assets.loop.lora_adapters import LoraAdapter
from sl_dagster.assets.loop.previous_adapters import PreviousAdapter
from sl_dagster.assets.loop.round_stage1 import ExtendHalf
from sl_dagster.assets.loop.round_stage2 import ExtendWhole
from sl_dagster.assets.loop.seeds import Seeds
from sl_dagster.assets.loop.sft_sets import ExtenderSft, GeneratorSft
from sl_dagster.assets.measures.benchmark_scores import BenchmarkScores, ModelScores
from sl_dagster.assets.measures.heldout import HeldoutBase, HeldoutResponses
from sl_dagster.assets.measures.length_growth import LengthGrowth
from sl_dagster.assets.measures.length_report import LengthReport
from sl_dagster.assets.measures.quality_scores import QualityScores
from sl_dagster.assets.measures.report import Report
from sl_dagster.assets.measures.text_decay import TextDecay
from sl_dagster.assets.stage.asset import Asset, declared, of_experiment
from sl_dagster.experiment import Experiment


def experiment_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """Every asset of one experiment, as Dagster knows it."""
    return of_experiment(experiment, [declared(asset) for asset in assets_of(experiment)])


def assets_of(experiment: Experiment) -> list[Asset]:
    """Every asset of one experiment, in the order of the loop, then what is made of all of it."""
    return [
        *(PreviousAdapter(experiment, role) for role in experiment.roles),
        *_responses(experiment),
        GeneratorSft(experiment),
        *([ExtenderSft(experiment)] if "extender" in experiment.roles else []),
        *(LoraAdapter(experiment, role) for role in experiment.roles),
        *([HeldoutBase(experiment), HeldoutResponses(experiment)] if experiment.heldout else []),
        LengthReport(experiment),
        LengthGrowth(experiment),
        *([MoreInstructions(experiment)] if experiment.dataset.collect else []),
        *([MoreResponses(experiment)] if experiment.dataset.collect else []),
        Dataset(experiment),
        LengthControlled(experiment),
        AlignedSft(experiment),
        AlignedModel(experiment),
        *_measures(experiment),
        Report(experiment),
    ]


def _responses(experiment: Experiment) -> list[Asset]:
    """What leads to the responses to train on, and these: here the methods differ."""
    if experiment.method == "back_translation":
        return [
            Documents(experiment),
            BackTranslatedInstructions(experiment),
            DocumentsAsResponses(experiment),
        ]
    beginning = [Seeds(experiment), Instructions(experiment)]
    if experiment.method == "plan_then_write":
        writing = [Plans(experiment), PlannedResponses(experiment)]
    else:
        rounds = range(1, experiment.extension.rounds + 1)
        stages = [[ExtendHalf(experiment, n), ExtendWhole(experiment, n)] for n in rounds]
        writing = [InitialResponses(experiment), *chain.from_iterable(stages)]
    return [*beginning, *writing, ExtendedResponses(experiment)]


def _measures(experiment: Experiment) -> list[Asset]:
    """What measures models by their answers, if anything asks them for some."""
    if not experiment.benchmarks and not experiment.heldout:
        return []
    return [
        *(BenchmarkScores(experiment, name) for name in experiment.benchmarks),
        *([ModelScores(experiment)] if experiment.benchmarks else []),
        TextDecay(experiment),
        *([QualityScores(experiment)] if experiment.judge else []),
    ]
