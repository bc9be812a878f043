"""Seeds in the formats that people have, and mistakes in them."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.errors import UserError
from sl_dagster.inputs.seeds import detection_note, read_seed_instructions, read_seeds

GOOD = '{"instruction": " Write a story. ", "language": "en", "kind": "literature"}'
TEXTS = [
    "Write a story about a lamp.",
    "写一个关于老桥的故事。",
    'Say "no", then\nexplain, please.',
]
FOUND = [(TEXTS[0], "en"), (TEXTS[1], "zh"), (TEXTS[2], "en")]
CHAT = [
    {"from": "system", "value": "Be brief."},
    {"from": "human"},
    {"from": "gpt", "value": "No."},
]

# Every format: the rows with texts in them.
ROWS: dict[str, Any] = {
    "own": lambda text: {"instruction": text},
    "alpaca": lambda text: {"instruction": text, "input": "", "output": "Once ..."},
    "self-instruct": lambda text: {
        "id": "seed_task_0", "name": "x", "instruction": text, "is_classification": False,
        "instances": [{"input": "", "output": "o"}],
    },
    "sharegpt": lambda text: {
        "id": "1", "conversations": [CHAT[0], CHAT[1] | {"value": text}, CHAT[2]]
    },
    "messages": lambda text: {
        "messages": [{"role": "system", "content": "?"}, {"role": "user", "content": text}]
    },
    "prompt": lambda text: {"prompt": text, "completion": "Once ..."},
    "prompt of messages": lambda text: {"prompt": [{"role": "user", "content": text}]},
}  # fmt: skip


def write(path: Path, rows: list[Any]) -> Path:
    """The rows in the format that the file's name says."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix in (".csv", ".tsv"):
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            table = csv.DictWriter(
                file, list(rows[0]), delimiter="\t" if "t" in path.suffix else ","
            )
            table.writeheader()
            table.writerows(rows)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    else:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        path.write_text("\n".join(lines), encoding="utf-8")
    return path


def texts_and_languages(path: Path) -> list[tuple[str, str]]:
    return [(seed.line.instruction, seed.line.language) for seed in read_seeds([path])]


@pytest.mark.parametrize("name", ["seeds.jsonl", "seeds.json", "seeds.parquet"])
@pytest.mark.parametrize("format", ROWS)
def test_rows_of_every_format(tmp_path: Path, name: str, format: str) -> None:
    path = write(tmp_path / name, [ROWS[format](text) for text in TEXTS])
    assert texts_and_languages(path) == FOUND
    seeds = read_seeds([path])
    assert [seed.place for seed in seeds] == [f"{path}:{number}" for number in (1, 2, 3)]
    assert detection_note(seeds) == "the language of 3 of 3 seeds is detected: en 2, zh 1"


@pytest.mark.parametrize("name", ["seeds.csv", "seeds.tsv"])
@pytest.mark.parametrize("key", ["instruction", "prompt"])
def test_tables_of_text(tmp_path: Path, name: str, key: str) -> None:
    rows = [{key: text, "source": "me", "note": "no concern"} for text in [TEXTS[2], *TEXTS]]
    path = write(tmp_path / name, rows)
    assert texts_and_languages(path) == [FOUND[2], *FOUND]
    # The first instruction has two lines.
    assert [seed.place for seed in read_seeds([path])] == [f"{path}:{n}" for n in (2, 4, 5, 6)]


@pytest.mark.parametrize("before", ["sep=;\n", "\n\n", "\nsep=;\n"])
def test_what_may_stand_before_a_header(tmp_path: Path, before: str) -> None:
    path = tmp_path / "seeds.csv"
    path.write_text(f"{before}instruction;language\nWrite, at length, of rain.;en\n")
    assert texts_and_languages(path) == [("Write, at length, of rain.", "en")]


def test_an_array_in_one_line_and_one_of_texts(tmp_path: Path) -> None:
    path = tmp_path / "seeds.json"
    path.write_text(json.dumps([ROWS["own"](text) for text in TEXTS]), encoding="utf-8-sig")
    assert texts_and_languages(path) == FOUND
    path.write_text(json.dumps(TEXTS))
    assert texts_and_languages(path) == FOUND


@pytest.mark.parametrize("name", ["seeds.jsonl", "seeds.json", "seeds.csv", "seeds.parquet"])
def test_what_a_file_says_counts(tmp_path: Path, name: str) -> None:
    row = {"instruction": "Une lettre.", "language": "zh", "kind": "personal"}
    [seed] = read_seeds([write(tmp_path / name, [row])])
    assert (seed.line.language, seed.line.kind, seed.detected) == ("zh", "personal", False)
    assert detection_note([seed]) is None


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "Tell it.", "input": "A bridge.", "output": "?"},
        {"instruction": "Tell it.", "context": "A bridge.", "response": "?", "category": "qa"},
        {"instruction": "Tell it.", "instances": [{"input": "A bridge.", "output": "?"}]},
    ],
)
def test_an_input_belongs_to_the_instruction(tmp_path: Path, row: dict[str, Any]) -> None:
    path = write(tmp_path / "seeds.jsonl", [row, row | {"input": "<noinput>", "instances": []}])
    assert texts_and_languages(path) == [("Tell it.\n\nA bridge.", "en"), ("Tell it.", "en")]


