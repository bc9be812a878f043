"""The command line: what it says, and how it ends."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.storage.lengths import STATS_COLUMNS, LengthsDatabase
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.results.dropped import DROPPED_COLUMNS
from tests.conftest import DEMO_MODEL, Cli
from tests.elsewhere import database_open_elsewhere
from tests.stored_stages import add_to, drafted_responses

PROGRAM = f"{sys.executable} -m sl_dagster.cli"
LONGEN = PROJECT_ROOT / "sl_dagster" / "demo" / "longen.jsonl"


@pytest.fixture
def stored(tmp_path: Path) -> None:
    """One stored stage, in the files and in the database."""
    data = str(tmp_path / "data")
    store = StageStore(data_dir=data)
    stage = store.make_current(drafted_responses(store, {"a": "One two three.", "b": "One."}))
    add_to(LengthsDatabase(data_dir=data), stage)


def test_the_command_line_loads_nothing_that_takes_long() -> None:
    program = (
        "import sys, sl_dagster.cli; print([name for name in sys.argv if name in sys.modules])"
    )
    heavy = ("dagster", "duckdb", "numpy", "pyarrow", "pydantic", "torch", "transformers")
    command = [sys.executable, "-c", program, *heavy]
    assert subprocess.run(command, capture_output=True, text=True).stdout.strip() == "[]"


def test_help_names_every_command(program: Cli) -> None:
    result = program("--help")
    assert result.returncode == 0
    commands = (
        "run",
        "dataset",
        "export",
        "preview",
        "stats",
        "rebuild-stats",
        "evaluate",
        "scores",
        "score",
        "decay",
        "filter",
        "trace",
        "lineage",
        "validate",
        "seeds",
        "export-model",
        "judge",
        "quality",
        "publish",
        "ui",
    )
    assert all(name in result.stdout for name in commands)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("stats", "--format", "xml"),
        ("nonsense",),
        ("trace",),
        ("filter",),
        ("export", "--experiment", "small", "--out", "folder", "--format", "xml"),
        ("export-model", "--experiment", "small", "--out", "folder", "--role", "generator"),
        ("score",),
        ("scores",),
        ("filter", "-", "--language", "French"),
        ("filter", "-", "--preset", "other"),
    ],
)
def test_wrong_usage_ends_with_2(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli(*arguments).returncode == 2


@pytest.mark.usefixtures("stored")
def test_stats_in_all_formats(cli: Cli) -> None:
    expected = {
        "experiment": "e",
        "iteration": 2,
        "stage": "initial_responses",
        "records": 3,
        "kept": 2,
        "mean": 2.0,
        "p10": 1.2,
        "p50": 2.0,
        "p90": 2.8,
        "max": 3,
    }
    printed = json.loads(cli("stats", "--format", "json").stdout)
    assert printed == [pytest.approx(expected)]
    rows = list(csv.DictReader(io.StringIO(cli("stats", "--format", "csv").stdout)))
    assert tuple(rows[0]) == STATS_COLUMNS
    assert (rows[0]["stage"], rows[0]["kept"]) == ("initial_responses", "2")
    table = cli("stats", "--experiment", "e").stdout
    assert all(name in table for name in STATS_COLUMNS)
    assert "initial_responses" in table


@pytest.mark.usefixtures("stored")
def test_statistics_while_the_database_is_open_elsewhere(program: Cli, tmp_path: Path) -> None:
    path = tmp_path / "data" / "lengths.duckdb"
    commands = [("stats", "--format", "csv"), ("trace", "a", "--format", "json")]
    expected = [program(*command).stdout for command in commands]
    with database_open_elsewhere(path) as pid:
        found = [program(*command) for command in commands]
        refused = program("rebuild-stats")
    assert [result.stdout for result in found] == expected
    assert all(f"(process {pid}): close it there" in result.stderr for result in found)
    assert refused.returncode == 1
    assert f"(process {pid}): close it there" in refused.stderr
    path.write_bytes(b"damaged")
    rebuilt = program("rebuild-stats")
    assert (rebuilt.returncode, "lengths.duckdb: 3 records" in rebuilt.stdout) == (0, True)
    assert "lengths.duckdb.damaged" in rebuilt.stderr
    assert [program(*command).stdout for command in commands] == expected


@pytest.mark.usefixtures("stored")
def test_dropped_texts_in_all_formats(cli: Cli) -> None:
    expected = {
        "experiment": "e",
        "iteration": 2,
        "stage": "initial_responses",
        "reason": "repetition",
        "texts": 1,
        "share": 1 / 3,
        "dropped": 1,
        "retried": 0,
    }
    printed = json.loads(cli("stats", "--dropped", "--format", "json").stdout)
    assert printed == [pytest.approx(expected)]
    rows = list(csv.DictReader(io.StringIO(cli("stats", "--dropped", "--format", "csv").stdout)))
    assert tuple(rows[0]) == DROPPED_COLUMNS
    assert (rows[0]["reason"], rows[0]["texts"]) == ("repetition", "1")
    table = cli("stats", "--dropped", "--experiment", "e").stdout
    assert all(name in table for name in (*DROPPED_COLUMNS, "repetition", "33.3%"))


def test_nothing_dropped(cli: Cli) -> None:
    assert "Nothing has been dropped" in cli("stats", "--dropped").stdout
    assert cli("stats", "--dropped", "--format", "json").stdout == "[]\n"
    assert cli("stats", "--dropped", "--experiment", "nobody").returncode == 1


def test_stats_of_nothing(cli: Cli) -> None:
    assert "Nothing has been stored yet" in cli("stats").stdout
    assert json.loads(cli("stats", "--format", "json").stdout) == []
    result = cli("stats", "--experiment", "nobody")
    assert result.returncode == 1
    assert "nothing stored of an experiment 'nobody'" in " ".join(result.stderr.split())


@pytest.mark.usefixtures("stored")
def test_trace(cli: Cli) -> None:
    traced = json.loads(cli("trace", "a", "--format", "json").stdout)
    assert (traced["stage"], traced["words"], traced["text"]) == (
        "initial_responses", 3, "One two three.",
    )  # fmt: skip
    assert [parent["record_id"] for parent in traced["parents"]] == ["p1", "p2"]
    assert "made anew" in traced["parents"][0]["missing"]
    assert "One two three." in cli("trace", "a").stdout
    result = cli("trace", "unknown")
    assert result.returncode == 1
    assert "there is no record unknown" in result.stderr


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--open", "unknown"), "there is no record unknown"),
        (("--experiment", "nobody"), "nothing stored of nobody yet"),
        (("--experiment", "e", "--iteration", "9"), "nothing stored of e, iteration 9 yet"),
    ],
)
def test_lineage_of_what_is_not_there(cli: Cli, arguments: tuple[str, ...], expected: str) -> None:
    result = cli("lineage", *arguments)
    assert result.returncode == 1
    assert expected in " ".join(result.stderr.split())


def test_lineage_at_an_address_that_is_none(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SL_DAGSTER_LINEAGE", "nowhere")
    result = cli("lineage")
    assert result.returncode == 1
    assert "SL_DAGSTER_LINEAGE is 'nowhere'" in " ".join(result.stderr.split())


def test_seeds_check(cli: Cli, tmp_path: Path) -> None:
    result = cli("seeds", "check")
    assert result.returncode == 0, result.stderr
    assert all(word in result.stdout for word in ("journalism", "zh", "mean", "Distinct-2", "✓"))
    file = tmp_path / "mine.jsonl"
    file.write_text('{"instruction": "Fill two pages with a story.", "language": "en"}\n' * 2)
    result = cli("seeds", "check", str(file))
    assert result.returncode == 1
    assert f"{file}:1: names a length: two pages" in result.stderr
    assert f"{file}:2: the same as {file}:1" in result.stderr
    file.write_text("{oops\n")
    result = cli("seeds", "check", str(file))
    assert result.returncode == 1
    assert "mine.jsonl, line 1:" in "".join(result.stderr.split("\n"))
    assert "Traceback" not in result.stderr
    file.write_text("")
    empty = cli("seeds", "check", str(file))
    assert "no seed instruction in it" in " ".join(empty.stderr.split())
    assert cli("seeds", "check", str(tmp_path / "none.jsonl")).returncode == 1


def test_filter(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    texts = ["It is done,", "写完了...", "写完了。"]
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))

    def accepted(*arguments: str, stdin: str = "") -> list[bool]:
        result = cli("filter", *arguments, stdin=stdin)
        assert result.returncode == 0, result.stderr
        verdicts = [json.loads(line) for line in result.stdout.splitlines()]
        assert all(list(verdict) == ["accepted", "reason", "words"] for verdict in verdicts)
        return [verdict["accepted"] for verdict in verdicts]

    assert accepted(str(file)) == [False, True, True]
    assert accepted(str(file), "--preset", "reference") == [True, False, True]
    assert accepted("-", "--language", "zh", stdin=file.read_text()) == [False, True, True]


def test_filter_stops_at_a_bad_line_and_prints_what_came_before(program: Cli) -> None:
    result = program("filter", "-", stdin='{"text": "One."}\noops\n{"text": "Two."}\n')
    assert result.returncode == 1
    assert json.loads(result.stdout) == {"accepted": True, "reason": None, "words": 1}
    assert "standard input, line 2: is not JSON" in result.stderr
    assert "Traceback" not in result.stderr


def test_score(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    good = {"type": "about", "constraint": "about 3 words", "response": "One two three."}
    file.write_text(json.dumps(good) + "\n")
    result = cli("score", str(file))
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {
        "about": 1, "range": None, "above": None, "below": None, "overall": 1, "n": 1,
    }  # fmt: skip
    file.write_text(json.dumps(good) + "\noops\n")
    result = cli("score", str(file))
    assert result.returncode == 0
    scores = json.loads(result.stdout)
    assert (scores["n"], [bad["line"] for bad in scores["unparsed"]]) == (1, [2])
    assert f"{file}:2: not scored: is not JSON" in result.stderr
    result = cli("score", "-", stdin="oops\n")
    assert result.returncode == 1
    assert json.loads(result.stdout)["n"] == 0
    assert "standard input:1: not scored" in result.stderr
    assert "Traceback" not in result.stderr


def test_nothing_measured_yet(cli: Cli, write_experiment) -> None:
    write_experiment()
    assert "No model has been measured yet" in cli("scores", "-e", "small").stdout
    assert cli("scores", "-e", "small", "--format", "json").stdout == "[]\n"
    assert "No answers that are long enough" in cli("decay", "-e", "small").stdout
    result = cli("evaluate", "-e", "small")
    assert result.returncode == 1
    assert "small names no `benchmarks`" in result.stderr


def test_a_model_that_is_not_there_is_named(cli: Cli, write_experiment, tmp_path: Path) -> None:
    write_experiment(base_model=str(DEMO_MODEL), benchmarks={"longen": {"queries": str(LONGEN)}})
    result = cli("evaluate", "-e", "small", "--model", "9")
    assert result.returncode == 1
    assert "--model 9: the models are base, 1, 2, 3, aligned" in " ".join(result.stderr.split())
    for model, missing in (("2", "generator_lora of iteration 2"), ("aligned", "aligned_model")):
        result = cli("evaluate", "-e", "small", "--model", model)
        assert result.returncode == 1
        said = " ".join(result.stderr.split())
        assert f"small/{missing} has not been made yet" in said
        assert "materialize it first" in said


def test_validate(cli: Cli, write_experiment) -> None:
    right = write_experiment("right", base_model=str(DEMO_MODEL))
    result = cli("validate")
    assert (result.returncode, "✓" in result.stdout) == (0, True), result.stderr
    wrong = write_experiment("wrong", base_model=str(DEMO_MODEL), control="nobody")
    result = cli("validate", str(right), str(wrong))
    assert result.returncode == 1
    assert "there is no experiment nobody.yaml" in " ".join(result.stderr.split())
    assert "right.yaml" in result.stdout
    (right.parent / "seeds.jsonl").write_text("{oops\n")
    result = cli("validate", str(right))
    assert result.returncode == 1
    assert "seeds.jsonl, line 1:" in "".join(result.stderr.split("\n"))


def test_validate_takes_names_as_run_does(cli: Cli, write_experiment) -> None:
    write_experiment("right", base_model=str(DEMO_MODEL))
    for name in ("right", "right.yaml"):
        result = cli("validate", name)
        assert (result.returncode, "right.yaml" in result.stdout) == (0, True), result.stderr
    result = cli("validate", "right", "nobody")
    assert result.returncode == 1
    assert "nobody.yaml: there is no such experiment file" in " ".join(result.stderr.split())


def test_validate_tells_drafts_from_broken_experiments(cli: Cli, write_experiment) -> None:
    folder = write_experiment("right", base_model=str(DEMO_MODEL)).parent
    (folder / "._right.yaml").write_bytes(b"\0\5\26\7")
    (folder / "my-draft.yaml").write_text("# to be written\n")
    result = cli("validate")
    assert result.returncode == 0, result.stderr
    assert "my-draft.yaml: no experiment: lower-case letters" in result.stdout
    assert "._right" not in result.stdout + result.stderr
    (folder / "broken.yaml").write_text("itertions: 3\n")
    result = cli("validate")
    assert result.returncode == 1
    assert "right.yaml" in result.stdout
    assert "broken.yaml: " in " ".join(result.stderr.split())


def test_experiments_run_one_after_the_other(cli: Cli, write_experiment) -> None:
    for name in ("first", "second"):
        write_experiment(name, base_model=str(DEMO_MODEL))
    seeds = ("--iterations", "1", "--only", "seeds")
    result = cli("run", "-e", "second", "-e", "first", "-e", "nobody", *seeds)
    assert result.returncode == 1
    assert "no such experiment file" in " ".join(result.stderr.split())
    assert result.stdout == "", "nothing is begun"
    result = cli("run", "-e", "second", "-e", "first", *seeds)
    assert result.returncode == 0, result.stdout + result.stderr
    _, *parts = re.split(r"(\w+), iteration 1 of 1", result.stdout)
    assert parts[::2] == ["second", "first"]
    assert [part.count("no growth to show") for part in parts[1::2]] == [1, 1]
    result = cli("evaluate", "-e", "first", "-e", "nobody")
    assert "no such experiment file" in " ".join(result.stderr.split())


def test_an_experiment_runs_beside_a_broken_one(program: Cli, write_experiment) -> None:
    folder = write_experiment("good", base_model=str(DEMO_MODEL)).parent
    (folder / "draft.yaml").write_text("# to be written\n")
    result = program("run", "-e", "good", "--iterations", "1", "--only", "seeds")
    assert result.returncode == 0, result.stdout + result.stderr
    result = program("run", "-e", "draft")
    assert result.returncode == 1
    assert "draft.yaml: expected settings" in " ".join(result.stderr.split())


def test_validate_looks_at_the_model(cli: Cli, write_experiment, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for path in DEMO_MODEL.iterdir():
        if path.suffix != ".jinja":
            (model / path.name).write_bytes(path.read_bytes())
    result = cli("validate", str(write_experiment(base_model=str(model))))
    assert result.returncode == 1
    assert "has no chat template" in " ".join(result.stderr.split())
    (model / "config.json").write_text("{}")
    (model / "tokenizer.json").unlink()
    result = cli("validate", str(write_experiment(base_model=str(model))))
    assert result.returncode == 1
    assert "cannot be loaded" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--iterations", "9"), "small has 3 iterations; raise `iterations`"),
        (("--from", "3", "--iterations", "2"), "--from 3 is after the last iteration"),
        (("--only", "nonsense"), "--only nonsense: the stages are extended_responses"),
        (("--set", "extension.growth"), "expected KEY=VALUE, such as instructions.count=10"),
        (("--set", "extension.growth=0"), "extension.growth: expected greater than or equal to 1"),
        (("--set", "nothing.at=1"), "--set nothing.at=1: nothing: unknown key"),
        (("--set", "extension.rounds=1"), "--set extension.rounds: can be changed in the exper"),
        (("--set", "extension.growth=2", "--only", "seeds"), "for one launch these can:"),
    ],
)
def test_what_cannot_be_run_is_named(
    cli: Cli, write_experiment, arguments: tuple[str, ...], expected: str
) -> None:
    write_experiment()
    result = cli("run", "--experiment", "small", *arguments)
    assert result.returncode == 1
    assert expected in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert "no such experiment file" in " ".join(cli("run", "-e", "nobody").stderr.split())


def test_nothing_stays_in_the_folder_for_temporary_files(tmp_path: Path) -> None:
    """Not what the process takes for as long as it lives, as the trainings' fork server does."""
    program = (
        "import sys, tempfile; from multiprocessing import util; from sl_dagster.cli import main; "
        "kept = tempfile.TemporaryDirectory(); util.get_temp_dir(); main()"
    )
    subprocess.run(
        [sys.executable, "-c", program, "--help"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert list(tmp_path.iterdir()) == []


STREAMS = {
    "filter FILE > /dev/full": (1, "the disk is full (No space left on device)"),
    "stats --format json > /dev/full": (1, "the disk is full (No space left on device)"),
    "--help > /dev/full": (1, "the disk is full (No space left on device)"),
    "filter FILE >&-": (0, ""),
    "filter - <&-": (0, ""),
    "filter /proc/self/mem": (1, "Input/output error"),
    "filter FILE | true": (0, ""),
    "PYTHONIOENCODING=latin-1 rebuild-stats": (0, ""),
}


@pytest.mark.parametrize("command", STREAMS)
def test_streams_that_are_full_or_closed(command: str, tmp_path: Path) -> None:
    """One line says what is wrong, if anything is."""
    code, said = STREAMS[command]
    file = tmp_path / "some.jsonl"
    file.write_text('{"text": "A text."}\n')
    variable, _, rest = command.rpartition("=latin-1 ")
    line = f"{variable + '=latin-1 ' if variable else ''}{PROGRAM} {rest or command}"
    done = subprocess.run(
        ["bash", "-c", line.replace("FILE", str(file))],
        env=os.environ | {"SL_DAGSTER_DATA": str(tmp_path / "data")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 1
