"""Secrets stay where they are needed."""

import io
import os
from pathlib import Path

import pytest

from sl_dagster.experiment import Training, VllmSettings
from sl_dagster.resources import trainer
from sl_dagster.resources.engines import vllm_server
from sl_dagster.resources.engines.vllm_server import VllmServer
from sl_dagster.resources.environment import environment_without_secrets
from tests.resources.engines.conftest import VLLM, mini_experiment

SECRET = {
    "OPENAI_API_KEY", "JUDGE_KEY", "my_api_key", "GITHUB_TOKEN", "DAGSTER_PG_PASSWORD",
    "WANDB_API_KEY", "CLIENT_SECRET", "PGPASSWORD", "OPENAI_APIKEY", "MYSQL_PWD", "MY_SECRETS",
    "SLACK_ACCESSTOKEN", "API_TOKENS", "apikey", "SMTP_PASS", "DB_PASSWD", "SSH_PASSPHRASE",
    "GITLAB_CREDENTIAL", "MY_CREDS", "KEY2", "TOKEN1", "ACCESSTOKENS", "SECRETKEY", "VLLM_API_KEY",
    "GITHUB_TOKEN_PERSONAL", "ADMIN_TOKENS", "SURVEYMONKEY_TOKEN",
}  # fmt: skip
NEEDED = {
    "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "TOKENIZERS_PARALLELISM", "KEYBOARD", "MONKEY", "PWD",
    "OLDPWD", "TIKTOKEN_ENCODINGS_BASE", "TIKTOKEN_RS_CACHE_DIR", "XDG_RUNTIME_DIR", "COMPASS",
    "BYPASS_CACHE", "VLLM_MAX_TOKENS_PER_EXPERT_FP4_MOE", "VLLM_MAX_BAD_WORDS_TOTAL_TOKENS",
    "VLLM_MULTI_STREAM_GEMM_TOKEN_THRESHOLD", "VLLM_SHARED_EXPERTS_STREAM_TOKEN_THRESHOLD",
    "VLLM_USE_FASTOKENS", "VLLM_ENABLE_PREGRAD_PASSES", "XKB_KEYMAP",
}  # fmt: skip


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRET | NEEDED:
        monkeypatch.setenv(name, f"value of {name}")


def test_only_what_loads_models_is_left() -> None:
    environment = environment_without_secrets()
    assert not SECRET & environment.keys()
    assert environment.keys() >= NEEDED
    assert "PATH" in environment


def test_a_training_sees_only_its_trackers_key() -> None:
    def hidden(**settings) -> set[str]:
        variables = os.environ | trainer._environment(Training(**settings))
        return {name for name in SECRET if not variables[name]}

    assert hidden() == SECRET
    assert hidden(report_to=("wandb",)) == SECRET - {"WANDB_API_KEY"}


def test_a_server_sees_only_its_own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the command line, which everybody on the machine can read, has none."""
    started = {}

    class Process:
        def __init__(self, command: list[str], env: dict[str, str], **more) -> None:
            self.stdout = io.BytesIO(b"its log")
            started.update(command=command, env=env)

    monkeypatch.setattr(vllm_server.subprocess, "Popen", Process)
    settings = VLLM | {"environment": {"JUDGE_KEY": "named by the user"}}
    served = mini_experiment(tmp_path, engine=settings).served
    assert isinstance(served.engine, VllmSettings)
    server = VllmServer(served, served.engine, say=lambda line: None)
    server._launch(1234)
    environment = started["env"]
    assert SECRET & environment.keys() == {"JUDGE_KEY", "VLLM_API_KEY"}
    assert environment["JUDGE_KEY"] == "named by the user"
    assert environment["VLLM_API_KEY"] == server.api_key
    assert len(server.api_key) >= 32
    assert server.api_key not in " ".join(started["command"])
    assert "--host 127.0.0.1 " in " ".join(started["command"])


@pytest.mark.parametrize("where", ["engine", "judge"])
def test_what_an_experiment_names_as_a_key_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Whatever it is called; but for what loads models."""
    variable = f"OPENROUTER_{where}"
    monkeypatch.setenv(variable, "sk-1")
    assert variable in environment_without_secrets()
    for name in (variable, "HF_TOKEN"):
        asked = {"type": "openai", "base_urls": ["http://x/v1"], "api_key_env": name}
        settings = {"engine": asked} if where == "engine" else {}
        settings |= {"judge": {"model": "x/y", "engine": asked}} if where == "judge" else {}
        mini_experiment(tmp_path, **settings)
    assert variable not in environment_without_secrets()
    assert "HF_TOKEN" in environment_without_secrets()
    assert variable in trainer._environment(Training())
