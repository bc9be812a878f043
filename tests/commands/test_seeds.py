"""Checking seed files, and the seeds that come with the project."""

import json
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from sl_dagster.commands.seeds import own_seed_files, problems
from sl_dagster.inputs.instructions import read_instructions
from sl_dagster.inputs.seeds import read_seeds
from sl_dagster.method.instructions import Kind
from sl_dagster.method.language import BUILT_IN_LANGUAGES, Language

STORY = "Write a story about an old bridge."


def seed_file(folder: Path, *instructions: str, name: str = "seeds.jsonl") -> Path:
    path = folder / name
    lines = [json.dumps({"instruction": text, "language": "en"}) for text in instructions]
    path.write_text("\n".join(lines))
    return path


def test_the_projects_seeds_are_clean() -> None:
    seeds = read_seeds(own_seed_files())
    assert problems(seeds) == []
    counts = Counter((seed.line.language, seed.line.kind) for seed in seeds)
    for language in BUILT_IN_LANGUAGES:
        assert sum(counts[language, kind] for kind in get_args(Kind)) >= 70
        assert min(counts[language, kind] for kind in get_args(Kind)) >= 10
    assert all(seed.line.kind for seed in seeds)


@pytest.mark.parametrize("language", BUILT_IN_LANGUAGES)
def test_a_file_holds_the_language_of_its_name(language: Language) -> None:
    path = next(path for path in own_seed_files() if path.stem == language)
    assert len(read_instructions(path, (language,))) == len(read_seeds([path]))


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        (STORY, "the same as {path}:1"),
        ("Write a story about an old mill.", "nearly the same (0.86) as {path}:1"),
        ("Write more.", "too_short: 2 words"),
        ("Write a letter of two pages about a lost key.", "names a length: two pages"),
    ],
)
def test_problems_have_their_place(tmp_path: Path, second: str, problem: str) -> None:
    path = seed_file(tmp_path, STORY, second)
    assert problems(read_seeds([path])) == [f"{path}:2: {problem.format(path=path)}"]


def test_files_are_compared_with_each_other(tmp_path: Path) -> None:
    first = seed_file(tmp_path, STORY, name="one.jsonl")
    second = seed_file(tmp_path, "Explain how heat pumps work.", STORY, name="two.jsonl")
    assert problems(read_seeds([first, second])) == [f"{second}:2: the same as {first}:1"]
