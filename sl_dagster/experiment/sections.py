"""The sections of the experiment file but those of engines and trainings.

Defaults are the paper's (arXiv 2410.23933) wherever it states one.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from sl_dagster.experiment.base import (
    NO_TRUTH,
    NonNegative,
    Positive,
    Probability,
    RepetitionPenalty,
    Settings,
    Temperature,
    TopP,
    Word,
    existing_file,
    is_hub_id,
    looks_like_a_path,
)
from sl_dagster.method.filters import DEFAULT_VERSION, Preset
from sl_dagster.method.instructions import MAX_SIMILARITY

# The strings at which the paper's implementation stops every generation. Today's models write
# both in good Markdown: a rule between sections, the rows of a table.
REFERENCE_STOP = ("\n\n\n", "---")


def _named_stop(value: Any) -> Any:
    if value == "reference":
        return REFERENCE_STOP
    if isinstance(value, str):
        raise ValueError(f"expected a list of strings, or the word reference, found {value!r}")
    return value


def _stop_strings(value: tuple[str, ...]) -> tuple[str, ...]:
    if "" in value:
        raise ValueError("an empty string would stop every generation at once; remove it")
    return value


StopStrings = Annotated[
    tuple[str, ...], BeforeValidator(_named_stop), AfterValidator(_stop_strings)
]


class Sampling(Settings):
    """How the model draws tokens.

    Attributes:
        temperature: the higher, the more often a less likely token is drawn; 0 is greedy.
        top_p: only the most likely tokens are drawn that together are this likely.
        top_k: only so many of the most likely tokens are drawn; 0 means no limit.
        repetition_penalty: what stands in the text already becomes less likely by this factor.
        max_tokens: the most that one answer may have.
        stop: strings before which a generation ends, as it does with the model's turn;
            ``reference`` names those of the paper's implementation.
    """

    temperature: Temperature = 0.7
    top_p: TopP = 0.8
    top_k: NonNegative = 20
    repetition_penalty: RepetitionPenalty = 1.1
    max_tokens: Positive = 16384
    stop: StopStrings = ()

    def overlaid(self, changes: "SamplingChanges") -> "Sampling":
        """These settings with the given changes on top."""
        return self.model_copy(update=changes.model_dump(exclude_unset=True, exclude_none=True))


class SamplingChanges(Settings):
    """What one stage samples differently from the experiment's ``sampling``."""

    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: NonNegative | None = None
    repetition_penalty: RepetitionPenalty | None = None
    max_tokens: Positive | None = None
    stop: StopStrings | None = None


class InstructionsSettings(Settings):
    """Self-instruct: ``count`` new instructions per iteration, each tried up to ``tries`` times.

    With ``method: back_translation``, each is made from a document.

    Attributes:
        count: new instructions per iteration.
        tries: how often each is asked for until it is good enough.
        pool: what the examples are drawn from: ``seeds`` alone, or a ``growing`` pool that also
            has the instructions of all iterations before.
        max_similarity: what is more like an instruction of the pool, a held-out one or another new
            one is dropped as a near-duplicate (ROUGE-L); 1 drops only exact duplicates.
        long_words: the judge is asked whether an instruction calls for more words than these.
        judge_threshold: an instruction is kept if the judge's probability of saying yes, beside no,
            is as high, where the engine gives it; by default, if it says yes.
    """

    count: Positive = 5000
    tries: Positive = 10
    pool: Literal["seeds", "growing"] = "seeds"
    max_similarity: Annotated[float, Field(gt=0, le=1), NO_TRUTH] = MAX_SIMILARITY
    long_words: Positive = 2000
    judge_threshold: Probability | None = None
    sampling: SamplingChanges = SamplingChanges()


class InitialResponsesSettings(Settings):
    """The Generator's answers.

    Attributes:
        samples: answers per instruction.
        tries: how often each is asked for until it is good enough.
    """

    samples: Positive = 2
    tries: Positive = 20
    sampling: SamplingChanges = SamplingChanges()


