"""How much GPU memory an experiment needs, estimated from the model's configuration alone."""

from dataclasses import dataclass

from sl_dagster.experiment import Experiment
from sl_dagster.models.base_model import model_without_weights

_GIB = 2**30


@dataclass(frozen=True)
class Memory:
    """Estimated memory of one GPU that holds the whole model, in GiB.

    Attributes:
        weights: of the base model in 16 bits, as the engine holds it.
        cache_per_text: keys and values of one text of ``sampling.max_tokens``; the engine holds as
            many at once as fit.
        training: weights, adapter with its optimiser, and the largest batch's activations (with
            gradient checkpointing) and logits.
    """

    weights: float
    cache_per_text: float
    training: float


def memory_needed(experiment: Experiment) -> Memory:
    """Estimate from the shapes in the model's configuration; no weights are read.

    Raises:
        UserError: the base model's configuration cannot be loaded.
    """
    model = model_without_weights(experiment.base_model, experiment.revision)
    config = model.config.get_text_config(decoder=True)
    parameters = model.num_parameters()
    layers, hidden = config.num_hidden_layers, config.hidden_size
    attention = getattr(config, "num_attention_heads", None) or 0  # there are models without any
    heads = getattr(config, "num_key_value_heads", None) or attention
    head = getattr(config, "head_dim", None) or hidden // max(attention, 1)
    training = experiment.training
    bytes_each = 4 if training.precision == "fp32" else 2
    tokens = training.max_length * training.batch_size
    adapter = sum(
        training.lora.rank * (module.in_features + module.out_features)
        for module in model.modules()
        if module.__class__.__name__ == "Linear"
    )
    # Weights stay float32 in training; an adapter has weights, gradients and two Adam moments.
    kept = 4 * parameters + 16 * adapter
    # Each layer's input is kept, one layer's inside is recomputed (about 16 times its input), and
    # the loss needs the logits in float32 with their gradients.
    activations = tokens * hidden * bytes_each * (layers + 16)
    logits = 2 * 4 * tokens * config.vocab_size
    return Memory(
        weights=2 * parameters / _GIB,
        cache_per_text=2 * 2 * layers * heads * head * experiment.sampling.max_tokens / _GIB,
        training=(kept + activations + logits) / _GIB,
    )
