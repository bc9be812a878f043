"""The training set as tokens."""

from pathlib import Path

import pytest

from sl_dagster.models.base_model import load_tokenizer
from sl_dagster.training.examples import tokenized
from sl_dagster.training.job import CHECKPOINTS
from tests.training.examples import new_job


@pytest.mark.parametrize("left", [0, 20])
def test_torn_files_of_a_training_that_was_killed_are_not_read(tmp_path: Path, left: int) -> None:
    job = new_job(tmp_path)
    tokenizer = load_tokenizer(job.base_model, job.revision)
    stops = {tokenizer.eos_token_id}
    before = tokenized(job, tokenizer, stops).train["input_ids"][:]
    torn = [path for path in (job.output / CHECKPOINTS).rglob("*") if path.is_file()]
    assert torn
    for path in torn:
        size = path.stat().st_size
        path.write_bytes(path.read_bytes()[:left] + b"\0" * (size - left))
    assert tokenized(job, tokenizer, stops).train["input_ids"][:] == before
