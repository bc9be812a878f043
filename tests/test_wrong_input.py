"""Whatever is wrong in what users bring is refused in words that name the place and the remedy.

Every case goes through the command line, in this process.
"""

import gzip
import io
import json
import logging
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from rich.console import Console
from typer.testing import CliRunner

from sl_dagster.cli import app
from sl_dagster.commands.terminal import as_text
from sl_dagster.errors import UserError
from sl_dagster.experiment import Benchmark, Experiment, describe_problems, load_experiment
from sl_dagster.experiment.base import Settings
from sl_dagster.inputs.documents import read_documents
from sl_dagster.inputs.instructions import read_instructions
from sl_dagster.inputs.queries import read_queries
from sl_dagster.inputs.seeds import read_seeds
from sl_dagster.models.base_model import load_model
from tests.conftest import DEMO_MODEL

# What a person who does not program must not be shown.
NO_WORDS_FOR_PEOPLE = re.compile(
    r"Traceback|[a-z](Error|Exception)\b|<class|pydantic|NoneType|object at 0x|validation error"
    r"|\b[Tt]uple\b|\bdict(ionary)?\b|sys\.|unicode string"
)

SEED = b'{"instruction": "Write a story about an old bridge.", "language": "en"}\n'
QUERY = (
    '{"language": "en", "range": "2-4k", "type": "about", "constraint": "about 2000 words", '
    '"query": "Write about 2000 words."}'
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of experiments, in which a test works."""
    experiments = tmp_path / "experiments"
    experiments.mkdir()
    monkeypatch.setenv("SL_DAGSTER_EXPERIMENTS", str(experiments))
    monkeypatch.setenv("SL_DAGSTER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("SL_DAGSTER_LINEAGE", raising=False)
    # What libraries log goes to the standard error of the first call, which is closed by then.
    monkeypatch.setattr(logging, "raiseExceptions", False)
    monkeypatch.chdir(experiments)
    (experiments / "seeds.jsonl").write_bytes(SEED)
    return experiments


def refused(*arguments: str) -> str:
    """What the command line says of a call that must fail, on one line."""
    result = CliRunner().invoke(app, list(arguments))
    error = result.exception
    assert isinstance(error, UserError | SystemExit), (arguments, error, result.output)
    assert result.exit_code in (1, 2), (arguments, result.output)
    said = str(error) if isinstance(error, UserError) else result.stderr
    # Mistakes of usage come in a frame.
    said = " ".join(re.sub("[─-╿]( Error )?", " ", said).split())
    assert not NO_WORDS_FOR_PEOPLE.search(said), said
    assert len(said) < 2000, "a page that nobody reads"
    return said


HEAD = "base_model: some/model\nseeds: seeds.jsonl\n"
LIST = "expected a list"
GROUP = "expected a group of settings"
UNKNOWN = "unknown key; remove it or correct its spelling"
QUOTES = "put it in quotes"

# Settings behind a right beginning, and what is said of them.
SETTINGS = {
    # Groups and lists
    "sampling:": f"sampling: {GROUP} (indented `key: value` lines), found null",
    "sampling: []": f"sampling: {GROUP}",
    "sampling: 3": f"sampling: {GROUP} (indented `key: value` lines), found 3",
    "sampling: {temperature: 1,5}": f"sampling.5: {UNKNOWN}",
    "engine: transformers": f"engine: {GROUP}",
    "engine: []": f"engine: {GROUP}",
    "engine: null": f"engine: {GROUP}",
    "prompts: prompts.yaml": f"prompts: {GROUP}",
    "benchmarks: [longen]": f"benchmarks: {GROUP}",
    "benchmarks: {longen: seeds.jsonl}": f"benchmarks.longen: {GROUP}",
    "judge: gpt": f"judge: {GROUP}",
    "aligned_model: full": f"aligned_model: {GROUP}",
    "training: {lora: 16}": f"training.lora: {GROUP}",
    "languages: en": f"languages: {LIST} (`[a, b]`, or lines that begin with `- `), found 'en'",
    "languages: []": "languages: expected at least 1 of them, found 0",
    "languages: null": f"languages: {LIST}",
    "owners: me@x.org": f"owners: {LIST}",
    "training: {report_to: wandb}": f"training.report_to: {LIST}",
    "training: {launcher: srun}": f"training.launcher: {LIST}",
    "training: {lora: {target_modules: q_proj}}": f"training.lora.target_modules: {LIST}",
    "length_control: {roundings: 5}": f"length_control.roundings: {LIST}",
    "length_control: {roundings: [1, 2, 3]}": "roundings: expected at most 2 of them, found 3",
    "chat_template_kwargs: []": f"chat_template_kwargs: {GROUP}",
    # Keys
    "colour: blue": f"colour: {UNKNOWN}",
    "Sampling: {}": f"Sampling: {UNKNOWN}",
    "sampling.temperature: 1": f"sampling.temperature: {UNKNOWN}",
    "3: 4": f"3: {UNKNOWN}",
    "null: 4": f"null: {UNKNOWN}",
    "true: 4": f"true: {UNKNOWN}",
    "? ''\n: x": UNKNOWN,
    "name: x": "name: an experiment is named by its file; remove this line",
    "seeds: x.jsonl": "line 3: seeds is given twice, first in line 2: remove one of them",
    "engine: {type: transformers, options: {}}": f"engine.options: {UNKNOWN}",
    "heldout: {}": "heldout.file: this key is missing",
    "engine: {type: openai}": "engine.base_urls: this key is missing",
    # Numbers
    "iterations: three": "iterations: expected a whole number, found 'three'",
    "iterations: [3]": "iterations: expected a whole number, found a list",
    "iterations: 1.5": "iterations: expected a whole number, found 1.5",
    "iterations: null": "iterations: expected a whole number, found null",
    "iterations: yes": "iterations: expected a number, found true",
    "iterations: 2026-01-01": "iterations: expected a whole number, found 2026-01-01",
    "iterations: 1000000000": "iterations: expected less than or equal to 1000",
    "iterations: &a {b: *a}": "line 3: *a stands within what it is a name of",
    "iterations: &a [[*a]]": "line 3: *a stands within what it is a name of",
    "iterations: !!int": "line 3: '' is no int: put it in quotes",
    "iterations: !!float": "line 3: '' is no float: put it in quotes",
    "iterations: 0o9": "iterations: expected a whole number",
    "extension: {rounds: 100000}": "extension.rounds: expected less than or equal to 100",
    "extension: {growth: .inf}": "extension.growth: expected a finite number",
    "seed: -1": "seed: expected greater than or equal to 0",
    "sampling: {temperature: .nan}": "sampling.temperature: expected a finite number",
    "sampling: {temperature: .inf}": "sampling.temperature: expected a finite number",
    "sampling: {temperature: on}": "sampling.temperature: expected a number, found true",
    "sampling: {max_tokens: 1e3}": "sampling.max_tokens: expected a whole number, found '1e3'",
    f"sampling: {{max_tokens: {10**25}}}": "sampling.max_tokens: expected at most 2,147,483,647",
    "sampling: {repetition_penalty: .inf}": "repetition_penalty: expected a finite number",
    "training: {learning_rate: fast}": "training.learning_rate: expected a number, found 'fast'",
    "training: {epochs: .inf}": "training.epochs: expected a finite number",
    "training: {batch_size: 0}": "training.batch_size: expected greater than or equal to 1",
    "training: {lora: {rank: 1e9}}": "training.lora.rank: expected a whole number",
    "length_control: {max_words: 10}": "max_words: expected more than min_words (2000), found 10",
    "length_control: {min_words: 9000}": "max_words: expected more than min_words (9000), found",
    "benchmarks: {longen: {queries: seeds.jsonl, scale: .inf}}": "scale: expected a finite number",
    # Words
    "description: 3": f"description: expected text, found 3: {QUOTES}",
    "description: [a]": "description: expected text, found a list",
    "revision: 1.0": f"revision: expected text, found 1.0: {QUOTES}",
    "revision: ''": "revision: expected some text, found ''",
    "languages: [no]": f"languages.0: expected text, found false: {QUOTES}",
    "languages: [EN]": "languages.0: expected a language's ISO code, such as en, zh or de",
    "languages: [fr]": "prompts: there are no prompts in fr: name a file",
    "owners: ['team:']": "owners.0: expected an e-mail address or team:name",
    "method: Self_Lengthen": "method: expected 'self_lengthen', 'plan_then_write' or 'back_tr",
    "filter: {preset: strict}": "filter.preset: expected 'default' or 'reference'",
    "extension: {new_prefixes: maybe}": "new_prefixes: expected true or false, found 'maybe'",
    "system_prompt: ''": "system_prompt: expected some text",
    "chat_template_kwargs: {messages: 1}": "messages: set by sl-dagster itself; remove it",
    "chat_template_kwargs: {day: 2026-01-01}": "chat_template_kwargs: expected numbers, texts",
    "chat_template_kwargs: {a: .nan}": "chat_template_kwargs: expected numbers, texts",
    "chat_template_kwargs: {1: 2}": f"chat_template_kwargs.1: expected text, found 1: {QUOTES}",
    "sampling: {stop: END}": "sampling.stop: expected a list of strings, or the word reference",
    "sampling: {stop: [1]}": f"sampling.stop.0: expected text, found 1: {QUOTES}",
    "training: {launcher: [''], num_processes: 2}": "training.launcher.0: expected some text",
    "training: {launcher: [srun]}": "training.launcher: say in `num_processes` how many",
    # Engines
    "engine: {}": "engine.type: expected transformers, vllm, openai, found none",
    "engine: {type: [vllm]}": "engine.type: expected transformers, vllm, openai, found a list",
    "engine: {type: VLLM}": "engine.type: expected transformers, vllm, openai, found VLLM",
    "engine: {type: transformers, device: 0}": "engine.device: expected 'auto', 'cpu' or 'cuda'",
    "engine: {type: vllm, options: {port: 1}}": "options: port: set by sl-dagster itself; remove",
    "engine: {type: vllm, options: {max-lora-rank: 1}}": "max-lora-rank: set by sl-dagster itself",
    "engine: {type: vllm, options: {--port: 1}}": "'--port' is no option's name: write it without",
    "engine: {type: vllm, options: {1: 2}}": f"engine.options.1: expected text, found 1: {QUOTES}",
    "engine: {type: vllm, environment: {A: 1}}": f"environment.A: expected text, found 1: {QUOTES}",
    "engine: {type: vllm, environment: {'A=B': x}}": "'A=B' is no name of a variable; write",
    "engine: {type: vllm, start_timeout: .inf}": "engine.start_timeout: expected a finite number",
    "engine: {type: vllm, repetition_detection: {min_pattern_size: 99}}": (
        "min_pattern_size: expected at most max_pattern_size (64), found 99"
    ),
    "engine: {type: openai, base_urls: [localhost]}": "base_urls.0: expected an address such as",
    "engine: {type: openai, base_urls: ['ftp://x/v1']}": "expected an address such as http://",
    "engine: {type: openai, base_urls: ['http://x:99999/v1']}": "expected an address such as",
    "engine: {type: openai, base_urls: ['http://[::1/v1']}": "expected an address such as http://",
    "engine: {type: openai, base_urls: ['http://me:secret@x/v1']}": "put the key into a variable",
    "engine: {type: openai, base_urls: ['http://x/v1?key=secret']}": "put a key into a variable",
    "engine: {type: openai, base_urls: ['http://x/v1#secret']}": "put a key into a variable",
    "engine: {type: openai, base_urls: ['http://x/v1'], api_key_env: sk-1}": "not the key itself",
    "engine: {type: openai, base_urls: ['http://x/v1'], model: ''}": "model: expected some text",
    # Files that are named
    "heldout: {file: none.jsonl}": "heldout: there is no file",
    "heldout: {file: .}": "heldout: there is no file",
    "heldout: {file: 3}": "heldout.file: expected the path of a file, found 3",
    "heldout: {file: ~nobody_here/x}": "heldout: ~nobody_here/x leads nowhere",
    "heldout: {file: in_circles}": "heldout: in_circles leads nowhere",
    f"heldout: {{file: {'x' * 5000}}}": "heldout: there is no file",
    "prompts: {en: none.yaml}": "prompts: there is no file",
    "prompts: {en: null}": "prompts.en: expected the path of a file, found null",
    "prompts: {English: seeds.jsonl}": "prompts.English: expected a language's ISO code",
    "documents: seeds.jsonl": "only `method: back_translation` reads documents; remove this key",
    "method: back_translation\ndocuments: a.pdf": "a.pdf is none of .jsonl, .txt, .md",
    "method: back_translation\ndocuments: [null]": "documents.0: expected the path of a file",
    "benchmarks: {longen: {queries: a/b/c}}": "a/b/c is neither a file (.jsonl) nor an id on the",
    "benchmarks: {other: {queries: a/b}}": "there is no benchmark other: there are longen, longb",
    "training: {accelerate_config: none.yaml}": "accelerate_config: there is no file",
    "judge: {model: ''}": "judge.model: expected some text",
    "judge: {model: ./none}": "none is no model folder: it has no config.json",
    "control: ../x": "control: expected the name of another experiment, that of its file without",
    "control: small": "control: an experiment is no control of itself; name another one",
    "control: nobody": "control: there is no experiment nobody.yaml",
    "extends: none.yaml": "extends: there is no file",
    "extends: [a]": "extends: expected the name of a file in the same folder, such as demo.yaml",
    "extends: small.yaml": "small.yaml -> small.yaml goes round in a circle: one must stand alone",
    # YAML
    "a: [": "line 4, column 1: expected the node content",
    "a: *b": "line 3, column 4: found undefined alias 'b'",
    "a: 'x": "found unexpected end of stream",
    "\ta: b": "line 3, column 1: found character '\\t' that cannot start any token",
    "iterations : : 3": "line 3, column 14: mapping values are not allowed here",
    "a: !!python/object/apply:os.system [ls]": "line 3, column 4: could not determine a constr",
    "--- a\n--- b": "expected a single document in the stream",
    "? [a, b]\n: c": "found unhashable key",
    "<<: 3": "expected a mapping or list of mappings for merging",
    "seed: 2026-13-45": f"line 3: '2026-13-45' is no timestamp: {QUOTES}",
    "seed: !!int x": f"line 3: 'x' is no int: {QUOTES}",
    "seed: !!bool x": f"line 3: 'x' is no bool: {QUOTES}",
    "seed: !!timestamp x": f"line 3: 'x' is no timestamp: {QUOTES}",
    f"seed: 1{'0' * 5000}": "line 3: '1000",
    f"seed: {'[' * 2000}": "it is nested too deeply",
    'system_prompt: "\\0"': "line 3: '\\x00' holds control characters or half characters: remove",
    'description: "\\e[31m"': "holds control characters or half characters: remove them",
}


@pytest.mark.parametrize("added", SETTINGS)
def test_wrong_settings(folder: Path, added: str) -> None:
    (folder / "in_circles").symlink_to(folder / "in_circles")
    (folder / "small.yaml").write_text(f"{HEAD}{added}\n")
    said = refused("validate", "small")
    assert "small.yaml: " in said
    assert SETTINGS[added] in said


EXPERIMENTS = {
    b"": "expected settings (`key: value` lines), found none",
    b"hello": "expected settings",
    b"- a": "expected settings",
    b"\xff\xfe\0\1": "it is not in UTF-8 (byte 1): save it in this encoding",
    "base_model: ü".encode("latin-1"): "it is not in UTF-8 (byte 13): save it in this encoding",
    b"base_model: \0": "character 13: U+0000 is no text: remove it",
    b"seeds: seeds.jsonl": "base_model: this key is missing",
    b"base_model: some/model": "seeds: this key is missing",
    b"base_model: ''\nseeds: seeds.jsonl": "base_model: expected some text",
    b"base_model: a b\nseeds: seeds.jsonl": "a b is neither a model's folder (written with ./ or",
    b'base_model: "\\uD800/b"': "line 1: '\\ud800/b' holds control characters or half characters",
    b"base_model: .\nseeds: seeds.jsonl": "is no model folder: it has no config.json",
    b"base_model: ./" + b"x" * 5000 + b"\nseeds: seeds.jsonl": "is no model folder",
    b"base_model: a/b\nseeds: " + b"x" * 5000: "seeds: there is no file",
    b"base_model: a/b\nseeds: {a: b}": "seeds: expected a list",
    b"base_model: a/b\nseeds: [seeds.jsonl, 3]": "seeds.1: expected the path of a file, found 3",
}


@pytest.mark.parametrize("content", EXPERIMENTS, ids=range(len(EXPERIMENTS)))
def test_wrong_experiment_files(folder: Path, content: bytes) -> None:
    (folder / "small.yaml").write_bytes(content)
    said = refused("validate", "small")
    assert "small.yaml: " in said
    assert EXPERIMENTS[content] in said


SEEDS = [
    ("s.jsonl", b"", "no seed instruction in it"),
    ("s.jsonl", b"oops", "line 1: is not JSON (Expecting value, character 1): write one object"),
    ("s.jsonl", SEED + b"{oops}", "line 2: is not JSON"),
    ("s.jsonl", b'{"instruction": "Write', "line 1: is not JSON (Unterminated string"),
    ("s.jsonl", b"{'instruction': 'a'}", "line 1: is not JSON"),
    ("s.jsonl", b"3", "line 1: is no record (it is not a JSON object)"),
    ("s.jsonl", b'{"a":' * 50_000, "line 1: is no record (it is nested too deeply)"),
    ("s.jsonl", b'{"a": 1' + b"0" * 5000 + b"}", "a number in it has thousands of digits"),
    ("s.jsonl", b'{"language": "en"}', "line 1: instruction: this key is missing (expected an"),
    ("s.jsonl", b'{"instruction": " "}', "line 1: instruction: expected some text"),
    ("s.jsonl", b'{"instruction": 3}', "line 1: instruction: expected text, found 3"),
    ("s.jsonl", b'{"instruction": ["a"]}', "line 1: instruction: expected text, found a list"),
    ("s.jsonl", b'{"instruction": "a", "language": "EN"}', "line 1: language: expected a language"),
    ("s.jsonl", b'{"instruction": "a", "kind": "poem"}', "line 1: kind: expected 'literature'"),
    ("s.jsonl", b'{"instruction": "a", "lang": "en"}', f"line 1: lang: {UNKNOWN}"),
    ("s.jsonl", b'{"messages": "x"}', "line 1: instruction: this key is missing"),
    ("s.jsonl", b'{"conversations": [1, null]}', "line 1: instruction: this key is missing"),
    ("s.jsonl", SEED.decode().encode("utf-16"), "is UTF-16 text, not UTF-8; convert the file"),
    (
        "s.jsonl",
        '{"instruction": "写一封信给你。"}'.encode("gbk"),
        "is GBK text, not UTF-8; convert",
    ),
    ("s.jsonl", b"\x1f\x8c\x08" + bytes(range(128, 256)), "line 1: is not UTF-8 text"),
    ("s.jsonl", gzip.compress(SEED), "line 1: is a gzip file, not text: unpack"),
    ("s.jsonl", b"PK\x03\x04" + bytes(range(128, 256)), "line 1: is a ZIP file (or one of an of"),
    ("s.jsonl", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "line 1: is a PDF file, not text"),
    ("s.jsonl", SEED + b"\0" * 4000, "line 2: has only zero bytes, as a crash may leave them"),
    ("s.jsonl", SEED.decode().encode("utf-32"), "is UTF-32 text, not UTF-8; convert the file"),
    (
        "s.jsonl",
        '{"instruction": "Écrivez l’histoire d’un café à la frontière."}'.encode("cp1252"),
        "is Windows-1252 or Latin-1 text, not UTF-8; convert the file: iconv -f CP1252",
    ),
    ("s.jsonl", b'{"instruction": "a", "id": ' + b"[" * 600 + b"]" * 600 + b"}", "nested too dee"),
    ("s.jsonl", b'{"instruction": "a", "instruction": "b"}', "'instruction' is given twice in it"),
    ("s.jsonl", b'{"instruction": "a", "x": [{"y": 1, "y": 2}]}', "'y' is given twice in it"),
    ("s.json", b'[{"instruction": "a", "instruction": "b"}]', "'instruction' is given twice"),
    ("s.csv", b"instruction,language,instruction\na,en,b\n", "the column instruction is named tw"),
    ("s.CSV", b"instruction\na,b,c\n", "line 2: has more fields than the header names"),
    ("s.json", b"[1]", "item 1: is no record (it is not a JSON object)"),
    ("s.json", b'["a",', "line 1: is not JSON"),
    ("s.json", b'[{"x": 1}]', f"x: {UNKNOWN}"),
    ("s.json", b"[" * 100_000, "is no list of records (it is nested too deeply)"),
    ("s.csv", b"instruction\na,b,c\n", "line 2: has more fields than the header names: put quotes"),
    ("s.csv", b'instruction\n"a\n', "line 2: is not CSV"),
    ("s.csv", b"text\nhello\n", "line 2: instruction: this key is missing"),
    ("s.csv", b"instruction;language\na;xx1\n", "line 2: language: expected a language's ISO code"),
    ("s.parquet", b"no", "is no Parquet file, or damaged"),
    ("s.parquet", {"x": [1]}, "row 1: instruction: this key is missing"),
    ("s.parquet", {"instruction": ["a", None]}, "row 2: instruction: this key is missing"),
    ("s.parquet", {"instruction": [1]}, "row 1: instruction: expected text, found 1"),
]


@pytest.mark.parametrize(("name", "content", "expected"), SEEDS, ids=range(len(SEEDS)))
def test_wrong_seeds(
    folder: Path, name: str, content: bytes | dict[str, list[object]], expected: str
) -> None:
    if isinstance(content, bytes):
        (folder / name).write_bytes(content)
    else:
        pq.write_table(pa.table(content), folder / name)
    said = refused("seeds", "check", name)
    assert said.startswith(name)
    assert expected in said


def test_a_damaged_table_of_seeds_is_named(folder: Path) -> None:
    path = folder / "s.parquet"
    pq.write_table(pa.table({"instruction": ["Write a letter to your friend."] * 9}), path)
    whole = bytearray(path.read_bytes())
    whole[40:48] = b"\xff" * 8
    path.write_bytes(whole)
    assert refused("seeds", "check", "s.parquet").startswith("s.parquet: is no Parquet file, or")


HELDOUT = [
    (b"", "no instruction in en, the file is empty: add some"),
    (b"x", "line 1: is not JSON"),
    ('{"instruction": "写。", "language": "zh"}'.encode(), "no instruction in en"),
    (b'{"instruction": "a", "language": "en", "mentions": 3}', "line 1: mentions: expected a list"),
    (b'{"instruction": "a", "language": "en", "mentions": [3]}', "line 1: mentions.0: expected"),
    (b'{"text": "a"}', f"text: {UNKNOWN}"),
]


def query(**fields: object) -> bytes:
    return json.dumps(json.loads(QUERY) | fields).encode()


LONGEN = [
    (b"", "no query in en among its 0: add some"),
    (SEED, "line 1: range: this key is missing"),
    (query(type="exactly"), "line 1: type: expected 'about', 'range', 'above' or 'below'"),
    (query(constraint="long"), "'about' needs one number above 0 in 'long', found none"),
    (query(constraint="about 0 words"), "needs one number above 0"),
    (query(type="range"), "'range' needs two numbers above 0"),
    (query(type="range", constraint="3000-2000 words"), "ends before it begins"),
    (query(language="de"), "line 1: language: expected 'en' or 'zh'"),
    (query(language="zh"), "no query in en among its 1: add some, or change `languages`"),
    (query(query=" "), "line 1: query: there is no text in it"),
    (query(constraint=None), "line 1: constraint: expected text, found null"),
    (
        query(constraint=f"about {'9' * 5000} words"),
        "line 1: 999999999999... is too large a number",
    ),
]
LONGBENCH = [
    ({"length": 0}, "line 1: length: expected greater than or equal to 1"),
    ({"length": "long"}, "line 1: length: expected a whole number, found 'long'"),
    ({"length": 1.5}, "line 1: length: expected a whole number, found 1.5"),
    ({"length": True}, "line 1: length: expected a whole number, found true"),
    ({"length": 10**400}, "line 1: length: expected less than 100000000"),
    ({"prompt": ""}, "line 1: prompt: expected some text"),
    ({"type": 3}, f"line 1: type: expected text, found 3: {QUOTES}"),
]
SECTIONS = [
    *(("heldout: {file: f.jsonl}", content, expected) for content, expected in HELDOUT),
    *(("benchmarks: {longen: {queries: f.jsonl}}", content, said) for content, said in LONGEN),
    *(
        (
            "benchmarks: {longbench_write: {queries: f.jsonl}}",
            json.dumps({"prompt": "a", "type": "b", "length": 9} | fields).encode(),
            expected,
        )
        for fields, expected in LONGBENCH
    ),
    (
        "benchmarks: {longen: {queries: f.jsonl, scale: 0.5}}",
        query(query="Write."),
        "line 1: cannot be scaled: its wording does not name the length 2000",
    ),
    (
        "benchmarks: {longen: {queries: f.jsonl, scale: 1.0e+300}}",
        query(),
        "line 1: cannot be scaled: 200000000000... is too large a number",
    ),
]


@pytest.mark.parametrize(("section", "content", "expected"), SECTIONS, ids=range(len(SECTIONS)))
def test_wrong_instructions_and_queries(
    folder: Path, section: str, content: bytes, expected: str
) -> None:
    (folder / "small.yaml").write_text(f"{HEAD}{section}\n")
    (folder / "f.jsonl").write_bytes(content)
    said = refused("validate", "small")
    assert "f.jsonl" in said
    assert expected in said


DOCUMENTS = [
    ("d.txt", b"", "text: expected some text"),
    ("d.txt", b" \n ", "text: expected some text"),
    ("d.md", "a text".encode("utf-16"), "is UTF-16 text, not UTF-8; convert the file"),
    ("d.txt", bytes(range(256)), "is not UTF-8 text"),
    ("d.jsonl", b"", "no document in en: add some, or change `languages`"),
    ("d.jsonl", b"x", "line 1: is not JSON"),
    ("d.jsonl", b'{"title": "a"}', "line 1: text: this key is missing"),
    ("d.jsonl", b'{"text": 3}', f"line 1: text: expected text, found 3: {QUOTES}"),
    ("d.jsonl", b'{"text": "a", "language": "xx1"}', "line 1: language: expected a language's ISO"),
]


@pytest.mark.parametrize(("name", "content", "expected"), DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_wrong_documents(folder: Path, name: str, content: bytes, expected: str) -> None:
    text = f"base_model: some/model\nmethod: back_translation\ndocuments: {name}\n"
    (folder / "small.yaml").write_text(text)
    (folder / name).write_bytes(content)
    said = refused("validate", "small")
    assert name in said
    assert expected in said


PLACEHOLDERS = "weave: placeholders must be: {instruction}, {constraint}; found: "
PROMPTS = [
    (b"", f"{GROUP} (indented `key: value` lines), found null"),
    (b"[]", GROUP),
    (b"hello: x", f"hello: {UNKNOWN}"),
    (b"judge: 3", f"judge: expected text, found 3: {QUOTES}"),
    (b'weave: "{instruction} {constraint} {"', "is not a template: Single '{' encountered"),
    (b'weave: "{instruction} {constraint} }"', "(write {{ for a brace)"),
    (b'weave: "{instruction}"', f"{PLACEHOLDERS}{{instruction}}"),
    (b'weave: "{instruction} {constraint} {x}"', PLACEHOLDERS),
    (b'weave: "{instruction.__class__} {constraint}"', PLACEHOLDERS),
    (b'weave: "{instruction[0]} {constraint}"', PLACEHOLDERS),
    (b'weave: "{instruction!z} {constraint}"', "weave: write {instruction} alone"),
    (b'weave: "{instruction:d} {constraint}"', "weave: write {instruction} alone"),
    (b'weave: "{} {}"', PLACEHOLDERS),
    (b'judge: "{instruction} {words:,}"', "judge: write {words} alone"),
    (b"judge_answers: [a]", "judge_answers.1: this key is missing"),
    (b"judge_answers: maybe", "judge_answers: expected a list"),
    (b"judge_answers: ['Yes', 'yes, it is']", "one of the two begins like the other; write two"),
    (b"judge_answers: ['', b]", "judge_answers.0: expected some text"),
    (b"self_instruct_stop: ''", "self_instruct_stop: expected some text"),
    (b"weave: a\nweave: b", "line 2: weave is given twice, first in line 1: remove one of them"),
    ("weave: ü".encode("latin-1"), "it is not in UTF-8 (byte 8): save it in this encoding"),
    (b"weave: [", "p.yaml is no YAML: line 1, column 9"),
]


@pytest.mark.parametrize(("content", "expected"), PROMPTS, ids=range(len(PROMPTS)))
def test_wrong_prompts(folder: Path, content: bytes, expected: str) -> None:
    (folder / "small.yaml").write_text(f"{HEAD}prompts: {{en: p.yaml}}\n")
    (folder / "p.yaml").write_bytes(content)
    said = refused("validate", "small")
    assert "small.yaml: prompts: " in said
    assert "p.yaml" in said
    assert expected in said


MODELS = [
    ("config.json", b"", "cannot be loaded"),
    ("config.json", b"{", "cannot be loaded"),
    ("config.json", b"[]", "cannot be loaded"),
    ("config.json", b"{}", "cannot be loaded"),
    ("config.json", b'{"model_type": "nothing"}', "cannot be loaded"),
    ("config.json", b'{"model_type": "bert"}', "knows no model of type bert that writes texts"),
    ("tokenizer.json", b"", "cannot be loaded"),
    ("tokenizer.json", b"{", "cannot be loaded"),
    ("tokenizer.json", b"{}", "cannot be loaded"),
    ("tokenizer_config.json", b"[]", "cannot be loaded"),
    ("generation_config.json", b"{", "generation_config.json"),
    ("chat_template.jinja", b"{% if %}", "chat template"),
    ("chat_template.jinja", b"nothing", "chat template"),
    ("chat_template.jinja", b"{{ messages[9].content }}", "chat template"),
]


@pytest.mark.parametrize(("name", "content", "expected"), MODELS, ids=range(len(MODELS)))
def test_wrong_models(folder: Path, name: str, content: bytes, expected: str) -> None:
    shutil.copytree(DEMO_MODEL, folder / "model")
    (folder / "model" / name).write_bytes(content)
    (folder / "small.yaml").write_text("base_model: ./model\nseeds: seeds.jsonl\n")
    said = refused("validate", "small")
    assert "small.yaml: " in said
    assert expected in said


@pytest.mark.parametrize("part", ["AutoConfig", "AutoTokenizer"])
def test_a_models_own_code_is_never_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    model = folder / "model"
    shutil.copytree(DEMO_MODEL, model)
    of_config = part == "AutoConfig"
    file = model / ("config.json" if of_config else "tokenizer_config.json")
    code = "its_own.ItsOwn"
    changes: dict[str, object] = {"auto_map": {part: code if of_config else [code, code]}}
    changes |= {"model_type": "strange"} if of_config else {"tokenizer_class": "ItsOwn"}
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    (model / "its_own.py").write_text(f"open({str(folder / 'was_run')!r}, 'w')")
    (folder / "small.yaml").write_text("base_model: ./model\nseeds: seeds.jsonl\n")
    # Nobody is asked, who might say yes.
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    result = CliRunner().invoke(app, ["validate", "small"])
    assert not (folder / "was_run").exists()
    if of_config:
        assert "it brings code of its own, which is never run" in result.stderr


@pytest.mark.parametrize(
    "reaches_out",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os }}",
    ],
)
def test_a_models_template_cannot_leave_its_sandbox(folder: Path, reaches_out: str) -> None:
    model = folder / "model"
    shutil.copytree(DEMO_MODEL, model)
    (model / "chat_template.jinja").write_text(reaches_out)
    (folder / "small.yaml").write_text("base_model: ./model\nseeds: seeds.jsonl\n")
    result = CliRunner().invoke(app, ["validate", "small"])
    assert result.exit_code == 1
    said = " ".join(result.stderr.split())
    assert "small.yaml" in said and "is unsafe" in said
    assert "Traceback" not in said and "<class" not in said


def test_a_models_pickled_weights_are_not_read(folder: Path) -> None:
    model = folder / "model"
    shutil.copytree(DEMO_MODEL, model)
    for weights in model.glob("*.safetensors"):
        weights.rename(model / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"base_model: .*model cannot be loaded"):
        load_model(str(model), "main")


def run(*arguments: str) -> tuple[str, ...]:
    return "run", "-e", "small", *arguments


COMMANDS = [
    (("nothing",), "No such command 'nothing'"),
    (("run",), "Missing option '--experiment'"),
    (("run", "-e", "nobody"), "nobody.yaml: there is no such experiment file"),
    (("run", "-e", ""), "there is no such experiment file"),
    (("run", "-e", "../small"), "there is no such experiment file"),
    (("run", "-e", "x" * 5000), "cannot be read: File name too long"),
    (run("--iterations", "0"), "Invalid value for '--iterations'"),
    (run("--iterations", "many"), "Invalid value for '--iterations'"),
    (run("--iterations", str(10**20)), "small has 3 iterations; raise `iterations` in small.yaml"),
    (run("--from", "3", "--iterations", "2"), "--from 3 is after the last iteration to run, 2"),
    (run("--only", "../x"), "--only ../x: the stages are extended_responses"),
    (run("--set", ""), "expected KEY=VALUE, such as instructions.count=10"),
    (run("--set", "=3"), UNKNOWN),
    (run("--set", "extension..tries=3"), f"extension.'': {UNKNOWN}"),
    (run("--set", "extension=3"), f"extension: {GROUP}"),
    (run("--set", "extension.tries=["), "--set extension.tries=[: line 1, column 2: expected the"),
    (run("--set", "extension.tries=2026-13-45"), f"'2026-13-45' is no timestamp: {QUOTES}"),
    (run("--set", "extension.tries=yes"), "extension.tries: expected a number, found true"),
    (run("--set", "extension.tries="), "extension.tries: expected a whole number, found null"),
    (run("--set", f"extension.tries={'[' * 3000}"), "it is nested too deeply"),
    (run("--set", "sampling.temperature=.inf"), "sampling.temperature: expected a finite number"),
    (run("--set", "base_model=./none"), "base_model: "),
    (run("--set", "iterations=2"), "can be changed in the experiment file only"),
    (("preview", "-e", "small", "-n", "0"), "Invalid value for '--records'"),
    (("stats", "-e", "nobody"), "there is nothing stored of an experiment 'nobody' yet"),
    (("stats", "--format", "xml"), "Invalid value for '--format'"),
    (
        ("report", "-e", "small"),
        "there is nothing to report: run `sl-dagster run --exp",
    ),
    (("evaluate", "-e", "small"), "small names no `benchmarks` and no `judge`"),
    (("compare", "-e", "small"), "small has no measured model yet: run it"),
    (("score", "none.jsonl"), "none.jsonl: cannot be read: No such file or directory"),
    (("score", "seeds.jsonl"), "there is no answer in it that can be scored"),
    (("filter", "."), ".: cannot be read: Is a directory"),
    (("filter", "x" * 5000), "cannot be read: File name too long"),
    (("filter", "seeds.jsonl"), "seeds.jsonl, line 1: text: this key is missing (expected a JSON"),
    (("filter", "-", "--language", "English"), "English is neither auto nor an ISO code such as"),
    (("judge", "seeds.jsonl", "-e", "small"), "seeds.jsonl, line 1: response: this key is missing"),
    (("trace", ""), "there is no record"),
    (("trace", "../../etc/passwd"), "there is no record ../../etc/passwd"),
    (("trace", "' OR 1=1 --"), "there is no record ' OR 1=1 --"),
    (("trace", "\udcff"), "there is no record \ufffd"),
    (("trace", "\x1b[31m"), "there is no record \ufffd[31m"),
    (("trace", "x" * 10_000), "there is no record xxx"),
    (("lineage", "-e", "nobody"), "there is nothing stored of nobody yet"),
    (("lineage", "-i", "-1"), "Invalid value for '--iteration'"),
    (("lineage", "--host", ""), "name an address, such as 127.0.0.1; 0.0.0.0 for all"),
    (("export", "-e", "small", "--out", "out"), "small/dataset has not been made yet"),
    (("export", "-e", "small", "--out", "."), "there is something already: name a folder"),
    (
        ("export", "-e", "small", "--out", "seeds.jsonl"),
        "there is something already: name a folder",
    ),
    (
        ("export-model", "-e", "small", "--role", "judge", "--out", "o"),
        "Invalid value for '--role'",
    ),
    (
        ("export-model", "-e", "small", "--role", "generator", "--out", "o"),
        "name the iteration of a generator or extender, and none of an aligned model",
    ),
    (
        ("export-model", "-e", "small", "--role", "extender", "-i", "9", "--out", "o"),
        "small/extender_lora of iteration 9 has not been made yet",
    ),
    (("publish", "-e", "small"), "name --dataset, --model or both"),
    (("publish", "-e", "small", "--dataset", "mine"), "--dataset mine: expected owner/name"),
    (("publish", "-e", "small", "--model", "../x"), "--model ../x: expected owner/name"),
    (("publish", "-e", "small", "--dataset", "a/b"), "there is nothing stored that could be publ"),
    (("ui", "--port", "99999"), "Invalid value for '--port'"),
    (("ui", "--host", ""), "name an address, such as 127.0.0.1; 0.0.0.0 for all"),
    (("ui", "--host", "nowhere.invalid"), "--host nowhere.invalid: there is no such address"),
    (("validate", "nobody"), "nobody.yaml: there is no such experiment file"),
    (("validate", "~nobody_here/x.yaml"), "x.yaml: there is no such experiment file"),
    (("seeds", "check", "none"), "none: cannot be read: No such file or directory"),
    (("seeds", "check", "x" * 5000), "cannot be read: File name too long"),
    (("seeds", "check", "./no/seeds"), "no/seeds: cannot be read: No such file or directory"),
    (("seeds", "check", "./no/seeds.txt"), "no/seeds.txt: cannot be read: No such file"),
]


@pytest.mark.parametrize(("arguments", "expected"), COMMANDS, ids=range(len(COMMANDS)))
def test_wrong_commands(folder: Path, arguments: tuple[str, ...], expected: str) -> None:
    (folder / "small.yaml").write_text(HEAD)
    assert " ".join(expected.split()) in refused(*arguments)


LONG = "x" * 5000
ENVIRONMENTS = [
    ("SL_DAGSTER_EXPERIMENTS", "/none", ("validate",), "there is no such folder: SL_DAGSTER_EXPER"),
    ("SL_DAGSTER_EXPERIMENTS", "/dev/null", ("validate",), "there is no such folder"),
    ("SL_DAGSTER_EXPERIMENTS", LONG, ("validate",), "this is no folder (File name too long): corr"),
    ("SL_DAGSTER_EXPERIMENTS", "~nobody_here/x", ("growth", "-e", "small"), "this is no folder"),
    ("SL_DAGSTER_DATA", "/dev/null", ("rebuild-stats",), "cannot be made anew"),
    (
        "SL_DAGSTER_DATA",
        "/proc/none",
        ("rebuild-stats",),
        "keep the data in another folder (SL_",
    ),
    ("SL_DAGSTER_DATA", LONG, ("stats",), "this is no folder (File name too long): correct it"),
    ("SL_DAGSTER_DATA", "~nobody_here/x", ("trace", "a"), "this is no folder"),
    (
        "DAGSTER_HOME",
        "/dev/null",
        run("--only", "seeds"),
        "name one where Dagster can keep its",
    ),
    ("DAGSTER_HOME", LONG, run("--only", "seeds"), "this is no folder (File name too long)"),
    ("DAGSTER_HOME", "{folder}/broken", run("--only", "seeds"), "check dagster.yaml there"),
    ("SL_DAGSTER_LINEAGE", "nowhere", ("lineage",), "it must be an address with a port, such as"),
    ("SL_DAGSTER_LINEAGE", "http://", ("lineage",), "it must be an address with a port, such as"),
    ("SL_DAGSTER_LINEAGE", "http://[::1", ("lineage",), "it must be an address with a port"),
    ("SL_DAGSTER_LINEAGE", "http://x:99999", ("lineage",), "it must be an address with a port"),
]


@pytest.mark.parametrize(
    ("variable", "value", "arguments", "expected"), ENVIRONMENTS, ids=range(len(ENVIRONMENTS))
)
def test_wrong_environments(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    arguments: tuple[str, ...],
    expected: str,
) -> None:
    (folder / "small.yaml").write_text(HEAD)
    (folder / "broken").mkdir()
    (folder / "broken" / "dagster.yaml").write_text("nothing: x")
    monkeypatch.setenv(variable, value.format(folder=folder))
    said = refused(*arguments)
    assert variable in said or "dagster.yaml" in said
    assert expected in said


def test_the_tables_are_long_enough() -> None:
    tables = (
        SETTINGS, EXPERIMENTS, SEEDS, SECTIONS, DOCUMENTS, PROMPTS, MODELS, COMMANDS, ENVIRONMENTS,
    )  # fmt: skip
    assert sum(map(len, tables)) >= 300


# What YAML is made of, so that much of what is drawn can be parsed.
YAML_SIGNS = st.sampled_from(
    [*"abz019.-+:#[]{}&*!|>'\"%@`,~=_<?\\ ", "\n", "\n  ", ": ", "- ", "!!"]
)
YAML_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
KEYS = sorted(Experiment.model_fields)


def loaded_or_refused(folder: Path, content: bytes) -> None:
    path = folder / "small.yaml"
    path.write_bytes(content)
    try:
        load_experiment(path)
    except UserError as error:
        assert str(error).startswith(f"{path}: ")
        assert not NO_WORDS_FOR_PEOPLE.search(str(error).replace(str(path), "")), error


FUZZED = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@FUZZED
@given(st.lists(YAML_SIGNS, max_size=30).map("".join) | st.text(max_size=60))
@example("seed: 2026-99-99")
def test_any_text_behind_a_right_beginning(folder: Path, text: str) -> None:
    loaded_or_refused(folder, f"{HEAD}{text}".encode("utf-8", "surrogatepass"))


@FUZZED
@given(st.sampled_from(KEYS), YAML_VALUES)
def test_any_value_of_any_key(folder: Path, key: str, value: object) -> None:
    content = {"base_model": "some/model", "seeds": "seeds.jsonl", key: value}
    loaded_or_refused(folder, yaml.safe_dump(content, allow_unicode=False).encode())


@FUZZED
@given(st.binary(max_size=200) | st.lists(YAML_VALUES, max_size=3).map(lambda v: repr(v).encode()))
def test_any_bytes_as_a_file(folder: Path, content: bytes) -> None:
    for name, read in READERS.items():
        path = folder / name
        path.write_bytes(content)
        try:
            list(read(path))
        except UserError as error:
            assert str(error).startswith(str(path))
            assert not NO_WORDS_FOR_PEOPLE.search(str(error).replace(str(path), "")), error


READERS: dict[str, Callable[[Path], Iterable[object]]] = {
    "a.jsonl": lambda path: read_seeds([path]),
    "a.json": lambda path: read_seeds([path]),
    "a.csv": lambda path: read_seeds([path]),
    "a.parquet": lambda path: read_seeds([path]),
    "b.jsonl": lambda path: read_instructions(path, ("en",)),
    "c.txt": lambda path: read_documents([path]),
    "c.jsonl": lambda path: read_documents([path]),
    "d.jsonl": lambda path: read_queries("longen", Benchmark(queries=str(path)), ("en",)).chosen,
}


@given(st.text())
def test_no_message_controls_the_terminal(said: str) -> None:
    printed = io.StringIO()
    Console(file=printed, soft_wrap=True, width=100_000).print(as_text(said), end="")
    controls = {sign for sign in printed.getvalue() if unicodedata.category(sign) == "Cc"}
    assert controls <= {"\t", "\n"}


def groups_of(kind: type[BaseModel]) -> list[type[BaseModel]]:
    """All groups of settings."""
    return [kind, *(group for below in kind.__subclasses__() for group in groups_of(below))]


NUMBERS = [
    (group, name)
    for group in groups_of(Settings)
    for name, field in group.model_fields.items()
    if {int, float} & {field.annotation, *get_args(field.annotation)}
]


@pytest.mark.parametrize(("group", "name"), NUMBERS)
def test_a_truth_is_no_number(group: type[BaseModel], name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        group.model_validate({name: True})
    said = describe_problems(caught.value).splitlines()
    assert f"{name}: expected a number, found true" in [line.strip() for line in said]
