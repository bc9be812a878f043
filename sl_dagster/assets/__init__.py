"""The assets, one module per stage of the loop, named like the assets it defines.

Stages are thin: they say what is asked of the model and what becomes of the answer. Rules live in
``method``, files and processes in ``resources``. What all stages share stands in ``stage_asset.py``
(declaring), ``stage_run.py`` (beginning), ``description.py`` (metadata) and ``pictures.py``.
"""

import dagster as dg

from sl_dagster.assets.baselines.back_translation import (
    back_translated_instructions_asset,
    documents_as_responses_asset,
    documents_asset,
)
from sl_dagster.assets.baselines.plan_then_write import plan_then_write_assets
from sl_dagster.assets.final.aligned_model import aligned_assets
from sl_dagster.assets.final.collected import collected_assets
from sl_dagster.assets.final.dataset import dataset_asset
from sl_dagster.assets.final.length_controlled import length_controlled_asset
from sl_dagster.assets.loop.extended_responses import extended_responses_asset
from sl_dagster.assets.loop.extension_rounds import extension_round_assets
from sl_dagster.assets.loop.initial_responses import initial_responses_asset
from sl_dagster.assets.loop.instructions import instructions_asset
from sl_dagster.assets.loop.lora_adapters import lora_assets
from sl_dagster.assets.loop.previous_adapters import previous_adapter_assets
from sl_dagster.assets.loop.seeds import seeds_asset
from sl_dagster.assets.loop.sft_sets import sft_assets
from sl_dagster.assets.measures.benchmark_scores import benchmark_assets
from sl_dagster.assets.measures.heldout import heldout_assets
from sl_dagster.assets.measures.length_growth import length_growth_asset
from sl_dagster.assets.measures.length_report import length_report_asset
from sl_dagster.assets.measures.quality_scores import quality_scores_assets
from sl_dagster.assets.measures.report import report_asset
from sl_dagster.assets.measures.text_decay import text_decay_assets
from sl_dagster.experiment import Experiment


def experiment_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """Every asset of one experiment, in the order of the loop, then what is made of all of it."""
    return [
        *previous_adapter_assets(experiment),
        *_response_assets(experiment),
        *sft_assets(experiment),
        *lora_assets(experiment),
        *heldout_assets(experiment),
        length_report_asset(experiment),
        length_growth_asset(experiment),
        *collected_assets(experiment),
        dataset_asset(experiment),
        length_controlled_asset(experiment),
        *aligned_assets(experiment),
        *benchmark_assets(experiment),
        *text_decay_assets(experiment),
        *quality_scores_assets(experiment),
        report_asset(experiment),
    ]


def _response_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """What leads to the responses to train on, and these: here the methods differ."""
    if experiment.method == "back_translation":
        return [
            documents_asset(experiment),
            back_translated_instructions_asset(experiment),
            documents_as_responses_asset(experiment),
        ]
    if experiment.method == "plan_then_write":
        writing = plan_then_write_assets(experiment)
    else:
        writing = [initial_responses_asset(experiment), *extension_round_assets(experiment)]
    return [
        seeds_asset(experiment),
        instructions_asset(experiment),
        *writing,
        extended_responses_asset(experiment),
    ]
