"""Which stage of which iteration or model something is, and where its folder lies."""

import re
from dataclasses import dataclass
from pathlib import Path

MODEL = "/model="
_FOLDER = re.compile(
    rf"(?P<experiment>[^/]+)/(?P<name>[^/]+({MODEL}[^/]+)?)(/iteration=(?P<iteration>[1-9][0-9]*))?"
)


@dataclass(frozen=True)
class StageKey:
    """Which stage of which iteration or of which model.

    Attributes:
        experiment: name of the experiment.
        stage: the name of the asset.
        iteration: None for a stage that stands outside the loop.
        model: of a stage that measures models, which of them; None for all others.
    """

    experiment: str
    stage: str
    iteration: int | None
    model: str | None = None

    def __str__(self) -> str:
        where = "" if self.iteration is None else f" of iteration {self.iteration}"
        where = where if self.model is None else f" of model {self.model}"
        return f"{self.experiment}/{self.stage}{where}"

    @classmethod
    def from_name(cls, experiment: str, name: str, iteration: int | None) -> "StageKey":
        """The inverse of ``name``."""
        stage, _, model = name.partition(MODEL)
        return cls(experiment, stage, iteration, model or None)

    @classmethod
    def at(cls, folder: Path) -> "StageKey | None":
        """The inverse of ``folder``; None of a folder that is no stage's, such as a copy of one."""
        found = _FOLDER.fullmatch(folder.as_posix())
        if not found:
            return None
        iteration = int(found["iteration"]) if found["iteration"] else None
        return cls.from_name(found["experiment"], found["name"], iteration)

    @property
    def name(self) -> str:
        """What records and tables call the stage: the asset's name, and the model if it has one."""
        return self.stage if self.model is None else f"{self.stage}{MODEL}{self.model}"

    @property
    def folder(self) -> Path:
        """The stage's folder, relative to the data folder."""
        folder = Path(self.experiment) / self.name
        return folder if self.iteration is None else folder / f"iteration={self.iteration}"
