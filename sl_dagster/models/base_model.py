"""Loading a base model and its tokenizer: the one place that does, and says why it cannot."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from sl_dagster.errors import UserError
from sl_dagster.experiment.chat import Chat, stop_tokens

# transformers is imported late: it takes seconds.


# Said aloud, because transformers would otherwise ask whoever sits at the terminal.
_NO_CODE = {"trust_remote_code": False}


def load_tokenizer(name: str, revision: str) -> Any:
    """The tokenizer of a model, which has a chat template.

    Args:
        name: a folder or an id on the hub.
        revision: of the hub's repository.

    Raises:
        UserError: it cannot be loaded, or has no chat template.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(name, revision=revision, **_NO_CODE)
    except Exception as error:  # of several libraries: a damaged file can raise any
        raise _cannot_be_loaded(name, error) from error
    # Where a folder has no tokenizer's files, transformers makes up an empty one.
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise _cannot_be_loaded(name, "its tokenizer is missing")
    if not tokenizer.chat_template:
        raise UserError(
            f"base_model: the tokenizer of {name} has no chat template, so it is no chat "
            "model: choose its instruct variant, or add a chat_template to its tokenizer"
        )
    return tokenizer


def load_config(name: str, revision: str) -> Any:
    """The configuration of a model; see ``load_tokenizer``."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(name, revision=revision, **_NO_CODE)
    except Exception as error:  # see above
        raise _cannot_be_loaded(name, error) from error


def load_model(name: str, revision: str, **settings: Any) -> Any:
    """The model with all its weights, which must be safetensors.

    Args:
        name, revision: see ``load_tokenizer``.
        settings: what ``from_pretrained`` is told besides.

    Raises:
        UserError: it cannot be loaded, is an adapter and no model, or lacks weights.
    """
    kind = model_class(name, load_config(name, revision))
    try:
        loaded: Any = kind.from_pretrained(
            name,
            revision=revision,
            use_safetensors=True,
            output_loading_info=True,
            **_NO_CODE,
            **settings,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _cannot_be_loaded(name, error) from error
    model, found = loaded
    if getattr(model, "_hf_peft_config_loaded", False):
        raise _cannot_be_loaded(name, "it is an adapter: merge it into its model first")
    missing = sorted(found["missing_keys"])
    if missing:
        # transformers would go on with random numbers instead.
        raise _cannot_be_loaded(
            name, f"its files lack {len(missing)} of its weights, such as {missing[0]}"
        )
    return model


def model_without_weights(name: str, revision: str) -> Any:
    """The model's layers with their names and shapes; they take no memory and hold no numbers.

    Args:
        name, revision: see ``load_tokenizer``.

    Raises:
        UserError: its configuration cannot be loaded, or it writes no texts.
    """
    import torch

    config = load_config(name, revision)
    kind = model_class(name, config)
    with torch.device("meta"):
        return kind.from_config(config)


def model_class(name: str, config: Any) -> Any:
    """The class of ``transformers`` that loads a model that writes texts.

    Models that also see pictures are loaded with their eyes, which stay closed.

    Args:
        name: of the model, for the message.
        config: its configuration.

    Raises:
        UserError: the model writes no texts.
    """
    import transformers

    encoder = type(config) in transformers.MODEL_FOR_MASKED_LM_MAPPING
    if type(config) in transformers.MODEL_FOR_CAUSAL_LM_MAPPING and not encoder:
        return transformers.AutoModelForCausalLM
    if type(config) in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return transformers.AutoModelForImageTextToText
    raise _cannot_be_loaded(
        name, f"transformers knows no model of type {config.model_type} that writes texts"
    )


def check_base_model(name: str, revision: str, chat: Chat) -> None:
    """See that the base model is there and that the loop can use its chat template.

    No weights are read.

    Args:
        name, revision: see ``load_tokenizer``.
        chat: how a message becomes a chat.

    Raises:
        UserError: it cannot; the message names the option to set, if there is one.
    """
    from transformers import GenerationConfig
    from transformers.utils import GENERATION_CONFIG_NAME

    tokenizer = load_tokenizer(name, revision)
    config = load_config(name, revision)
    try:
        generation = GenerationConfig.from_pretrained(name, revision=revision)
    except Exception as error:  # a model need not have one
        if (Path(name) / GENERATION_CONFIG_NAME).is_file():
            raise _cannot_be_loaded(name, error) from error
        generation = GenerationConfig.from_model_config(config)
    model_class(name, config)
    chat.check(tokenizer, stop_tokens(generation, tokenizer))


def _cannot_be_loaded(name: str, why: object) -> UserError:
    said = str(why)
    if "trust_remote_code" in said:
        said = "it brings code of its own, which is never run: choose one that transformers knows"
    if isinstance(why, KeyError | TypeError | AttributeError):  # of code that takes files for right
        said = f"one of its files is damaged ({said})"
    return UserError(f"base_model: {name} cannot be loaded: {said}")