@given(
    st.lists(
        st.text(min_size=1).filter(lambda text: text.strip().isprintable() and text.strip()),
        min_size=1,
        max_size=5,
    )
)
def test_formats_hold_the_same(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("seeds")
    rows = [{"instruction": text, "language": "en"} for text in texts]
    names = ["seeds.jsonl", "seeds.json", "seeds.csv", "seeds.tsv", "seeds.parquet"]
    for name in names:
        found = texts_and_languages(write(folder / name, rows))
        assert found == [(text.strip(), "en") for text in texts], name


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("s.jsonl", b"{oops", "s.jsonl, line 1: is not JSON"),
        ("s.jsonl", b'{"instruction": "A", "lang": "en"}', "line 1: lang: unknown key"),
        ("s.jsonl", b'{"text": "A"}', "line 1: instruction: this key is missing"),
        ("s.jsonl", b'{"conversations": []}', "line 1: instruction: this key is missing"),
        ("s.json", b'[{"instruction": "A"},\n {oops}]', "s.json, line 2: is not JSON"),
        ("s.json", b'[{"instruction": "A"}, 3]', "s.json, item 2: is no record"),
        ("s.json", b'[{"instruction": "A"}, {"instruction": ""}]', "s.json, item 2: instruction: "),
        ("s.csv", b"instruction\nA\n\n \n", "s.csv, line 4: instruction: "),
        ("s.csv", b"instruction,kind\nA, b,c", "s.csv, line 2: has more fields than the header"),
        ("s.csv", b'instruction\n"A', "s.csv, line 2: is not CSV"),
        ("s.csv", b"name\nA", "s.csv, line 2: instruction: this key is missing"),
        ("s.parquet", b"PAR1", "s.parquet: is no Parquet file"),
        ("s.jsonl", GOOD.encode("utf-16"), "line 1: is UTF-16 text, not UTF-8; convert the file: "
         "iconv -f UTF-16 -t UTF-8"),
        ("s.jsonl", GOOD.encode("utf-16-le"), "is UTF-16 text"),
        ("s.csv", "instruction\n写一个故事".encode("utf-16"), "s.csv: is UTF-16 text"),
        ("s.jsonl", '{"instruction": "请写一个海港的故事。"}'.encode("gbk"), "line 1: is GBK text, "
         "not UTF-8; convert the file: iconv -f GB18030 -t UTF-8"),
        ("s.csv", "instruction\n写一个故事\n".encode("gb18030"), "s.csv: is GBK text"),
        ("s.json", '["写一个故事"]'.encode("gbk"), "s.json: is GBK text"),
        ("s.jsonl", b"\xff", "line 1: is not UTF-8 text"),
    ],
)  # fmt: skip
def test_mistakes_are_named(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_seeds([tmp_path / name])
    assert problem in str(caught.value)


def test_what_is_no_text_is_replaced_and_counted(tmp_path: Path, caplog) -> None:
    for name in ("seeds.jsonl", "seeds.json"):
        path = write(tmp_path / name, ["x", "y"])
        path.write_text(path.read_text().replace('"x"', '{"instruction": "a\\u0000b"}').replace(
            '"y"', '{"instruction": "c"}'))  # fmt: skip
        assert [text for text, _ in texts_and_languages(path)] == ["a\ufffdb", "c"]
        assert f"{path}: 1 characters are no text" in caplog.text


def test_every_language_needs_seeds_in_one_of_the_files(tmp_path: Path) -> None:
    english, chinese = tmp_path / "en.jsonl", tmp_path / "zh.jsonl"
    english.write_text(GOOD)
    chinese.write_text('{"instruction": "写一个故事", "language": "zh"}')
    seeds = read_seed_instructions((english, chinese), ("en", "zh"))
    assert [seed.line.language for seed in seeds] == ["en", "zh"]
    assert len(read_seed_instructions((english, chinese), ("zh",))) == 1
    with pytest.raises(UserError, match=r"en\.jsonl: no instruction in zh: add some"):
        read_seed_instructions((english,), ("en", "zh"))


def test_the_hub_is_asked_for_what_is_no_file(tmp_path: Path, monkeypatch) -> None:
    # In place of the hub, `datasets` takes a folder of this name.
    (tmp_path / "owner" / "seeds").mkdir(parents=True)
    write(tmp_path / "owner" / "seeds" / "train.jsonl", [ROWS["alpaca"](text) for text in TEXTS])
    monkeypatch.chdir(tmp_path)
    assert texts_and_languages(Path("owner/seeds")) == FOUND
    assert read_seeds([Path("owner/seeds")])[1].place == "owner/seeds:train:2"


def test_a_hub_that_does_not_answer(monkeypatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"nobody/nothing: cannot be loaded .* under `seeds`"):
        read_seeds([Path("nobody/nothing")])


@pytest.mark.parametrize("name", ["none.jsonl", "folder/none.jsonl", "none"])
def test_a_file_that_is_not_there(tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"{name}: cannot be read: No such file"):
        read_seeds([Path(name)])
