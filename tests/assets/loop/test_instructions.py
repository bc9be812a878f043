"""The self-made instructions: what is dropped and why, the pool, languages, diversity."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from sl_dagster.commands.seeds import own_seed_files
from sl_dagster.definitions import build_definitions
from sl_dagster.experiment import load_experiment
from sl_dagster.method.prompts import read_prompts
from sl_dagster.resources.engines import Completion, Request
from sl_dagster.resources.named import resources_in
from sl_dagster.resources.records import Record
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.conftest import ScriptedEngine

SEEDS = """\
{"instruction": "Write a story about an old bridge.", "language": "en", "kind": "literature"}
{"instruction": "Explain how a heat pump works.", "language": "en", "kind": "technical"}
{"instruction": "给十年后的自己写一封信。", "language": "zh", "kind": "personal"}
{"instruction": "讲解虚拟内存是怎样工作的。", "language": "zh", "kind": "technical"}
"""
# Long enough to be no number and no unit of length.
WORDS = [word for word in Path(__file__).read_text().split() if word.isalpha() and len(word) > 7]
CHINESE = "春夏秋冬山水风云桥路城乡读写说唱茶酒花草星月江河湖海船车信纸笔墨"


class SlowEngine(ScriptedEngine):
    """A scripted engine that takes some seconds to answer."""

    def __init__(
        self, answer: Callable[[Request], str | Completion], seconds: Callable[[Request], float]
    ) -> None:
        super().__init__(answer)
        self._seconds = seconds

    async def complete(self, request: Request) -> Completion:
        await asyncio.sleep(self._seconds(request))
        return await super().complete(request)


class Loop:
    """An experiment whose instructions are made by a scripted engine."""

    def __init__(self, path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self._data = data
        self._path = path
        (path.parent / "seeds.jsonl").write_text(SEEDS, encoding="utf-8")

    def make(
        self,
        write: Callable[[Request], str | Completion],
        iteration: int = 1,
        judge: str | Completion | None = None,
        seconds: Callable[[Request], float] = lambda _: 0,
    ) -> tuple[list[Record], dict[str, Any], ScriptedEngine]:
        """Make the instructions of an iteration: its records, metadata, and who was asked."""

        def answer(request: Request) -> str | Completion:
            return write(request) if request.begun else judge or request.choices[0]

        engine = SlowEngine(answer, seconds)
        self._patch.setattr("sl_dagster.resources.engines.pool.open_engine", lambda _: engine)
        definitions = build_definitions([load_experiment(self._path)], resources_in(self._data))
        result = dg.materialize(
            list(definitions.assets or ()),  # pyright: ignore[reportArgumentType]
            selection=[dg.AssetKey(["small", name]) for name in ("seeds", "instructions")],
            resources=definitions.resources,
            partition_key=str(iteration),
            raise_on_error=False,
        )
        if not result.success:
            failure = result.get_step_failure_events()[0].event_specific_data
            raise AssertionError(str(failure))
        event = result.asset_materializations_for_node("small__instructions")[0]
        metadata = {name: value.value for name, value in event.metadata.items()}
        return list(self.stored(iteration).records()), metadata, engine

    def stored(self, iteration: int):
        return StageStore(data_dir=str(self._data)).read(
            StageKey("small", "instructions", iteration)
        )


@pytest.fixture
def loop(write_experiment, tmp_path: Path, monkeypatch) -> Callable[..., Loop]:
    def made(
        languages: tuple[str, ...] = ("en",), preset: str = "default", **settings: Any
    ) -> Loop:
        path = write_experiment(
            languages=list(languages), instructions=settings, filter={"preset": preset}
        )
        return Loop(path, tmp_path / "data", monkeypatch)

    return made


def varied(request: Request) -> str:
    """A new instruction, unlike any other, in the language of the request."""
    draw = random.Random(request.seed)
    if request.message["content"] == read_prompts("zh").self_instruct:
        return "".join(draw.sample(CHINESE, 12))
    return " ".join(draw.sample(WORDS, 12))


def test_one_in_another_language_is_asked_for_again(loop: Callable[..., Loop]) -> None:
    answers = iter(["写一个关于老桥的故事。"])
    records, metadata, _ = loop(count=1, tries=2).make(
        lambda request: next(answers, None) or varied(request)
    )
    assert len(records) == 1
    assert metadata["retried_wrong_language"] == 1


def test_alike_ones_are_dropped_whoever_finishes_first(loop: Callable[..., Loop]) -> None:
    texts = [
        "Describe the harbour of a town in winter, and its people.",
        "Describe the harbour of a town in summer, and its people.",
        "Draft a speech for the opening of a new library.",
        "Describe the harbour of a town in winter, and its people.",
    ]
    made = loop(count=4, tries=1)
    place: dict[int, int] = {}  # by the seed of the request

    def write(request: Request) -> str:
        return texts[place[request.seed]]

    def last_ones_first(request: Request) -> float:
        if not request.begun:
            return 0
        return 0.2 * (4 - place.setdefault(request.seed, len(place)))

    records, metadata, engine = made.make(write, seconds=last_ones_first)
    finished = [place[request.seed] for request in engine.requests if request.begun]
    assert finished == [3, 2, 1, 0]
    assert [record.written for record in records] == [texts[0], texts[2]]
    assert metadata["dropped_near_duplicate"] == metadata["dropped_duplicate"] == 1


def test_what_is_like_a_seed_is_asked_for_again(loop: Callable[..., Loop]) -> None:
    answers = iter(["Write a story about an old bridge.", "Write a story about an old mill."])
    records, metadata, engine = loop(count=1, tries=3).make(
        lambda request: next(answers, None) or varied(request)
    )
    assert len(records) == 1
    assert metadata["retried_duplicate"] == metadata["retried_near_duplicate"] == 1
    assert len(engine.requests) == 4, "near-duplicates are not worth a judgement"


def test_similarity_is_a_setting(loop: Callable[..., Loop]) -> None:
    answers = iter(["Write a story about an old mill.", "Write a story about an old barn."])
    records, _, _ = loop(count=2, tries=1, max_similarity=1).make(lambda _: next(answers))
    assert len(records) == 2


def test_every_language_has_its_own_examples_prompts_and_judge(loop: Callable[..., Loop]) -> None:
    made = loop(languages=("en", "zh"), count=6)
    records, _, engine = made.make(varied)
    assert [record.language for record in records] == ["en", "zh"] * 3
    for language in ("en", "zh"):
        prompts = read_prompts(language)
        writing = [r for r in engine.requests if r.message["content"] == prompts.self_instruct]
        assert len(writing) == 3
        seeds = [line for line in SEEDS.splitlines() if f'"language": "{language}"' in line]
        for request in writing:
            assert prompts.self_instruct_stop in request.sampling.stop
            assert request.begun.endswith(prompts.self_instruct_turn[-3:])
            assert all(line.split('"')[3] in request.begun for line in seeds)
        judging = [r for r in engine.requests if r.choices == prompts.judge_answers]
        assert len(judging) == 3


def test_a_language_without_seeds_is_named(loop: Callable[..., Loop], tmp_path: Path) -> None:
    made = loop(languages=("en", "zh"), count=1)
    file = tmp_path / "experiments" / "seeds.jsonl"
    file.write_text(SEEDS.splitlines()[0])
    with pytest.raises(AssertionError, match=r"seeds\.jsonl: no instruction in zh: add some"):
        made.make(varied)


def test_seeds_can_come_from_a_file_for_each_language(
    write_experiment, tmp_path: Path, monkeypatch
) -> None:
    files = [str(path) for path in own_seed_files()]
    path = write_experiment(languages=["en", "zh"], seeds=files, instructions={"count": 10})
    records, metadata, _ = Loop(path, tmp_path / "data", monkeypatch).make(varied)
    assert [record.language for record in records] == ["en", "zh"] * 5
    assert sum(v for k, v in metadata.items() if k.startswith("share_")) == pytest.approx(
        1, abs=0.01
    )


def test_the_judge_decides(loop: Callable[..., Loop]) -> None:
    with_no = loop(count=3, tries=2)
    records, metadata, _ = with_no.make(varied, judge="no")
    assert records == []
    assert metadata["dropped_judged_no"] == metadata["retried_judged_no"] == 3


def test_diversity_is_reported(loop: Callable[..., Loop]) -> None:
    _, metadata, _ = loop(count=20).make(varied)
    assert 0 < metadata["distinct_1"] < metadata["distinct_2"] <= 1
    assert metadata["share_literature"] == metadata["share_technical"] == 0.5
    assert "share_personal" not in metadata


def test_a_growing_pool_has_the_instructions_of_the_iterations_before(
    loop: Callable[..., Loop],
) -> None:
    made = loop(count=30, pool="growing")
    first, _, _ = made.make(varied, iteration=1)
    second, metadata, _ = made.make(varied, iteration=2)
    ids = {record.record_id for record in first}
    own = [record for record in second if ids & set(record.parents)]
    assert len(own) > 20, "most of the pool is self-made by now"
    assert metadata["share_literature"] + metadata["share_technical"] == pytest.approx(1)
    repeated, metadata, _ = made.make(lambda _: first[0].written, iteration=3)
    assert (repeated, metadata["dropped_duplicate"]) == ([], 30)


def test_a_growing_pool_follows_what_it_is_made_of(loop: Callable[..., Loop]) -> None:
    made = loop(count=5, pool="growing")
    made.make(varied, iteration=1)
    made.make(varied, iteration=2)
    before = made.stored(2).fingerprint
    _, _, engine = made.make(varied, iteration=2)
    assert engine.requests == [], "up to date"
    assert made.stored(2).fingerprint == before
    path = made.stored(1).path
    path.unlink()
    with pytest.raises(AssertionError, match="instructions of iteration 1 has not been made yet"):
        made.make(varied, iteration=2)
    made.make(lambda request: f"Anew {varied(request)}", iteration=1)
    made.make(varied, iteration=2)
    assert made.stored(2).fingerprint != before


def test_a_pool_of_seeds_does_not_grow(loop: Callable[..., Loop]) -> None:
    made = loop(count=5)
    first, _, _ = made.make(varied, iteration=1)
    second, _, _ = made.make(varied, iteration=2)
    ids = {record.record_id for record in first}
    assert not any(ids & set(record.parents) for record in second)


NOTED = "Describe a lamp that nobody can put out.\n\nNote: these instructions are detailed. They"


@pytest.mark.parametrize(
    ("preset", "text"), [("default", NOTED.partition("\n")[0]), ("reference", NOTED)]
)
def test_what_follows_an_instruction_is_cut_off(
    loop: Callable[..., Loop], preset: str, text: str
) -> None:
    records, _, engine = loop(preset=preset, count=1).make(lambda _: NOTED)
    assert [record.written for record in records] == [text]
    assert text in engine.requests[-1].message["content"], "it is judged without it"


def test_an_instruction_is_whole_though_what_follows_is_not(loop: Callable[..., Loop]) -> None:
    records, metadata, _ = loop(count=1, tries=1).make(lambda _: Completion(NOTED, 20, 9, "length"))
    assert len(records) == 1
    whole = NOTED.partition("\n")[0]
    records, metadata, _ = loop(count=1, tries=1, max_similarity=0.9).make(
        lambda _: Completion(whole, 20, 9, "length")
    )
    assert (records, metadata["dropped_truncated"]) == ([], 1)


@pytest.mark.parametrize(("preset", "kept"), [("default", 0), ("reference", 1)])
def test_one_that_names_a_length_is_dropped(
    loop: Callable[..., Loop], preset: str, kept: int
) -> None:
    text = "Describe a lamp that nobody can put out in five hundred words."
    records, metadata, _ = loop(preset=preset, count=1, tries=1).make(lambda _: text)
    assert len(records) == kept
    assert metadata.get("dropped_names_length", 0) == 1 - kept


def test_the_judge_is_asked_about_the_experiments_idea_of_long(loop: Callable[..., Loop]) -> None:
    _, _, engine = loop(count=1).make(varied)
    assert "more than 2,000 words" in engine.requests[-1].message["content"]
    _, _, engine = loop(count=1, long_words=300).make(varied)
    assert "more than 300 words" in engine.requests[-1].message["content"]


@pytest.mark.parametrize(
    ("answer", "probability", "threshold", "kept"),
    [
        ("yes", 0.6, None, 1),
        ("yes", 0.6, 0.7, 0),
        ("no", 0.6, 0.3, 1),
        ("no", 0.6, None, 0),
        ("yes", None, 0.7, 1),
    ],
)
def test_the_judges_answer_may_be_graded(
    loop: Callable[..., Loop],
    answer: str,
    probability: float | None,
    threshold: float | None,
    kept: int,
) -> None:
    settings = {} if threshold is None else {"judge_threshold": threshold}
    judge = Completion(answer, 1, 10, "stop", probability)
    records, _, engine = loop(count=1, tries=1, **settings).make(varied, judge=judge)
    assert len(records) == kept
    assert engine.requests[-1].graded is (threshold is not None)
