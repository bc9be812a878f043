"""Training on real architectures: what their templates make of an example, and what is learnt."""

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from sl_dagster.experiment import Experiment, Lora, Sampling, Training
from sl_dagster.experiment.chat import Chat, stop_tokens
from sl_dagster.resources.adapters import WEIGHTS_FILE, Adapter, adapter_fingerprint
from sl_dagster.resources.engines import Request, open_engine
from sl_dagster.training.examples import tokenized
from sl_dagster.training.job import TrainingJob
from sl_dagster.training.train import make_trainer, train
from tests.families import FAMILIES, assistant, build_model, user

pytestmark = pytest.mark.integration

SYSTEM_PROMPTS = [None, "Be brief. 简短。"]
# A line end at its start would melt into that of the prompt, were they tokenized together.
ANSWERS = ["\nOld lantern 1.\n\nIt shone.", "灯笼很旧。\n\n它发光！🏮", "Short."]
ROWS = [
    {
        "instruction": f"Write {number}.",
        "prompt": [user(f"Write {number}.")],
        "completion": [assistant(answer)],
    }
    for number, answer in enumerate(ANSWERS)
]


@pytest.fixture(scope="session", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def model(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(family)
    build_model(FAMILIES[family], folder)
    return folder


@pytest.fixture(params=SYSTEM_PROMPTS, ids=["no system prompt", "system prompt"])
def chat(family: str, request: pytest.FixtureRequest) -> Chat:
    kwargs = FAMILIES[family].template_kwargs
    return Chat(system_prompt=request.param, template_kwargs=kwargs)


@pytest.fixture
def job(model: Path, chat: Chat, tmp_path: Path) -> TrainingJob:
    Dataset.from_list(ROWS).to_parquet(str(tmp_path / "records.parquet"))
    return TrainingJob(
        name="n",
        project="p",
        base_model=str(model),
        revision="main",
        chat=chat,
        previous_adapter=None,
        training_set=tmp_path / "records.parquet",
        output=tmp_path / "adapter",
        training=Training(lora=Lora(rank=2, alpha=4), learning_rate=1e-2, epochs=4, batch_size=3),
        seed=1,
    )


def collated(job: TrainingJob) -> list[tuple[str, str, str]]:
    """Each example of the real trainer's batches: what is before, in and after what is learnt."""
    tokenizer = AutoTokenizer.from_pretrained(job.base_model)
    model: Any = AutoModelForCausalLM.from_pretrained(job.base_model)
    examples = tokenized(job, tokenizer, stop_tokens(model.generation_config, tokenizer))
    trainer = make_trainer(job, model, tokenizer, examples)
    parts = []
    for batch in trainer.get_train_dataloader():
        if "attention_mask" not in batch:  # one row, each example beginning at position 0
            starts = [*(batch["position_ids"][0] == 0).nonzero().flatten().tolist(), None]
            spans = [(0, slice(a, b)) for a, b in itertools.pairwise(starts)]
        else:
            lengths = batch["attention_mask"].sum(dim=1).tolist()
            spans = [(row, slice(0, length)) for row, length in enumerate(lengths)]
            # Nothing is learnt from the padding.
            assert int((batch["labels"][batch["attention_mask"] == 0] != -100).sum()) == 0
        for row, span in spans:
            ids, labels = batch["input_ids"][row, span], batch["labels"][row, span]
            learnt = (labels != -100).nonzero().flatten().tolist()
            assert learnt == list(range(learnt[0], learnt[-1] + 1))
            assert (labels[learnt] == ids[learnt]).all()
            cuts = (ids[: learnt[0]], ids[learnt], ids[learnt[-1] + 1 :])
            parts.append(tuple(tokenizer.decode(cut) for cut in cuts))
    return parts


@pytest.mark.parametrize("packing", [False, True], ids=["in a batch", "packed"])
def test_the_answer_and_its_end_are_learnt_and_nothing_else(
    job: TrainingJob, family: str, packing: bool
) -> None:
    training = job.training.model_copy(update={"packing": packing})
    job = job.model_copy(update={"training": training})
    tokenizer = AutoTokenizer.from_pretrained(job.base_model)
    expected = set()
    for row in ROWS:
        answer = row["completion"][0]["content"]
        if family == "llama":
            answer = answer.strip()  # so does its template
        shown = job.chat.prompt(tokenizer, *row["prompt"])
        assert (job.chat.system_prompt or "") in shown
        expected.add((shown, answer + FAMILIES[family].end, ""))
    assert set(collated(job)) == expected


def test_the_prompt_is_the_families_own(job: TrainingJob, family: str) -> None:
    shown, *_ = next(parts for parts in collated(job) if "Short." in parts[1])
    system = job.chat.system_prompt
    if family == "llama":
        header = "<|start_header_id|>{}<|end_header_id|>\n\n{}<|eot_id|>"
        chat = [header.format("system", system)] if system else []
        chat = ["<|begin_of_text|>", *chat, header.format("user", "Write 2.")]
        chat.append("<|start_header_id|>assistant<|end_header_id|>\n\n")
    else:
        turn = "<|im_start|>{}\n{}<|im_end|>\n"
        if family in ("qwen2", "gemma3"):
            system = system or "You help."  # what its template says by itself
        chat = [turn.format("system", system)] if system else []
        chat += [turn.format("user", "Write 2."), "<|im_start|>assistant\n"]
        if family == "qwen3":
            chat.append("<think>\n\n</think>\n\n")
    assert shown == "".join(chat)


def test_generation_shows_what_training_has_shown(job: TrainingJob, tmp_path: Path) -> None:
    train(job, pipes=None)
    adapter = Adapter("generator", adapter_fingerprint(job.output), str(job.output), 1)
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text("")
    experiment = Experiment(
        name="small",
        base_model=job.base_model,
        seeds=(seeds,),
        system_prompt=job.chat.system_prompt,
        chat_template_kwargs=job.chat.template_kwargs,
    )
    tokenizer = AutoTokenizer.from_pretrained(job.base_model)
    sampling = Sampling(temperature=0, repetition_penalty=1, max_tokens=3, stop=())
    engine = open_engine(experiment.served)
    try:
        for begun in ("", "It"):
            request = Request(user("Write 2."), sampling, 1, adapter, begun)
            answer = asyncio.run(engine.complete(request))
            shown = job.chat.prompt(tokenizer, user("Write 2.")) + begun
            expected = tokenizer(shown, add_special_tokens=False)["input_ids"]
            assert answer.prompt_tokens == len(expected)
    finally:
        engine.close()


def test_nothing_is_trained_that_texts_do_not_reach(job: TrainingJob) -> None:
    train(job, pipes=None)
    trained = load_file(job.output / WEIGHTS_FILE)
    assert trained
    assert not [name for name in trained if "vision" in name or "projector" in name]


def test_a_training_of_a_few_steps_lowers_the_loss(job: TrainingJob) -> None:
    outcome = train(job, pipes=None)
    assert outcome.steps == 4
    assert outcome.losses[-1].loss < outcome.losses[0].loss
