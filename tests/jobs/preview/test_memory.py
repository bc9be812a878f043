"""Memory estimates of models that keep their settings in different places."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig

from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.jobs.preview.memory import memory_needed
from tests.families import EYES, SIZES

HEADS = {"head_dim": 8, "vocab_size": 400}


def experiment_with(kind: str, write_experiment: Any, folder: Path, **settings: Any) -> Experiment:
    AutoConfig.for_model(kind, **settings).save_pretrained(folder)
    return load_experiment(write_experiment(base_model=str(folder)))


def cache(experiment: Experiment) -> float:
    """Bytes of the keys and values of one token."""
    tokens = experiment.sampling.max_tokens
    return memory_needed(experiment).cache_per_text * 2**30 / tokens


@pytest.mark.parametrize("kind", ["gemma3", "mistral3", "llava"])
def test_a_nested_configuration_counts_as_the_plain_one(
    kind: str, write_experiment: Any, tmp_path: Path
) -> None:
    text = AutoConfig.for_model(kind).text_config.model_type
    nested = {"text_config": SIZES | HEADS | {"model_type": text}, "vision_config": EYES}
    experiment = experiment_with(kind, write_experiment, tmp_path / "nested", **nested)
    # Two layers, keys and values, two heads of eight numbers, of two bytes each.
    assert cache(experiment) == pytest.approx(2 * 2 * 2 * 8 * 2)
    seeing = memory_needed(experiment)
    experiment = experiment_with(text, write_experiment, tmp_path / "plain", **SIZES, **HEADS)
    assert cache(experiment) == pytest.approx(2 * 2 * 2 * 8 * 2)
    plain = memory_needed(experiment)
    assert seeing.weights > plain.weights, "the eyes take room, too"
    assert seeing.training > plain.training


def test_a_model_without_attention_has_no_keys_and_values(
    write_experiment: Any, tmp_path: Path
) -> None:
    small = {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 400}
    experiment = experiment_with("mamba", write_experiment, tmp_path / "mamba", **small)
    assert cache(experiment) == 0
    assert memory_needed(experiment).weights > 0


def test_a_model_that_writes_no_texts_is_named(write_experiment: Any, tmp_path: Path) -> None:
    experiment = experiment_with("bert", write_experiment, tmp_path / "bert", vocab_size=400)
    with pytest.raises(UserError, match=r"base_model: .*bert cannot be loaded: .* of type bert"):
        memory_needed(experiment)
