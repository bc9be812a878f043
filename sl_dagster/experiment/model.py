"""The experiment file as pydantic models: every setting a run needs, checked when it is read.

Fields, defaults and checks belong here; what the settings do belongs to the code that uses them.
Defaults are the paper's (arXiv 2410.23933) wherever it states one.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from sl_dagster.benchmarks import BENCHMARKS
from sl_dagster.errors import UserError
from sl_dagster.experiment.chat import Chat, checked_template_kwargs
from sl_dagster.method.filters import Language, Preset
from sl_dagster.method.instructions import MAX_SIMILARITY
from sl_dagster.method.prompts import Prompts, read_prompts
from sl_dagster.resources.adapters import Role

Temperature = Annotated[float, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
TopP = Annotated[float, Field(gt=0, le=1)]
RepetitionPenalty = Annotated[float, Field(gt=0)]
NonNegative = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


def _owner(value: str) -> str:
    if not re.fullmatch(r"team:.+|[\w.%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}", value, re.ASCII):
        raise ValueError(f"expected an e-mail address or team:name, found {value!r}")
    return value


Owner = Annotated[str, AfterValidator(_owner)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sampling(_Settings):
    """How the model draws tokens. ``temperature: 0`` is greedy; ``top_k: 0`` means no limit."""

    temperature: Temperature = 0.7
    top_p: TopP = 0.8
    top_k: NonNegative = 20
    repetition_penalty: RepetitionPenalty = 1.1
    max_tokens: Positive = 16384
    stop: tuple[str, ...] = ("\n\n\n", "---")

    def overlaid(self, changes: "SamplingChanges") -> "Sampling":
        """These settings with the given changes on top."""
        return self.model_copy(update=changes.model_dump(exclude_unset=True, exclude_none=True))


class SamplingChanges(_Settings):
    """What one stage samples differently from the experiment's ``sampling``."""

    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: NonNegative | None = None
    repetition_penalty: RepetitionPenalty | None = None
    max_tokens: Positive | None = None
    stop: tuple[str, ...] | None = None


SamplingStage = Literal[
    "instructions", "initial_responses", "extension", "plan_then_write", "length_control", "heldout"
]

Method = Literal["self_lengthen", "plan_then_write", "back_translation"]
_METHOD_TITLES: dict[Method, str] = {
    "self_lengthen": "Self-Lengthen, arXiv 2410.23933",
    "plan_then_write": "plan-then-write (AgentWrite), arXiv 2408.07055",
    "back_translation": "instruction back-translation, arXiv 2308.06259",
}


class TransformersSettings(_Settings):
    """``type: transformers``: generation in the run's own process, on a CPU or one GPU.

    Attributes:
        device: where the model lives; ``auto`` takes the GPU if there is one.
        dtype: the weights' precision; ``auto`` takes bfloat16 on a GPU and float32 on a CPU.
        batch_size: sequences generated at the same time.
        batch_tokens: bound on batch size x longest sequence (prompt + allowed completion).
    """

    type: Literal["transformers"] = "transformers"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    batch_size: Positive = 64
    batch_tokens: Positive = 65536


class RepetitionDetection(_Settings):
    """When vLLM ends a generation that goes round in circles.

    Attributes:
        min_pattern_size, max_pattern_size: length in tokens of what is said again and again.
        min_count: how often it is said before the generation ends.
    """

    max_pattern_size: Positive = 64
    min_pattern_size: Positive = 4
    min_count: Annotated[int, Field(ge=2)] = 4


class _RemoteSettings(_Settings):
    """What all engines behind an OpenAI-compatible interface have in common.

    Attributes:
        max_in_flight: requests waiting for an answer at the same time.
        request_timeout: seconds that one answer may take.
        repetition_detection: ends looping generations early (needs vLLM); null switches it off.
    """

    max_in_flight: Positive | None = None
    request_timeout: Annotated[float, Field(gt=0)] = 3600
    repetition_detection: RepetitionDetection | None = RepetitionDetection()


VLLM_OPTIONS_SET_BY_US = {
    "host", "port", "api_key", "model", "revision", "served_model_name", "enable_lora",
    "max_lora_rank", "enable_sleep_mode", "generation_config",
}  # fmt: skip


