"""The experiment: all sections of its file, and what follows from them."""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator

from sl_dagster.benchmarks import BENCHMARKS
from sl_dagster.errors import UserError
from sl_dagster.experiment.base import (
    NO_TRUTH,
    Settings,
    Word,
    existing_file,
    existing_model,
    existing_seeds,
    looks_like_a_path,
    merged,
    missing,
    shortened,
    still_a_path,
)
from sl_dagster.experiment.chat import Chat, TemplateVariables
from sl_dagster.experiment.engines import EngineSettings, TransformersSettings
from sl_dagster.experiment.judge import JudgeSettings
from sl_dagster.experiment.problems import describe_problems
from sl_dagster.experiment.sections import (
    Benchmark,
    Extension,
    Filter,
    FinalDataset,
    Heldout,
    InitialResponsesSettings,
    InstructionsSettings,
    LengthControl,
    PlanThenWrite,
    Sampling,
)
from sl_dagster.experiment.served import ServedModel
from sl_dagster.experiment.stages import (
    ALIGNED_MODEL,
    BASE_MODEL,
    EXPERIMENT_NAME,
    METHOD_TITLES,
    Method,
    Role,
    SamplingStage,
    roles_of,
    writing_stages,
)
from sl_dagster.experiment.training import AlignedModelSettings, Training, overlaid
from sl_dagster.method.language import BUILT_IN_LANGUAGES, Language
from sl_dagster.method.prompts import Prompts, read_prompts

DOCUMENT_SUFFIXES = (".jsonl", ".txt", ".md")


def _owner(value: str) -> str:
    if not re.fullmatch(r"team:.+|[\w.%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}", value, re.ASCII):
        raise ValueError(f"expected an e-mail address or team:name, found {value!r}")
    return value


Owner = Annotated[str, AfterValidator(_owner)]