class Extension(Settings):
    """The micro-iterations.

    Attributes:
        rounds: how often stage 1 and stage 2 follow each other; with 0 nothing is extended.
        samples: extensions per initial response.
        tries: how often a stage asks again for a record whose output is not good enough.
        new_prefixes: a later try of stage 2 begins with another prefix than the one that failed.
            What was stored before this setting existed stays up to date with ``false``.
        retry_grown: stage 2 asks again, after the first round, for what has grown enough already,
            too: longer texts for more tokens.
        growth: a response is kept when it was extended to more than this many times its words.
        max_tokens_per_input_word: an output may have at most this many tokens for each word of its
            input, which ends runaway generations early; no such limit by default.
        line_dropout: probability with which the Extender's training drops a line of its input.
    """

    rounds: Annotated[int, Field(ge=0, le=100), NO_TRUTH] = 3
    samples: Positive = 2
    tries: Positive = 4
    new_prefixes: bool = True
    retry_grown: bool = False
    growth: Annotated[float, Field(ge=1), NO_TRUTH] = 1.2
    max_tokens_per_input_word: Annotated[float, Field(gt=1), NO_TRUTH] | None = None
    line_dropout: Probability = 0.2
    sampling: SamplingChanges = SamplingChanges()


class PlanThenWrite(Settings):
    """The baseline plan-then-write: the base model plans a text and writes it section by section.

    Attributes:
        samples: plans, and so texts, per instruction.
        tries: how often a plan is asked for, and then how often the whole text.
        max_sections: a plan with more sections is not written to.
    """

    samples: Positive = 1
    tries: Positive = 4
    max_sections: Annotated[int, Field(ge=2), NO_TRUTH] = 50
    sampling: SamplingChanges = SamplingChanges()


class Filter(Settings):
    """Which rule decides that a response is good enough.

    Attributes:
        preset: ``reference`` is that of the paper's code, to the letter.
    """

    preset: Preset = "default"

    @property
    def identity(self) -> dict[str, Any]:
        """What a stage's result depends on: the preset, and which version of the default it is."""
        version = {"version": DEFAULT_VERSION} if self.preset == "default" else {}
        return {"preset": self.preset, **version}


class Heldout(Settings):
    """Held-out instructions that measure the Generator before and after every iteration."""

    file: Path
    sampling: SamplingChanges = SamplingChanges()


class Benchmark(Settings):
    """A benchmark of length that the base model and every trained model are measured with.

    Attributes:
        queries: a local file of them (``.jsonl``), or the id of a data set on the Hugging Face hub.
        limit: only so many queries, drawn evenly from the whole of them; all by default.
        scale: asks for so many times the lengths that the queries name, in their wording, too. For
            models that write less than real ones; a score at another scale than 1 is not the
            benchmark's own.
        sampling: what is different from that of the initial responses.
    """

    queries: Word
    limit: Positive | None = None
    scale: Annotated[float, Field(gt=0), NO_TRUTH] = 1.0
    sampling: SamplingChanges = SamplingChanges()

    @field_validator("queries")
    @classmethod
    def _find_queries(cls, value: str, info: ValidationInfo) -> str:
        if looks_like_a_path(value) or value.endswith(".jsonl"):
            return str(existing_file(Path(value), info))
        if not is_hub_id(value):
            raise ValueError(
                f"{value} is neither a file (.jsonl) nor an id on the hub (owner/name)"
            )
        return value


class FinalDataset(Settings):
    """The final data set: what all iterations leave behind.

    Attributes:
        collect: so many more instructions are made up and answered by the last Generator.
        validation_split: share of the instructions whose pairs are held back from the training of
            the aligned model.
    """

    collect: NonNegative = 0
    validation_split: Annotated[float, Field(ge=0, lt=1), NO_TRUTH] = 0.05


class LengthControl(Settings):
    """Which queries of the final data set get a length woven into them, and how it is rounded.

    Attributes:
        min_words: the shortest response whose query gets one; no length below it is asked for.
        max_words: only shorter responses get one; no length above it is asked for.
        roundings: lengths are multiples of the first (four of five) or the second number.
        tries: how often the model is asked to weave it in before the query stays as it was.
    """

    min_words: Positive = 2000
    max_words: Annotated[int, Field(ge=2, lt=100_000_000, validate_default=True), NO_TRUTH] = 8000
    roundings: tuple[Positive, Positive] = (1000, 2000)
    tries: Positive = 4
    sampling: SamplingChanges = SamplingChanges()

    @field_validator("max_words")
    @classmethod
    def _above_the_minimum(cls, value: int, info: ValidationInfo) -> int:
        if value <= info.data.get("min_words", 0):
            raise ValueError(
                f"expected more than min_words ({info.data['min_words']}), found {value}"
            )
        return value
