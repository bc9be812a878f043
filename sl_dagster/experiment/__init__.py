"""The experiment file as pydantic models: every setting a run needs, checked when it is read.

What belongs here: fields, defaults and checks, and what follows from them alone: names and order of
stages, the models to serve. What the settings do belongs to the code that uses them.
"""

from sl_dagster.experiment.base import is_hub_id
from sl_dagster.experiment.engines import (
    AdaptersByName,
    OpenAISettings,
    RepetitionDetection,
    TransformersSettings,
    VllmSettings,
)
from sl_dagster.experiment.files import (
    ExperimentFiles,
    check_name,
    experiment_file,
    experiment_paths,
    load_experiment,
    load_experiments,
)
from sl_dagster.experiment.model import Experiment
from sl_dagster.experiment.problems import describe_problems
from sl_dagster.experiment.sections import (
    Benchmark,
    LengthControl,
    Sampling,
    SamplingChanges,
)
from sl_dagster.experiment.served import ServedModel
from sl_dagster.experiment.stages import (
    ALIGNED_MODEL,
    BASE_MODEL,
    GROUP_ENDINGS,
    STAGES_AFTER_THE_LOOP,
    Method,
    Role,
    stage_place,
)
from sl_dagster.experiment.training import Lora, Training

__all__ = [
    "ALIGNED_MODEL",
    "BASE_MODEL",
    "GROUP_ENDINGS",
    "STAGES_AFTER_THE_LOOP",
    "AdaptersByName",
    "Benchmark",
    "Experiment",
    "ExperimentFiles",
    "LengthControl",
    "Lora",
    "Method",
    "OpenAISettings",
    "RepetitionDetection",
    "Role",
    "Sampling",
    "SamplingChanges",
    "ServedModel",
    "Training",
    "TransformersSettings",
    "VllmSettings",
    "check_name",
    "describe_problems",
    "experiment_file",
    "experiment_paths",
    "is_hub_id",
    "load_experiment",
    "load_experiments",
    "stage_place",
]