class VllmSettings(_RemoteSettings):
    """``type: vllm``: a vLLM server that the run starts, watches and ends.

    Attributes:
        options: vLLM's own options by their names on its command line, with underscores.
        environment: environment variables of the server.
        start_timeout: seconds until the server must be ready.
        while_training: what the server does while the same GPU trains: ``stop`` (start again
            afterwards), ``sleep`` (vLLM's sleep mode; GPUs only) or ``keep`` (go on).
        max_in_flight: by default a quarter more than the server batches.
    """

    type: Literal["vllm"]
    options: dict[str, Any] = {}
    environment: dict[str, str] = {}
    start_timeout: Annotated[float, Field(gt=0)] = 1800
    while_training: Literal["stop", "sleep", "keep"] = "stop"

    @field_validator("options")
    @classmethod
    def _leave_ours_alone(cls, value: dict[str, Any]) -> dict[str, Any]:
        taken = sorted(VLLM_OPTIONS_SET_BY_US & value.keys())
        if taken:
            raise ValueError(f"{', '.join(taken)}: set by sl-dagster itself; remove it")
        return value


class OpenAISettings(_RemoteSettings):
    """``type: openai``: OpenAI-compatible endpoints that somebody else runs.

    Attributes:
        base_urls: one or several, each ending in ``/v1``.
        api_key_env: environment variable that holds their key; none if they want none.
        model: the name by which they serve the base model; ``base_model`` by default.
        max_in_flight: 128 for each endpoint by default.
    """

    type: Literal["openai"]
    base_urls: tuple[str, ...] = Field(min_length=1)
    api_key_env: str | None = None
    model: str | None = None


_JUDGEMENT_TOKENS = 256  # of which a model that sets it out prettily needs about 100
_ENGINE_TYPES = ("transformers", "vllm", "openai")
EngineSettings = Annotated[
    TransformersSettings | VllmSettings | OpenAISettings, Field(discriminator="type")
]


class Instructions(_Settings):
    """Self-instruct: ``count`` new instructions per iteration, each tried up to ``tries`` times.

    With ``method: back_translation``, each is made from a document.

    Attributes:
        pool: what the examples are drawn from: ``seeds`` alone, or a ``growing`` pool that also
            has the instructions of all iterations before.
        max_similarity: what is more like an instruction of the pool, a held-out one or another new
            one is dropped as a near-duplicate (ROUGE-L); 1 drops only exact duplicates.
    """

    count: Positive = 5000
    tries: Positive = 10
    pool: Literal["seeds", "growing"] = "seeds"
    max_similarity: Annotated[float, Field(gt=0, le=1)] = MAX_SIMILARITY
    sampling: SamplingChanges = SamplingChanges()


class InitialResponses(_Settings):
    """``samples`` answers per instruction, each asked for up to ``tries`` times."""

    samples: Positive = 2
    tries: Positive = 20
    sampling: SamplingChanges = SamplingChanges()


class Extension(_Settings):
    """The micro-iterations.

    Attributes:
        rounds: how often stage 1 and stage 2 follow each other; with 0 nothing is extended.
        samples: extensions per initial response.
        tries: how often a stage asks again for a record whose output is not good enough.
        growth: a response is kept when it was extended to more than this many times its words.
        max_tokens_per_input_word: an output may have at most this many tokens for each word of its
            input, which ends runaway generations early; no such limit by default.
        line_dropout: probability with which the Extender's training drops a line of its input.
    """

    rounds: NonNegative = 3
    samples: Positive = 2
    tries: Positive = 4
    growth: Annotated[float, Field(ge=1)] = 1.2
    max_tokens_per_input_word: Annotated[float, Field(gt=1)] | None = None
    line_dropout: Probability = 0.2
    sampling: SamplingChanges = SamplingChanges()


class PlanThenWrite(_Settings):
    """The baseline plan-then-write: the base model plans a text and writes it section by section.

    Attributes:
        samples: plans, and so texts, per instruction.
        tries: how often a plan is asked for, and then how often the whole text.
        max_sections: a plan with more sections is not written to.
    """

    samples: Positive = 1
    tries: Positive = 4
    max_sections: Annotated[int, Field(ge=2)] = 50
    sampling: SamplingChanges = SamplingChanges()


class Filter(_Settings):
    """Which rule decides that a response is good enough (``reference``: the paper's code)."""

    preset: Preset = "default"


class Heldout(_Settings):
    """Held-out instructions that measure the Generator before and after every iteration."""

    file: Path
    sampling: SamplingChanges = SamplingChanges()


