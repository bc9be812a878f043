"""What engines are told to serve, by an experiment and by its judge."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sl_dagster.errors import UserError
from sl_dagster.experiment import VllmSettings, load_experiment


def test_the_base_model_is_served_for_all_stages_and_adapters(
    write_experiment: Callable[..., Path],
) -> None:
    experiment = load_experiment(
        write_experiment(
            revision="v2",
            system_prompt="Be brief.",
            extension={"sampling": {"top_k": 3}},
            training={"lora": {"rank": 8}},
            aligned_model={"training": {"lora": {"rank": 32}}},
        )
    )
    served = experiment.served
    assert (served.name, served.model, served.revision) == ("small", "some/model", "v2")
    assert served.chat.system_prompt == "Be brief."
    assert experiment.sampling_of("extension") in served.samplings
    assert {sampling.top_k for sampling in served.samplings} == {3, 20}
    assert served.forms == ("begun", "choices")
    assert served.lora_rank == 32


def test_a_judge_is_served_alone_and_asked_for_json_only(
    write_experiment: Callable[..., Path],
) -> None:
    judge = {"model": "some/judge", "engine": {"type": "vllm"}, "temperature": 0.5}
    served = load_experiment(write_experiment(judge=judge, system_prompt="Be brief.")).served_judge
    assert (served.name, served.model) == ("small/judge", "some/judge")
    assert isinstance(served.engine, VllmSettings)
    assert served.engine.repetition_detection is None
    assert served.chat.system_prompt is None
    assert [sampling.temperature for sampling in served.samplings] == [0.5]
    assert (served.forms, served.lora_rank) == (("json_schema",), None)


def test_without_a_judge_the_section_is_named(write_experiment: Callable[..., Path]) -> None:
    experiment = load_experiment(write_experiment())
    with pytest.raises(UserError, match=r"small.yaml: judge: this section is missing"):
        _ = experiment.served_judge
