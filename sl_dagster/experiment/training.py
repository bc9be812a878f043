"""How models are fine-tuned: the settings of LoRA, of a training, and of the aligned model."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from sl_dagster.experiment.base import (
    NO_TRUTH,
    NonNegative,
    Positive,
    Probability,
    Settings,
    Word,
    existing_file,
    folder_of,
    is_file,
    read_yaml,
)


class Lora(Settings):
    """Shape of the adapters.

    Attributes:
        rank: of the matrices; ``alpha`` / ``rank`` scales their output.
        dropout: of their input, while training.
        target_modules: names of the layers that get one, such as ``q_proj``; all linear layers by
            default.
    """

    rank: Positive = 16
    alpha: Positive = 32
    dropout: Probability = 0.0
    target_modules: tuple[Word, ...] | None = Field(default=None, min_length=1)

    @field_validator("target_modules")
    @classmethod
    def _leave_the_head_alone(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value and "lm_head" in value:
            raise ValueError(
                "lm_head can have no adapter: the loss is computed from its weights themselves"
            )
        return value


# Settings of a training that say how the work is done, and leave its result as it is.
NOT_IN_THE_RESULT = ("gradient_checkpointing", "checkpoints", "report_to", "launcher")


class Training(Settings):
    """Fine-tuning of each role with TRL's SFTTrainer.

    Attributes:
        quantization: ``4bit`` keeps the base model in 4 bits while it is trained (QLoRA, by
            bitsandbytes, on a GPU).
        learning_rate: peak of the schedule.
        scheduler: transformers' name of the learning-rate schedule.
        warmup_ratio: share of the steps over which the learning rate rises.
        epochs: passes over the training set.
        batch_size: examples per device and step.
        gradient_accumulation: steps whose gradients are added up before an update.
        max_length: longest example in tokens; longer ones are cut, and counted.
        packing: several short examples in one sequence, each seeing only itself.
        precision: arithmetic of the forward pass. With ``bf16`` the base model's weights are
            bfloat16 on a GPU; the adapter's are float32.
        gradient_checkpointing: compute activations twice to save memory; on GPUs by default.
        seed: of data order and new weights; by default it follows from all that is trained on.
        evaluation_split: share of the instructions whose examples are held back; the loss on them
            is measured before the training and after each epoch.
        checkpoints: how often on its way a training saves what it needs to go on after a kill.
        report_to: experiment trackers that get the training's figures.
        num_processes: GPUs to train on; all of the machine by default. With a launcher, the
            processes on all hosts together.
        accelerate_config: a file made by ``accelerate config``, for FSDP, DeepSpeed and the like.
        launcher: a command that starts the training program, on several hosts for instance, in
            place of ``accelerate launch`` here: ``[srun, -N2, bash, node.sh]``. Its last argument
            will be the job's file. A file beside the experiment file may be named relative to it.
    """

    lora: Lora = Lora()
    quantization: Literal["4bit"] | None = None
    learning_rate: Annotated[float, Field(gt=0), NO_TRUTH] = 1e-4
    scheduler: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    warmup_ratio: Probability = 0.1
    epochs: Annotated[float, Field(gt=0), NO_TRUTH] = 4
    batch_size: Positive = 1
    gradient_accumulation: Positive = 1
    max_length: Positive = 16384
    packing: bool = False
    precision: Literal["bf16", "fp32"] = "bf16"
    gradient_checkpointing: bool | None = None
    seed: Annotated[int, Field(ge=0, lt=1 << 31), NO_TRUTH] | None = None
    evaluation_split: Annotated[float, Field(ge=0, lt=1), NO_TRUTH] = 0.0
    checkpoints: NonNegative = 20
    report_to: tuple[Literal["tensorboard", "wandb", "trackio"], ...] = ()
    num_processes: Positive | None = None
    accelerate_config: Path | None = None
    launcher: Annotated[tuple[Word, ...], Field(min_length=1)] | None = None

    @field_validator("launcher")
    @classmethod
    def _find_files(
        cls, value: tuple[str, ...] | None, info: ValidationInfo
    ) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not info.data.get("num_processes"):
            raise ValueError("say in `num_processes` how many processes it starts in all")
        if info.data.get("accelerate_config"):
            raise ValueError(
                "accelerate_config is for trainings that are started here: name the file in the "
                "launcher's own command, and remove this key or that one"
            )
        return tuple(_beside(word, info) for word in value)

    @field_validator("accelerate_config")
    @classmethod
    def _find_accelerate_config(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None:
            return None
        found = existing_file(value, info)
        if not isinstance(read_yaml(found), dict):
            raise ValueError(f"{found} is no file of `accelerate config`: it holds no settings")
        return found

    @property
    def identity(self) -> dict[str, Any]:
        """What a training's result depends on.

        A setting at its default is left out, so that a setting that is new to the project leaves
        what was trained before it up to date. How the work is done is left out, too, except for
        what decides how many examples make a step: of ``accelerate_config`` the content counts.
        """
        left_out = {*NOT_IN_THE_RESULT, "accelerate_config"}
        chosen = self.model_dump(exclude_defaults=True, exclude=left_out)
        if self.accelerate_config:
            chosen["accelerate_config"] = read_yaml(self.accelerate_config)
        return chosen


def _beside(word: str, info: ValidationInfo) -> str:
    """The file that a word of a command names beside the experiment file; else the word itself."""
    file = folder_of(info) / word
    return str(file) if is_file(file) else word


def overlaid(training: Training, changes: Training) -> Training:
    """A training's settings with those on top that the changes name."""
    named = {field: getattr(changes, field) for field in changes.model_fields_set}
    return training.model_copy(update=named)


class AlignedModelSettings(Settings):
    """The fine-tuning of the base model on the final data set.

    Attributes:
        method: ``lora`` trains an adapter, ``full`` all of the model's weights.
        training: what is different from the experiment's ``training``. Of its
            ``evaluation_split`` nothing is used, for ``dataset.validation_split`` decides.
    """

    method: Literal["lora", "full"] = "lora"
    training: Training = Training()