STAGES_AFTER_THE_LOOP = (
    "more_instructions",
    "more_responses",
    "dataset",
    "length_controlled",
    "aligned_sft",
)
DOCUMENT_SUFFIXES = (".jsonl", ".txt", ".md")
BASE_MODEL = "base"
ALIGNED_MODEL = "aligned"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class Benchmark(_Settings):
    """A benchmark of length that the base model and every trained model are measured with.

    Attributes:
        queries: a local file of them (``.jsonl``), or the id of a data set on the Hugging Face hub.
        limit: only so many queries, drawn evenly from the whole of them; all by default.
        scale: asks for so many times the lengths that the queries name, in their wording, too. For
            models that write less than real ones; a score at another scale than 1 is not the
            benchmark's own.
        sampling: what is different from that of the initial responses.
    """

    queries: str
    limit: Positive | None = None
    scale: Annotated[float, Field(gt=0)] = 1.0
    sampling: SamplingChanges = SamplingChanges()

    @field_validator("queries")
    @classmethod
    def _find_queries(cls, value: str, info: ValidationInfo) -> str:
        if _looks_like_a_path(value) or value.endswith(".jsonl"):
            return str(_existing_file(Path(value), info))
        if not _HUB_ID.fullmatch(value):
            raise ValueError(
                f"{value} is neither a file (.jsonl) nor an id on the hub (owner/name)"
            )
        return value


