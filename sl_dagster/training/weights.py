"""Which weights a training begins with, and which of them it changes."""

from typing import Any

import torch
from accelerate import PartialState
from peft import LoraConfig, PeftConfig, PeftModel
from transformers import BitsAndBytesConfig

from sl_dagster.errors import UserError
from sl_dagster.models.base_model import load_model
from sl_dagster.training.job import TrainingJob


def base_model_to_train(job: TrainingJob) -> Any:
    """The base model, in the precision and on the device that it is trained with."""
    training = job.training
    gpu = torch.cuda.is_available()
    settings: dict[str, Any] = {}
    if training.quantization:
        settings["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        # Each process quantizes its own copy, on its own GPU.
        settings["device_map"] = {"": PartialState().device}
    # Weights that change by small steps need the full precision; only the arithmetic is bfloat16.
    low = gpu and training.precision == "bf16" and not job.all_weights
    settings["dtype"] = torch.bfloat16 if low else torch.float32
    return load_model(job.base_model, job.revision, **settings)


def adapted(job: TrainingJob, model: Any) -> tuple[Any, LoraConfig | None]:
    """The model to train and, when a new adapter is to be trained, its shape.

    Args:
        model: the base model.

    Raises:
        UserError: the model has no such layers, or the adapter that is continued has another shape.
    """
    lora = job.training.lora
    if job.all_weights:
        return model, None
    if job.previous_adapter:
        shape = PeftConfig.from_pretrained(str(job.previous_adapter))
        assert isinstance(shape, LoraConfig)
        _check_unchanged(job, shape)
        shape.lora_dropout = lora.dropout
        return PeftModel.from_pretrained(
            model, job.previous_adapter, config=shape, is_trainable=True
        ), None
    layers = [name for name, _ in model.named_modules()]
    for target in lora.target_modules or ():
        if not any(name == target or name.endswith(f".{target}") for name in layers):
            linear = (name for name, part in model.named_modules() if hasattr(part, "in_features"))
            known = sorted({name.rpartition(".")[2] for name in linear} - {"lm_head"})
            raise UserError(
                f"training.lora.target_modules: {job.base_model} has no layer {target!r}; its "
                f"linear layers are {', '.join(known)}"
            )
    return model, LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.target_modules) if lora.target_modules else "all-linear",
        exclude_modules=_blind_layers(model) or None,
        task_type="CAUSAL_LM",
    )


def _blind_layers(model: Any) -> list[str]:
    """Linear layers that texts never reach, such as those of a part that sees pictures."""
    reached = set(model.get_decoder().modules()) | {model.get_output_embeddings()}
    return [
        name
        for name, part in model.named_modules()
        if hasattr(part, "in_features") and part not in reached
    ]


def _check_unchanged(job: TrainingJob, shape: LoraConfig) -> None:
    """An adapter keeps its shape for life."""
    lora = job.training.lora
    asked: dict[str, Any] = {"rank": lora.rank, "alpha": lora.alpha}
    found: dict[str, Any] = {"rank": shape.r, "alpha": shape.lora_alpha}
    if lora.target_modules:
        asked["target_modules"] = sorted(lora.target_modules)
        found["target_modules"] = sorted(shape.target_modules or ())
    for field, value in asked.items():
        if value != found[field]:
            raise UserError(
                f"training.lora.{field}: {value}, but the adapter of the iteration before, which "
                f"this training continues, has {found[field]}: set it back, or run again from "
                "iteration 1"
            )
