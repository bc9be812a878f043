"""What a new token sees of those before it, in every type of layer that a model has."""

from collections.abc import Callable
from typing import Any

import torch

from sl_dagster.errors import UserError

_FULL = "full_attention"


class AttentionMasks:
    """Masks for one new token per row, rows being of different lengths.

    The settings are those of the language model, wherever a configuration keeps them: models that
    also see pictures nest them in ``text_config``.
    """

    def __init__(self, config: Any) -> None:
        """Read the configuration of a model.

        Raises:
            UserError: the model has layers that are not attention, or of an unknown kind.
        """
        text = config.get_text_config(decoder=True)
        window = _same_in_all_layers(text, "sliding_window")
        chunk = _same_in_all_layers(text, "attention_chunk_size")
        types = getattr(text, "layer_types", None)
        if types is None:  # then all layers are alike, and these settings say how
            types = ["sliding_attention" if window else "chunked_attention" if chunk else _FULL]
        hidden: dict[str, _Hidden] = {
            _FULL: lambda place, distance: distance < 0,
            "sliding_attention": lambda place, distance: (
                (distance < 0) | (distance >= (window or torch.inf))
            ),
            "chunked_attention": lambda place, distance: (
                (distance < 0) | (distance > (place % chunk if chunk else torch.inf))
            ),
        }
        unknown = sorted(set(types) - hidden.keys())
        if unknown:
            raise UserError(
                f"engine: the transformers engine knows no layers of type {', '.join(unknown)}: "
                "use the vllm engine for this model"
            )
        self._hidden = {kind: hidden[kind] for kind in set(types)}

    def of(self, places: torch.Tensor, dtype: torch.dtype) -> Any:
        """The additive masks of one new token per row.

        Args:
            places: how many tokens stand before each new token, shape (rows, 1).
            dtype: the model's.

        Returns:
            A tensor of shape (rows, 1, 1, tokens), or a mapping of such by type of layer where the
            model has several.
        """
        distance = places - torch.arange(int(places.max()) + 1, device=places.device)
        lowest = torch.finfo(dtype).min
        masks = {
            kind: torch.zeros(distance.shape, dtype=dtype, device=places.device).masked_fill_(
                hides(places, distance), lowest
            )[:, None, None, :]
            for kind, hides in self._hidden.items()
        }
        return masks if len(masks) > 1 else next(iter(masks.values()))


# Given the places of new tokens and how far what is seen lies before them: what they do not see.
_Hidden = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _same_in_all_layers(config: Any, setting: str) -> int | None:
    """A setting of the attention, or None; a few models set it layer by layer."""
    layers = getattr(config, "per_layer_config", None) or [config]
    values = {getattr(layer, setting, None) for layer in layers}
    if len(values) > 1:
        raise UserError(
            f"engine: the transformers engine knows no models whose layers differ in {setting}: "
            "use the vllm engine for this model"
        )
    return values.pop()