class Lora(_Settings):
    """Shape of the adapters.

    Attributes:
        rank: of the matrices; ``alpha`` / ``rank`` scales their output.
        dropout: of their input, while training.
        target_modules: names of the layers that get one, such as ``q_proj``; all linear layers by
            default.
    """

    rank: Positive = 16
    alpha: Positive = 32
    dropout: Probability = 0.0
    target_modules: tuple[str, ...] | None = Field(default=None, min_length=1)

    @field_validator("target_modules")
    @classmethod
    def _leave_the_head_alone(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value and "lm_head" in value:
            raise ValueError(
                "lm_head can have no adapter: the loss is computed from its weights themselves"
            )
        return value


class Training(_Settings):
    """Fine-tuning of each role with TRL's SFTTrainer.

    Attributes:
        quantization: ``4bit`` keeps the base model in 4 bits while it is trained (QLoRA, by
            bitsandbytes, on a GPU).
        learning_rate: peak of the schedule.
        scheduler: transformers' name of the learning-rate schedule.
        warmup_ratio: share of the steps over which the learning rate rises.
        epochs: passes over the training set.
        batch_size: examples per device and step.
        gradient_accumulation: steps whose gradients are added up before an update.
        max_length: longest example in tokens; longer ones are cut, and counted. Batches are no
            longer than their longest example.
        packing: several short examples in one sequence, each seeing only itself.
        precision: arithmetic of the forward pass. With ``bf16`` the base model's weights are
            bfloat16 on a GPU; the adapter's are float32.
        gradient_checkpointing: compute activations twice to save memory; on GPUs by default.
        seed: of data order and new weights; by default it follows from all that is trained on.
        evaluation_split: share of the instructions whose examples are held back; the loss on them
            is measured before the training and after each epoch.
        checkpoints: how often on its way a training saves what it needs to go on after a kill.
        report_to: experiment trackers that get the training's figures.
        num_processes: GPUs to train on; all of the machine by default.
        accelerate_config: a file made by ``accelerate config``, for FSDP, DeepSpeed and the like.
    """

    lora: Lora = Lora()
    quantization: Literal["4bit"] | None = None
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    scheduler: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    warmup_ratio: Probability = 0.1
    epochs: Annotated[float, Field(gt=0)] = 4
    batch_size: Positive = 1
    gradient_accumulation: Positive = 1
    max_length: Positive = 16384
    packing: bool = False
    precision: Literal["bf16", "fp32"] = "bf16"
    gradient_checkpointing: bool | None = None
    seed: Annotated[int, Field(ge=0, lt=1 << 31)] | None = None
    evaluation_split: Annotated[float, Field(ge=0, lt=1)] = 0.0
    checkpoints: NonNegative = 20
    report_to: tuple[Literal["tensorboard", "wandb", "trackio"], ...] = ()
    num_processes: Positive | None = None
    accelerate_config: Path | None = None

    @field_validator("accelerate_config")
    @classmethod
    def _find_accelerate_config(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None:
            return None
        found = _existing_file(value, info)
        if not isinstance(_yaml(found), dict):
            raise ValueError(f"{found} is no file of `accelerate config`: it holds no settings")
        return found

    @property
    def identity(self) -> dict[str, Any]:
        """What a training's result depends on.

        A setting at its default is left out, so that a setting that is new to the project leaves
        what was trained before it up to date. How the work is done is left out, too, except for
        what decides how many examples make a step.
        """
        how = {"gradient_checkpointing", "checkpoints", "report_to", "accelerate_config"}
        chosen = self.model_dump(exclude_defaults=True, exclude=how)
        if self.accelerate_config:
            chosen["accelerate_config"] = _yaml(self.accelerate_config)
        return chosen


class FinalDataset(_Settings):
    """The final data set: what all iterations leave behind.

    Attributes:
        collect: so many more instructions are made up and answered by the last Generator.
        validation_split: share of the instructions whose pairs are held back from the training of
            the aligned model.
    """

    collect: NonNegative = 0
    validation_split: Annotated[float, Field(ge=0, lt=1)] = 0.05


class LengthControl(_Settings):
    """Which queries of the final data set get a length woven into them, and how it is rounded.

    Attributes:
        min_words: the shortest response whose query gets one; no length below it is asked for.
        max_words: only shorter responses get one; no length above it is asked for.
        roundings: lengths are multiples of the first (four of five) or the second number.
        tries: how often the model is asked to weave it in before the query stays as it was.
    """

    min_words: Positive = 2000
    max_words: Annotated[int, Field(ge=2, lt=100_000_000)] = 8000
    roundings: tuple[Positive, Positive] = (1000, 2000)
    tries: Positive = 4
    sampling: SamplingChanges = SamplingChanges()

    @field_validator("max_words")
    @classmethod
    def _above_the_minimum(cls, value: int, info: ValidationInfo) -> int:
        if value <= info.data.get("min_words", 0):
            raise ValueError(f"expected more than min_words ({info.data['min_words']})")
        return value


class AlignedModel(_Settings):
    """The fine-tuning of the base model on the final data set.

    Attributes:
        method: ``lora`` trains an adapter, ``full`` all of the model's weights.
        training: what is different from the experiment's ``training``. Of its
            ``evaluation_split`` nothing is used, for ``dataset.validation_split`` decides.
    """

    method: Literal["lora", "full"] = "lora"
    training: Training = Training()


class Judge(_Settings):
    """The quality judge: a model that grades answers in seven dimensions, from 1 to 10.

    Attributes:
        model: a model's folder, its id on the Hugging Face hub, or its name at the endpoints of an
            ``openai`` engine.
        revision: the hub revision of ``model``.
        engine: what it runs on; need not be the experiment's.
        system_prompt, chat_template_kwargs: as in the experiment, but for this model.
        temperature: of its judgements; at 0, all samples of an answer would be the same.
        samples: judgements per answer.
        tries: how often it is asked for a judgement if it answers with something else.
    """

    model: str
    revision: str = "main"
    engine: EngineSettings = TransformersSettings()
    system_prompt: Annotated[str, Field(min_length=1)] | None = None
    chat_template_kwargs: dict[str, Any] = {}
    temperature: Temperature = 1.0
    samples: Positive = 3
    tries: Positive = 3

    @field_validator("model")
    @classmethod
    def _find_model(cls, value: str, info: ValidationInfo) -> str:
        return _existing_model(value, info)

    @field_validator("chat_template_kwargs")
    @classmethod
    def _check_template_kwargs(cls, value: dict[str, Any]) -> dict[str, Any]:
        return checked_template_kwargs(value)


class Experiment(_Settings):
    """One experiment: one YAML file, one group of assets.

    Attributes:
        runs_the_loop: whether its engine must know what the loop needs: begun turns and adapters.
        name: the file's name without its ending; prefix of the assets' keys.
        description: what the experiment is for; shown in the web UI.
        owners: who answers for it, shown in the web UI: e-mail addresses, or ``team:name``.
        base_model: a model's folder, or its id on the Hugging Face hub.
        revision: the hub revision of ``base_model``.
        method: how ``extended_responses`` come about: by ``self_lengthen``, or by one of the
            baselines, ``plan_then_write`` and ``back_translation``.
        languages: of the instructions, which take turns; each needs seeds and prompts.
        seeds: a file of seed instructions, or a list of files; ``back_translation`` needs none.
        documents: ``back_translation`` only: files of the texts to learn from, ``.jsonl`` with a
            ``text`` and perhaps a ``language`` in every line, or ``.txt`` and ``.md``, each of
            which is one document.
        seed: every random draw of the experiment is derived from it.
        prompts: per language, a file that replaces the project's own prompts.
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

    runs_the_loop: ClassVar[bool] = True

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str = ""
    owners: tuple[Owner, ...] = ("team:self-lengthen",)
    base_model: str
    revision: str = "main"
    method: Method = "self_lengthen"
    languages: tuple[Language, ...] = Field(default=("en",), min_length=1)
    seeds: tuple[Path, ...] = Field(default=(), validate_default=True)
    documents: tuple[Path, ...] = Field(default=(), validate_default=True)
    iterations: Positive = 3
    seed: NonNegative = 0
    engine: EngineSettings = TransformersSettings()
    prompts: dict[Language, Path] = {}
    system_prompt: Annotated[str, Field(min_length=1)] | None = None
    chat_template_kwargs: dict[str, Any] = {}
    sampling: Sampling = Sampling()
    instructions: Instructions = Instructions()
    initial_responses: InitialResponses = InitialResponses()
    extension: Extension = Extension()
    plan_then_write: PlanThenWrite = PlanThenWrite()
    length_selection: bool = True
    filter: Filter = Filter()
    heldout: Heldout | None = None
    training: Training = Training()
    dataset: FinalDataset = FinalDataset()
    length_control: LengthControl = LengthControl()
    aligned_model: AlignedModel = AlignedModel()
    benchmarks: dict[str, Benchmark] = {}
    control: str | None = None
    judge: Judge | None = None

    @field_validator("base_model")
    @classmethod
    def _find_model(cls, value: str, info: ValidationInfo) -> str:
        return _existing_model(value, info)

    @field_validator("seeds", "documents", mode="before")
    @classmethod
    def _one_file_is_a_list_of_one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | Path) else value

    @field_validator("seeds")
    @classmethod
    def _find_seeds(cls, value: tuple[Path, ...], info: ValidationInfo) -> tuple[Path, ...]:
        if not value and info.data.get("method") != "back_translation":
            raise _missing()
        return tuple(_existing_file(path, info) for path in value)

    @field_validator("documents")
    @classmethod
    def _find_documents(cls, value: tuple[Path, ...], info: ValidationInfo) -> tuple[Path, ...]:
        if info.data.get("method") == "back_translation":
            if not value:
                raise _missing()
        elif value:
            raise ValueError("only `method: back_translation` reads documents; remove this key")
        for path in value:
            if path.suffix not in DOCUMENT_SUFFIXES:
                raise ValueError(f"{path} is none of {', '.join(DOCUMENT_SUFFIXES)}")
        return tuple(_existing_file(path, info) for path in value)

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
        return value and value.model_copy(update={"file": _existing_file(value.file, info)})

    @field_validator("prompts")
    @classmethod
    def _find_prompts(cls, value: dict[Language, Path], info: ValidationInfo):
        found = {language: _existing_file(path, info) for language, path in value.items()}
        for language, path in found.items():
            try:
                read_prompts(language, path)
            except ValidationError as error:
                raise ValueError(f"{path}: {describe_problems(error)}") from None
            except (yaml.YAMLError, UnicodeDecodeError) as error:
                raise ValueError(f"{path} is no YAML in UTF-8: {error}") from None
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

    @field_validator("chat_template_kwargs")
    @classmethod
    def _check_template_kwargs(cls, value: dict[str, Any]) -> dict[str, Any]:
        return checked_template_kwargs(value)

    @field_validator("aligned_model")
    @classmethod
    def _train_what_can_be_trained(cls, value: AlignedModel, info: ValidationInfo) -> AlignedModel:
        training = info.data.get("training", Training())
        if value.method == "full" and _overlaid(training, value.training).quantization:
            raise ValueError(
                "method full cannot train weights that are kept in 4 bits: add "
                "`training: {quantization: null}` here, or take method lora"
            )
        return value

    @property
    def aligned_training(self) -> Training:
        """How the aligned model is trained: as the roles are, but for what its section names."""
        return _overlaid(self.training, self.aligned_model.training).model_copy(
            update={"evaluation_split": 0.0}
        )

    @property
    def chat(self) -> Chat:
        """How a message becomes a chat."""
        return Chat(system_prompt=self.system_prompt, template_kwargs=self.chat_template_kwargs)

    @cached_property
    def prompts_by_language(self) -> dict[str, Prompts]:
        """The prompts to use, the user's where given."""
        return {
            language: read_prompts(language, self.prompts.get(language))
            for language in self.languages
        }

    def sampling_of(self, stage: SamplingStage) -> Sampling:
        """How a kind of stage samples: ``sampling``, with what its own section says on top."""
        if stage != "heldout":
            return self.sampling.overlaid(getattr(self, stage).sampling)
        answers = self.sampling_of("initial_responses")
        return answers.overlaid(self.heldout.sampling) if self.heldout else answers

    @property
    def all_samplings(self) -> list[Sampling]:
        """How each of the stages samples."""
        return [
            self.sampling_of("instructions"),
            self.sampling_of("initial_responses"),
            self.sampling_of("extension"),
            self.sampling_of("plan_then_write"),
            self.sampling_of("length_control"),
        ]

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
            return Experiment.model_validate(_merged(self.model_dump(), changes))
        except ValidationError as error:
            raise UserError(describe_problems(error)) from None

    @property
    def method_title(self) -> str:
        """The method's name, and where it is described."""
        return _METHOD_TITLES[self.method]

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who is trained: the baselines extend nothing, so they have no Extender."""
        return get_args(Role) if self.method == "self_lengthen" else ("generator",)

    @property
    def source_stage(self) -> str:
        """The stage that instructions are made from."""
        return "documents" if self.method == "back_translation" else "seeds"

    @property
    def writing_stages(self) -> list[str]:
        """The stages between ``instructions`` and ``extended_responses``, which a model writes."""
        return _writing_stages(self.method, self.extension.rounds)

    @property
    def response_stages(self) -> list[str]:
        """The stages whose responses belong into the final data set."""
        initial = ["initial_responses"] if self.method == "self_lengthen" else []
        return [*initial, "extended_responses"]

    @property
    def stages(self) -> list[str]:
        """The names of the stages that hold records, in the order of the loop."""
        loop = _loop_stages(self.writing_stages, self.roles)
        return [self.source_stage, "heldout_base", *loop, *STAGES_AFTER_THE_LOOP]

    @property
    def models(self) -> list[str]:
        """The models to measure: the base model, each iteration's Generator, the aligned one."""
        return [BASE_MODEL, *self.partitions, ALIGNED_MODEL]

    @property
    def partitions(self) -> list[str]:
        """The keys of the iterations, "1" first."""
        return [str(iteration) for iteration in range(1, self.iterations + 1)]


class JudgeExperiment(Experiment):
    """An experiment's judge in the form in which engines take a model: see ``judge_experiment``."""

    runs_the_loop: ClassVar[bool] = False


def judge_experiment(experiment: Experiment) -> JudgeExperiment:
    """The experiment's judge with its own engine, in the form in which engines take a model.

    Raises:
        UserError: the experiment names no judge.
    """
    judge = experiment.judge
    if judge is None:
        raise UserError(
            f"{experiment.name}.yaml: judge: this section is missing: name the model that judges "
            "(`judge: {model: ...}`)"
        )
    engine = judge.engine
    if not isinstance(engine, TransformersSettings):
        # A judgement is too short to go round in circles, and few endpoints know how to find out.
        engine = engine.model_copy(update={"repetition_detection": None})
    # Nothing but what every OpenAI-compatible endpoint knows.
    sampling = Sampling(
        temperature=judge.temperature,
        top_p=1,
        top_k=0,
        repetition_penalty=1,
        max_tokens=_JUDGEMENT_TOKENS,
        stop=(),
    )
    return JudgeExperiment.model_construct(
        name=f"{experiment.name}/judge",
        base_model=judge.model,
        revision=judge.revision,
        seeds=experiment.seeds,
        engine=engine,
        system_prompt=judge.system_prompt,
        chat_template_kwargs=judge.chat_template_kwargs,
        sampling=sampling,
    )


def stage_names(rounds: int) -> list[str]:
    """The names of the stages that hold records, of all methods, in the order of the loop.

    Args:
        rounds: of the extension.
    """
    writing = [stage for method in get_args(Method) for stage in _writing_stages(method, rounds)]
    loop = _loop_stages(writing, get_args(Role))
    return ["seeds", "documents", "heldout_base", *loop, *STAGES_AFTER_THE_LOOP]


def loop_stage_names(rounds: int) -> list[str]:
    """The names of the stages of each iteration of Self-Lengthen with so many rounds."""
    return _loop_stages(_writing_stages("self_lengthen", rounds), get_args(Role))


def _loop_stages(writing: list[str], roles: Iterable[Role]) -> list[str]:
    sets = [f"{role}_sft" for role in roles]
    return ["instructions", *writing, "extended_responses", *sets, "heldout_responses"]


def _writing_stages(method: Method, rounds: int) -> list[str]:
    """What stands between the instructions and what is trained on."""
    if method == "plan_then_write":
        return ["plans", "planned_responses"]
    if method == "back_translation":
        return []
    numbers = range(1, rounds + 1)
    return [
        "initial_responses",
        *(f"round{number}_stage{stage}" for number in numbers for stage in (1, 2)),
    ]


def load_experiment(path: Path) -> Experiment:
    """Read one experiment file.

    Paths in it are relative to the file's folder. With ``extends: other.yaml`` it takes over the
    settings of another file in the same folder and changes only those it names.

    Raises:
        UserError: naming the file, the field, and what was expected there.
    """
    content = _read(path)
    if "name" in content:
        raise UserError(f"{path}: name: an experiment is named by its file; remove this line")
    if "extends" in content:
        base = path.parent / str(content.pop("extends"))
        content = _merged(_read(base), content)
    try:
        return Experiment.model_validate(
            {"name": path.stem, **content}, context={"folder": path.parent}
        )
    except ValidationError as error:
        raise UserError(f"{path}: {describe_problems(error)}") from None


def load_experiments(folder: Path) -> list[Experiment]:
    """Read every experiment of a folder, in the order of their names.

    Raises:
        UserError: for the first file that is not right, or when there is none.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise UserError(f"{folder}: no experiment file (*.yaml) in this folder")
    return [load_experiment(path) for path in files]


def describe_problems(error: ValidationError) -> str:
    """Say in one line per problem which field is wrong, what was expected and what was found."""
    return "\n  ".join(_describe(problem) for problem in error.errors())


def _describe(problem: Any) -> str:
    # The type of an engine is no key of its settings, though pydantic puts it into the path.
    path = [part for part in problem["loc"] if part not in _ENGINE_TYPES]
    field = ".".join(str(part) for part in path)
    if problem["type"].startswith("union_tag"):
        found = problem["input"].get("type", "none")
        return f"{field}.type: expected {', '.join(_ENGINE_TYPES)}, found {found}"
    if problem["type"] == "extra_forbidden":
        return f"{field}: unknown key; remove it or correct its spelling"
    if problem["type"] == "missing":
        return f"{field}: this key is missing"
    if field == "name":
        return "the file's name must be lower-case letters, digits and underscores"
    message = problem["msg"].removeprefix("Value error, ").partition(", unable to parse")[0]
    message = re.sub(r"^Input should be", "expected", message)
    if problem["type"] == "model_type":
        message = "expected a group of settings (indented `key: value` lines)"
    found = problem["input"]
    if problem["type"] == "value_error" or isinstance(found, dict | list):
        return f"{field}: {message}"
    return f"{field}: {message}, found {found!r}"


def _missing() -> PydanticCustomError:
    """The error of a key that other settings make necessary."""
    return PydanticCustomError("missing", "Field required")


def _overlaid(training: Training, changes: Training) -> Training:
    """A training's settings with those on top that the changes name."""
    named = {field: getattr(changes, field) for field in changes.model_fields_set}
    return training.model_copy(update=named)


def _looks_like_a_path(value: str) -> bool:
    return value.startswith((".", "/", "~"))


def _resolve(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder", Path.cwd())
    return (folder / path.expanduser()).resolve()


def _existing_model(value: str, info: ValidationInfo) -> str:
    if not _looks_like_a_path(value):
        return value
    folder = _resolve(Path(value), info)
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} is no model folder: it has no config.json")
    return str(folder)


def _existing_file(path: Path, info: ValidationInfo) -> Path:
    resolved = _resolve(path, info)
    if not resolved.is_file():
        raise ValueError(f"there is no file {resolved}")
    return resolved


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is no YAML: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such experiment file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: is no YAML: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected settings (`key: value` lines), found none")
    return content


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The base with the changes on top, group by group."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _merged(old, value)
        merged[key] = value
    return merged
