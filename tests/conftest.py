"""What tests share: experiments in a temporary folder, and an engine that follows a script."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sl_dagster.resources.engines import Completion, Engine, Request
from sl_dagster.settings import PROJECT_ROOT

DEMO_MODEL = PROJECT_ROOT / "sl_dagster" / "demo" / "model"


class ScriptedEngine(Engine):
    """Answers by a function; for code that does not depend on what a model says.

    Attributes:
        requests: everything that was asked, in order.
    """

    def __init__(self, answer: Callable[[Request], str | Completion | Exception]) -> None:
        self._answer = answer
        self.requests: list[Request] = []
        self.released = 0
        self.closed = False

    @property
    def concurrency(self) -> int:
        return 4

    async def complete(self, request: Request) -> Completion:
        self.requests.append(request)
        answer = self._answer(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            return Completion(answer, len(answer.split()), 10, "stop")
        return answer

    def release(self) -> None:
        self.released += 1

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def write_experiment(tmp_path: Path) -> Callable[..., Path]:
    """Writes an experiment file with its seed file beside it; keywords change its settings."""

    def write(name: str = "small", **settings: Any) -> Path:
        folder = tmp_path / "experiments"
        folder.mkdir(exist_ok=True)
        (folder / "seeds.jsonl").write_text(
            '{"instruction": "Write a story about an old bridge.", "language": "en"}\n'
            '{"instruction": "Write a letter about a lost key.", "language": "en"}\n'
        )
        content = {"base_model": "some/model", "seeds": "seeds.jsonl"} | settings
        content = {key: value for key, value in content.items() if value is not ...}
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write
