"""The experiment file as pydantic models: every setting a run needs, checked when it is read.

What belongs here: fields, defaults and checks. What the settings do belongs to the code that uses
them.
"""

from sl_dagster.experiment.model import (
    ALIGNED_MODEL,
    BASE_MODEL,
    STAGES_AFTER_THE_LOOP,
    Benchmark,
    Experiment,
    Extension,
    Heldout,
    JudgeExperiment,
    LengthControl,
    Lora,
    Method,
    OpenAISettings,
    RepetitionDetection,
    Sampling,
    SamplingChanges,
    Training,
    TransformersSettings,
    VllmSettings,
    describe_problems,
    judge_experiment,
    load_experiment,
    load_experiments,
    loop_stage_names,
    stage_names,
)

__all__ = [
    "ALIGNED_MODEL",
    "BASE_MODEL",
    "STAGES_AFTER_THE_LOOP",
    "Benchmark",
    "Experiment",
    "Extension",
    "Heldout",
    "JudgeExperiment",
    "LengthControl",
    "Lora",
    "Method",
    "OpenAISettings",
    "RepetitionDetection",
    "Sampling",
    "SamplingChanges",
    "Training",
    "TransformersSettings",
    "VllmSettings",
    "describe_problems",
    "judge_experiment",
    "load_experiment",
    "load_experiments",
    "loop_stage_names",
    "stage_names",
]
