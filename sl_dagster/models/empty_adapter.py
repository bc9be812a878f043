"""An adapter that changes nothing: what it shows is that a server can load one."""

from typing import Any

from sl_dagster.errors import UserError
from sl_dagster.models.base_model import model_without_weights


def empty_adapter(name: str, revision: str, rank: int) -> tuple[dict[str, Any], bytes]:
    """A LoRA adapter of zeros for one layer of a model; no weights of the model are read.

    Args:
        name: the model's folder, or its id on the hub.
        revision: of the hub's repository.
        rank: of the adapter.

    Returns:
        Its configuration, as PEFT writes it, and its weights, as safetensors.

    Raises:
        UserError: the model's configuration cannot be loaded, or it has no layer for an adapter.
    """
    # Imported late: it takes seconds.
    import torch
    from safetensors.torch import save

    model = model_without_weights(name, revision)
    read = set(model.get_decoder().modules())  # by texts; there may be parts for pictures, too
    layers = (
        (path, layer)
        for path, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) and layer in read
    )
    path, layer = next(layers, (None, None))
    if path is None or layer is None:
        raise UserError(f"base_model: {name} has no linear layer that could get an adapter")
    shapes = {"lora_A": (rank, layer.in_features), "lora_B": (layer.out_features, rank)}
    weights = {
        f"base_model.model.{path}.{part}.weight": torch.zeros(shape)
        for part, shape in shapes.items()
    }
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": name,
        "r": rank,
        "lora_alpha": rank,
        "target_modules": [path.rpartition(".")[2]],
    }
    return config, save(weights)
