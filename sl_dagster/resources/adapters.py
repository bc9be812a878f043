"""Trained weights as values: which ones an iteration works with, identified by their content."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sl_dagster.disk_errors import damage_explained
from sl_dagster.errors import UserError
from sl_dagster.experiment import Role
from sl_dagster.identity import fingerprint, hash_files

AnyRole = Role | Literal["aligned"]

WEIGHTS_FILE = "adapter_model.safetensors"
CONFIG_FILE = "adapter_config.json"
_MODEL_CONFIG_FILE = "config.json"
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")

# What PEFT may say in an adapter's configuration that decides what its weights do, besides their
# rank, their scale and their places.
_SHAPED_BY = (
    "alpha_pattern", "exclude_modules", "fan_in_fan_out", "layer_replication", "layers_pattern",
    "layers_to_transform", "lora_bias", "modules_to_save", "rank_pattern", "target_parameters",
    "trainable_token_indices", "use_dora", "use_rslora",
)  # fmt: skip


@dataclass(frozen=True)
class Adapter:
    """The weights of one role: a LoRA adapter, or the bare base model.

    The aligned model may also be a whole model, see ``is_whole_model``.

    Attributes:
        role: who works with it; ``aligned`` is the aligned model, which stands outside the loop.
        fingerprint: digest of the adapter's weights and shape; of the base model's identity for the
            bare model, then with the prefix ``base-``.
        path: the adapter's folder; None for the bare base model.
        iteration: the iteration that trained it; 0 for the base model and the aligned model.
    """

    role: AnyRole
    fingerprint: str
    path: str | None = None
    iteration: int = 0

    @property
    def is_whole_model(self) -> bool:
        """Whether ``path`` holds all weights, fine-tuned, and no adapter for the base model."""
        return self.path is not None and _is_whole_model(Path(self.path))

    def verified(self) -> "Adapter":
        """The same adapter, its files checked against the fingerprint.

        Raises:
            OutOfReachError: they cannot be read.
            UserError: they are missing, damaged or have been replaced.
        """
        if self.path is None:
            return self
        asset = asset_of(self.role, self.iteration)
        with damage_explained(Path(self.path), f"materialize {asset} again"):
            found = adapter_fingerprint(Path(self.path))
        if found != self.fingerprint:
            retrained = (
                f"Materialize previous_{self.role} of iteration {self.iteration + 1} if you "
                f"retrained it, otherwise {asset}"
            )
            raise UserError(
                f"{self.path}: the adapter has fingerprint {found}, expected {self.fingerprint}: "
                "it is damaged or was replaced. "
                + (f"Materialize {asset} again" if self.role == "aligned" else retrained)
            )
        return self


def asset_of(role: AnyRole, iteration: int) -> str:
    """The asset that trains a role, in words."""
    stage = stage_of(role)
    return f"{stage} of iteration {iteration}" if iteration else stage


def stage_of(role: AnyRole) -> str:
    """The name of the asset that trains a role."""
    return "aligned_model" if role == "aligned" else f"{role}_lora"


def adapter_fingerprint(folder: Path) -> str:
    """Digest of an adapter's weights and of the settings that decide what they do.

    The base model's path is left out, so that moving a project changes nothing. Of a whole model it
    is the digest of all weights and of its configuration.

    Raises:
        OSError, ValueError: a file is missing or is not what it should be.
    """
    _refuse_pickles(folder)
    if _is_whole_model(folder):
        return hash_files(folder, [_MODEL_CONFIG_FILE, *_whole_models_weights(folder)])
    config: dict[str, Any] = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    try:
        modules = config["target_modules"]
        shape = {
            "r": config["r"],
            "alpha": config["lora_alpha"],
            "modules": [modules] if isinstance(modules, str) else sorted(modules),
        }
    except (KeyError, TypeError) as error:
        raise ValueError(f"{CONFIG_FILE} is not that of a LoRA adapter: {error!r}") from None
    # What most adapters leave out does not change their fingerprints.
    more = {name: config[name] for name in _SHAPED_BY if config.get(name)}
    for name in ("exclude_modules", "modules_to_save"):  # PEFT writes their names in any order
        if isinstance(more.get(name), list):
            more[name] = sorted(more[name])
    shape |= more
    parts = sorted(path.name for path in folder.glob("*.safetensors"))
    if parts and WEIGHTS_FILE not in parts:
        raise ValueError(
            f"its weights are in {', '.join(parts)}; PEFT reads one file, {WEIGHTS_FILE}"
        )
    return fingerprint(shape, hash_files(folder, [WEIGHTS_FILE]))


def _refuse_pickles(folder: Path) -> None:
    """What loads such a file may run code that is in it."""
    for path in folder.glob("*_model*"):
        if path.suffix in _PICKLES:
            raise ValueError(
                f"{path.name} is a pickle, which can run code; only safetensors are read"
            )


def _whole_models_weights(folder: Path) -> list[str]:
    """The files with a model's weights, one or several."""
    weights = {path.name for path in folder.glob("*.safetensors")}
    for index in folder.glob("*.safetensors.index.json"):
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        if missing := sorted(named - weights):
            raise ValueError(f"{index.name} names files that are missing: {', '.join(missing)}")
    if not weights:
        raise ValueError("there is no *.safetensors in it")
    return sorted(weights)


def _is_whole_model(folder: Path) -> bool:
    return (folder / _MODEL_CONFIG_FILE).is_file() and not (folder / CONFIG_FILE).is_file()


def base_model_fingerprint(base_model: str, revision: str) -> str:
    """Identity of a base model: the content of a local folder, or the id and revision on the hub.

    Of a large local file (a real model's weights) the first megabyte and the size count, which
    includes every tensor's name, shape and place.
    """
    folder = Path(base_model)
    if not folder.is_dir():
        return "base-" + fingerprint(base_model, revision)
    parts = []
    for path in sorted(folder.glob("*")):
        if path.suffix in (".json", ".jinja", ".safetensors"):
            with path.open("rb") as file:
                parts.append([path.name, path.stat().st_size, file.read(1 << 20).hex()])
    return "base-" + fingerprint(parts)
