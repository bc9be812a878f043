"""What models run on: the settings of each type of engine.

Another type is another class here, one more in ``EngineSettings`` and ``ENGINE_TYPES``, and a
module in ``resources/engines``.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import fsspec
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from sl_dagster.experiment.base import NO_TRUTH, Positive, Settings, Word, resolved

# All that any experiment has named in ``api_key_env`` since the process began: nothing that is
# started may see them.
KEY_VARIABLES: set[str] = set()


class TransformersSettings(Settings):
    """``type: transformers``: generation in the run's own process, on a CPU or one GPU.

    Attributes:
        device: where the model lives; ``auto`` takes the GPU if there is one.
        dtype: the weights' precision; ``auto`` takes bfloat16 on a GPU and float32 on a CPU.
        batch_size: sequences generated at the same time.
        batch_tokens: bound on batch size x longest sequence (prompt + allowed completion).
    """

    type: Literal["transformers"] = "transformers"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    batch_size: Positive = 64
    batch_tokens: Positive = 65536


class RepetitionDetection(Settings):
    """When vLLM ends a generation that goes round in circles.

    Attributes:
        min_pattern_size, max_pattern_size: length in tokens of what is said again and again.
        min_count: how often it is said before the generation ends.
    """

    max_pattern_size: Positive = 64
    min_pattern_size: Annotated[Positive, Field(validate_default=True)] = 4
    min_count: Annotated[int, Field(ge=2), NO_TRUTH] = 4

    @field_validator("min_pattern_size")
    @classmethod
    def _below_the_maximum(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("max_pattern_size", value):
            most = info.data["max_pattern_size"]
            raise ValueError(f"expected at most max_pattern_size ({most}), found {value}")
        return value


class RemoteSettings(Settings):
    """What all engines behind an OpenAI-compatible interface have in common.

    Attributes:
        max_in_flight: requests waiting for an answer at the same time.
        request_timeout: seconds that one answer may take.
        repetition_detection: ends looping generations early (needs vLLM); null switches it off.
    """

    max_in_flight: Positive | None = None
    request_timeout: Annotated[float, Field(gt=0), NO_TRUTH] = 3600
    repetition_detection: RepetitionDetection | None = RepetitionDetection()


VLLM_OPTIONS_SET_BY_US = {
    "host", "port", "api_key", "model", "revision", "served_model_name", "enable_lora",
    "max_lora_rank", "enable_sleep_mode", "generation_config",
}  # fmt: skip


class VllmSettings(RemoteSettings):
    """``type: vllm``: a vLLM server that the run starts, watches and ends.

    Attributes:
        options: vLLM's own options by their names on its command line, with underscores.
        environment: environment variables of the server.
        start_timeout: seconds until the server must be ready.
        while_training: what the server does while the same GPU trains: ``stop`` (start again
            afterwards), ``sleep`` (vLLM's sleep mode; GPUs only) or ``keep`` (go on).
        max_in_flight: by default a quarter more than the server batches.
    """

    type: Literal["vllm"]
    options: dict[str, Any] = Field(default={})
    environment: dict[str, str] = Field(default={})
    start_timeout: Annotated[float, Field(gt=0), NO_TRUTH] = 1800
    while_training: Literal["stop", "sleep", "keep"] = "stop"

    @field_validator("options")
    @classmethod
    def _leave_ours_alone(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z][\w.-]*", name):
                raise ValueError(f"{name!r} is no option's name: write it without -- before it")
        taken = sorted(name for name in value if name.replace("-", "_") in VLLM_OPTIONS_SET_BY_US)
        if taken:
            raise ValueError(f"{', '.join(taken)}: set by sl-dagster itself; remove it")
        return value

    @field_validator("environment")
    @classmethod
    def _names_of_variables(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not name or "=" in name:
                raise ValueError(f"{name!r} is no name of a variable; write `NAME: value`")
        return value


def _address(value: str) -> str:
    # A key in it would stand wherever the settings are shown.
    if "@" in value:
        raise ValueError(
            "an address must hold no user and no password: put the key into a variable, and name "
            "that in api_key_env"
        )
    if "?" in value or "#" in value:
        raise ValueError(
            "an address must end with its path, such as http://127.0.0.1:8000/v1, and hold no ? "
            "and no #: put a key into a variable, and name that in api_key_env"
        )
    try:
        parts = urlsplit(value)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        right = False
    if not right or re.search(r"\s", value):
        raise ValueError(f"expected an address such as http://127.0.0.1:8000/v1, found {value!r}")
    return value


def _variable(value: str) -> str:
    # What was found may be a key, which must not be shown.
    if not re.fullmatch(r"[A-Za-z_]\w*", value, re.ASCII):
        raise ValueError(
            "expected the name of an environment variable that holds the key, such as MY_API_KEY, "
            "not the key itself"
        )
    KEY_VARIABLES.add(value)
    return value


class AdaptersByName(Settings):
    """Adapters that endpoints find by themselves, in a place where the run publishes them.

    Attributes:
        publish_to: a folder that the endpoints see, or a place in an object storage such as
            ``s3://bucket/adapters``, which fsspec knows.
        name: by which an endpoint serves an adapter: ``{adapter}`` stands for the name of its
            folder, ``{model}`` for the base model's.
    """

    publish_to: Word
    name: Word = "{adapter}"

    @field_validator("publish_to")
    @classmethod
    def _find_place(cls, value: str, info: ValidationInfo) -> str:
        protocol, is_url, _ = value.partition("://")
        if not is_url:
            return str(resolved(Path(value), info))
        # A key in it would stand wherever the settings are shown.
        if "@" in value:
            raise ValueError("it must hold no user and no key: they belong into the environment")
        if protocol not in fsspec.available_protocols():
            raise ValueError(f"{protocol}:// is no storage that fsspec knows: is it s3://?")
        return value

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if "{adapter}" not in value:
            raise ValueError("it must hold {adapter}, or all adapters would have the same name")
        unknown = sorted({*re.findall(r"\{.*?\}", value)} - {"{adapter}", "{model}"})
        if unknown:
            raise ValueError(f"it may hold {{adapter}} and {{model}}, and not {', '.join(unknown)}")
        return value

    def served_name(self, adapter: str, model: str) -> str:
        """The name to ask for, given that of the adapter's folder and the base model's."""
        return self.name.replace("{model}", model).replace("{adapter}", adapter)


class OpenAISettings(RemoteSettings):
    """``type: openai``: OpenAI-compatible endpoints that somebody else runs.

    Attributes:
        base_urls: one or several, each ending in ``/v1``.
        api_key_env: environment variable that holds their key; none if they want none.
        model: the name by which they serve the base model; ``base_model`` by default.
        max_in_flight: 128 for each endpoint by default.
        adapters: where to publish adapters, for endpoints that find them by name; by default they
            are told to load them from the data folder.
    """

    type: Literal["openai"]
    base_urls: tuple[Annotated[str, AfterValidator(_address)], ...] = Field(min_length=1)
    api_key_env: Annotated[str, AfterValidator(_variable)] | None = None
    model: Word | None = None
    adapters: AdaptersByName | None = None


ENGINE_TYPES = ("transformers", "vllm", "openai")
EngineSettings = Annotated[
    TransformersSettings | VllmSettings | OpenAISettings, Field(discriminator="type")
]