class Experiment(Settings):
    """One experiment: one YAML file; its assets have its name as prefix.

    Attributes:
        name: the file's name without its ending; prefix of the assets' keys.
        description: what the experiment is for; shown in the web UI.
        owners: who answers for it, shown in the web UI: e-mail addresses, or ``team:name``.
        base_model: a model's folder, or its id on the Hugging Face hub.
        revision: the hub revision of ``base_model``.
        method: how ``extended_responses`` come about: by ``self_lengthen``, or by one of the
            baselines, ``plan_then_write`` and ``back_translation``.
        languages: of the instructions, which take turns; each needs seeds and prompts.
        seeds: a file of seed instructions (JSON lines, JSON, CSV or Parquet), the id of a data set
            on the Hugging Face hub, or a list of these; ``back_translation`` needs none.
        documents: ``back_translation`` only: files of the texts to learn from, ``.jsonl`` with a
            ``text`` and perhaps a ``language`` in every line, or ``.txt`` and ``.md``, each of
            which is one document.
        seed: every random draw of the experiment is derived from it.
        prompts: per language, a file that replaces the project's own prompts; a language that the
            project has none in needs one with all of them.
        system_prompt: begins every chat, in generation and in training; the chat template's own
            by default.
        chat_template_kwargs: variables of the chat template, such as ``enable_thinking: false``.
        benchmarks: those that the models are measured with, by name (see ``benchmarks``).
        length_selection: whether the longer responses are preferred, before the extension and after
            it. A control without extension does without it, too, because to choose the longest of
            one's own answers teaches length as well.
        control: name of another experiment to be shown beside this one.
        judge: who grades the Generator's answers; nobody by default.
    """

    name: str = Field(pattern=f"^{EXPERIMENT_NAME.pattern}$")
    description: str = ""
    owners: tuple[Owner, ...] = ("team:self-lengthen",)
    base_model: Word
    revision: Word = "main"
    method: Method = "self_lengthen"
    languages: tuple[Language, ...] = Field(default=("en",), min_length=1)
    seeds: tuple[Path, ...] = Field(default=(), validate_default=True)
    documents: tuple[Path, ...] = Field(default=(), validate_default=True)
    iterations: Annotated[int, Field(ge=1, le=1000), NO_TRUTH] = 3
    seed: Annotated[int, Field(ge=0), NO_TRUTH] = 0
    engine: EngineSettings = TransformersSettings()
    prompts: dict[Language, Path] = Field(default={}, validate_default=True)
    system_prompt: Word | None = None
    chat_template_kwargs: TemplateVariables = Field(default={})
    sampling: Sampling = Sampling()
    instructions: InstructionsSettings = InstructionsSettings()
    initial_responses: InitialResponsesSettings = InitialResponsesSettings()
    extension: Extension = Extension()
    plan_then_write: PlanThenWrite = PlanThenWrite()
    length_selection: bool = True
    filter: Filter = Filter()
    heldout: Heldout | None = None
    training: Training = Training()
    dataset: FinalDataset = FinalDataset()
    length_control: LengthControl = LengthControl()
    aligned_model: AlignedModelSettings = AlignedModelSettings()
    benchmarks: dict[str, Benchmark] = Field(default={})
    control: str | None = None
    judge: JudgeSettings | None = None

    @field_validator("base_model")
    @classmethod
    def _find_model(cls, value: str, info: ValidationInfo) -> str:
        found = existing_model(value, info)
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", value) and not looks_like_a_path(value):
            raise ValueError(
                f"{shortened(value)} is neither a model's folder (written with ./ or / before it) "
                "nor an id on the hub (owner/name)"
            )
        return found

    @field_validator("seeds", "documents", mode="before")
    @classmethod
    def _one_file_is_a_list_of_one(cls, value: Any, info: ValidationInfo) -> Any:
        listed = [value] if isinstance(value, str | Path) else value
        if not isinstance(listed, list):
            return listed
        return [still_a_path(one, info) for one in listed]

    @field_validator("seeds")
    @classmethod
    def _find_seeds(cls, value: tuple[Path, ...], info: ValidationInfo) -> tuple[Path, ...]:
        if not value and info.data.get("method") != "back_translation":
            raise missing()
        return tuple(existing_seeds(path, info) for path in value)

    @field_validator("documents")
    @classmethod
    def _find_documents(cls, value: tuple[Path, ...], info: ValidationInfo) -> tuple[Path, ...]:
        if info.data.get("method") == "back_translation":
            if not value:
                raise missing()
        elif value:
            raise ValueError("only `method: back_translation` reads documents; remove this key")
        for path in value:
            if path.suffix not in DOCUMENT_SUFFIXES:
                raise ValueError(f"{path} is none of {', '.join(DOCUMENT_SUFFIXES)}")
        return tuple(existing_file(path, info) for path in value)

    @field_validator("dataset")
    @classmethod
    def _collect_with_seeds(cls, value: FinalDataset, info: ValidationInfo) -> FinalDataset:
        if value.collect and info.data.get("method") == "back_translation":
            raise ValueError(
                "collect: `method: back_translation` has no seeds to make up more instructions "
                "from; set it to 0"
            )
        return value

    @field_validator("heldout")
    @classmethod
    def _find_heldout(cls, value: Heldout | None, info: ValidationInfo) -> Heldout | None:
        return value and value.model_copy(update={"file": existing_file(value.file, info)})

    @field_validator("prompts")
    @classmethod
    def _find_prompts(cls, value: dict[Language, Path], info: ValidationInfo):
        found = {language: existing_file(path, info) for language, path in value.items()}
        for language, path in found.items():
            try:
                read_prompts(language, path)
            except ValidationError as error:
                raise ValueError(f"{path}: {describe_problems(error)}") from None
            except yaml.YAMLError as error:
                raise ValueError(f"{path} is no YAML: {error}") from None
            except OSError as error:
                raise ValueError(f"{path} cannot be read: {error.strerror}") from None
        for language in info.data.get("languages", ()):
            if language not in (*found, *BUILT_IN_LANGUAGES):
                raise ValueError(
                    f"there are no prompts in {language}: name a file that has all of them "
                    f"(`prompts: {{{language}: my_{language}.yaml}}`, see docs/languages.md)"
                )
        return found

    @field_validator("benchmarks")
    @classmethod
    def _know_benchmarks(cls, value: dict[str, Benchmark]) -> dict[str, Benchmark]:
        unknown = [name for name in value if name not in BENCHMARKS]
        if unknown:
            raise ValueError(
                f"there is no benchmark {unknown[0]}: there are {', '.join(BENCHMARKS)}"
            )
        return value

    @field_validator("control")
    @classmethod
    def _another_experiment(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not EXPERIMENT_NAME.fullmatch(value):
            raise ValueError(
                f"expected the name of another experiment, that of its file without .yaml, found "
                f"{value!r}"
            )
        if value is not None and value == info.data.get("name"):
            raise ValueError("an experiment is no control of itself; name another one")
        return value

    @field_validator("aligned_model")
    @classmethod
    def _train_what_can_be_trained(
        cls, value: AlignedModelSettings, info: ValidationInfo
    ) -> AlignedModelSettings:
        training = info.data.get("training", Training())
        if value.method == "full" and overlaid(training, value.training).quantization:
            raise ValueError(
                "method full cannot train weights that are kept in 4 bits: add "
                "`training: {quantization: null}` here, or take method lora"
            )
        return value

    @property
    def aligned_training(self) -> Training:
        """How the aligned model is trained: as the roles are, but for what its section names."""
        return overlaid(self.training, self.aligned_model.training).model_copy(
            update={"evaluation_split": 0.0}
        )

    @property
    def chat(self) -> Chat:
        """How a message becomes a chat."""
        return Chat(system_prompt=self.system_prompt, template_kwargs=self.chat_template_kwargs)

    @property
    def served(self) -> ServedModel:
        """The base model as its engine is to serve it, to every stage and with every adapter."""
        stages: tuple[SamplingStage, ...] = (
            "instructions",
            "initial_responses",
            "extension",
            "plan_then_write",
            "length_control",
        )
        return ServedModel(
            name=self.name,
            model=self.base_model,
            revision=self.revision,
            engine=self.engine,
            chat=self.chat,
            samplings=tuple(self.sampling_of(stage) for stage in stages),
            forms=("begun", "choices"),
            lora_rank=max(self.training.lora.rank, self.aligned_training.lora.rank),
        )

    @property
    def served_judge(self) -> ServedModel:
        """The judge as its engine is to serve it.

        Raises:
            UserError: the experiment names no judge.
        """
        if self.judge is None:
            raise UserError(
                f"{self.name}.yaml: judge: this section is missing: name the model that judges "
                "(`judge: {model: ...}`)"
            )
        return self.judge.served(f"{self.name}/judge")

    @cached_property
    def prompts_by_language(self) -> dict[str, Prompts]:
        """The prompts to use, the user's where given, with the experiment's idea of long."""
        long = self.instructions.long_words
        return {
            language: read_prompts(language, self.prompts.get(language)).calling_long(long)
            for language in self.languages
        }

    def sampling_of(self, stage: SamplingStage) -> Sampling:
        """How a kind of stage samples: ``sampling``, with what its own section says on top."""
        if stage != "heldout":
            return self.sampling.overlaid(getattr(self, stage).sampling)
        answers = self.sampling_of("initial_responses")
        return answers.overlaid(self.heldout.sampling) if self.heldout else answers

    def changed(self, changes: dict[str, Any]) -> "Experiment":
        """The experiment with some of its settings at other values.

        Args:
            changes: nested like the experiment file.

        Raises:
            UserError: naming the setting and what was expected there.
        """
        if not changes:
            return self
        try:
            # Only what is named: `aligned_model.training` overlays `training` with what it names.
            named = self.model_dump(exclude_unset=True)
            return Experiment.model_validate(merged(named, changes))
        except ValidationError as error:
            raise UserError(describe_problems(error)) from None

    @property
    def method_title(self) -> str:
        """The method's name, and where it is described."""
        return METHOD_TITLES[self.method]

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who is trained: who extends nothing has no Extender."""
        return roles_of(self.method, self.extension.rounds)

    @property
    def source_stage(self) -> str:
        """The stage that instructions are made from."""
        return "documents" if self.method == "back_translation" else "seeds"

    @property
    def writing_stages(self) -> list[str]:
        """The stages between ``instructions`` and ``extended_responses``, which a model writes."""
        return writing_stages(self.method, self.extension.rounds)

    @property
    def response_stages(self) -> list[str]:
        """The stages whose responses belong into the final data set."""
        initial = ["initial_responses"] if self.method == "self_lengthen" else []
        return [*initial, "extended_responses"]

    @property
    def models(self) -> list[str]:
        """The models to measure: the base model, each iteration's Generator, the aligned one."""
        return [BASE_MODEL, *self.partitions, ALIGNED_MODEL]

    @property
    def partitions(self) -> list[str]:
        """The keys of the iterations, "1" first."""
        return [str(iteration) for iteration in range(1, self.iterations + 1)]
