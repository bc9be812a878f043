"""``instructions``: new instructions that the base model makes up (self-instruct; paper, 3.1).

The model is shown two instructions of the pool and writes a third. What is no good instruction, too
much like another one, or in the model's own judgement asks for no long text, is asked for again.
"""

import random
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from sl_dagster.assets.loop.new_instructions import NewInstructions
from sl_dagster.assets.stage.config import sampling_identity, section_identity
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.experiment import Experiment
from sl_dagster.identity import fingerprint
from sl_dagster.method.commentary import Cut
from sl_dagster.method.diversity import distinct_n, kinds_by_origin, mean_shares
from sl_dagster.method.instructions import instruction_drop_reason, without_chatter
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.stage_store import StoredStage

_PROMPTS = ("self_instruct", "self_instruct_turn", "self_instruct_stop", "judge", "judge_answers")
_RULES = 3  # of ``method.instructions``; the preset ``reference`` is spared what is not the paper's
_JUDGEMENT = {"temperature": 0.0, "repetition_penalty": 1.0, "max_tokens": 8}


class Instructions(NewInstructions):
    """Self-instruct by the base model, from the seeds or a pool that grows."""

    description = (
        "New instructions: the base model is shown two of the pool and writes a third; a judge "
        "says whether it suits a long text, and near-duplicates are dropped."
    )
    inputs = ("seeds",)
    code_version = "2"
    reads: tuple[str, ...] = (
        "instructions.count",
        "instructions.tries",
        "instructions.pool",
        "instructions.max_similarity",
        "instructions.long_words",
        "instructions.judge_threshold",
        "instructions.sampling",
        "filter.preset",
        "heldout.file",
        *(f"prompts.{name}" for name in _PROMPTS),
    )

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        # Not used, but an iteration must not begin before its starting point is there.
        self.deps = tuple(f"previous_{role}" for role in experiment.roles)

    def identity(self) -> list[Any]:
        experiment, prompts = self.experiment, self.experiment.prompts_by_language
        settings = section_identity(
            experiment.instructions, "count", "tries", "pool", "max_similarity", "sampling"
        )
        rules = {} if self.to_the_letter else {"rules": _RULES}
        return [
            settings | {"count": self.count} | rules,
            sampling_identity(experiment.sampling_of("instructions")),
            [prompts[name].model_dump(include=set(_PROMPTS)) for name in experiment.languages],
            self.heldout,
        ]

    @property
    def to_the_letter(self) -> bool:
        """Whether an instruction is all that the model has written, as in the paper's code."""
        return self.experiment.filter.preset == "reference"

    @cached_property
    def sources(self) -> list[StoredStage]:
        return [self.run.stage("seeds"), *self.earlier(range(1, self.run.iteration))]

    def earlier(self, iterations: Iterable[int]) -> list[StoredStage]:
        """The instructions of these iterations, if the pool grows.

        Looked up and not declared, because Dagster lets no asset depend on its own earlier
        iterations. If they are made anew this stage's fingerprint changes, and it shows as out of
        date once their iteration has been run to its end, through ``previous_generator``.
        """
        if self.experiment.instructions.pool == "seeds":
            return []
        return [self.run.read("instructions", iteration) for iteration in iterations]

    @property
    def count(self) -> int:
        return self.experiment.instructions.count

    @cached_property
    def pool(self) -> list[Text]:
        """What examples are drawn from, and what must not be repeated."""
        return [record for source in self.sources for record in source.records(Text)]

    @property
    def known_texts(self) -> list[str]:
        return [record.text for record in self.pool]

    def slots(self) -> Iterator[Slot[list[Text]]]:
        """As many as instructions are wanted, the languages taking turns; each has its pool."""
        languages = self.experiment.languages
        pools = {one: [r for r in self.pool if r.language == one] for one in languages}
        for position in range(self.count):
            language = languages[position % len(languages)]
            record_id = fingerprint(self.fingerprint, position)
            yield Slot(self.columns(position, record_id, language), pools[language])

    async def attempt(self, slot: Slot[list[Text]], number: int, ask: Ask) -> Text:
        prompts = self.experiment.prompts_by_language[slot.language]
        draw = random.Random(slot.seed(number, "examples"))
        shown = draw.sample(slot.source, 2) if len(slot.source) > 1 else slot.source * 2
        message, turn = prompts.self_instruction(*(example.text for example in shown))
        sampling = self.experiment.sampling_of("instructions")
        stop = (*sampling.stop, prompts.self_instruct_stop)
        sampling = sampling.model_copy(update={"stop": stop})
        request = Request(message, sampling, slot.seed(number), self.writer, begun=turn)
        completion = await ask(request)
        text, cut = completion.text.strip(), ""
        if not self.to_the_letter:
            text, cut = without_chatter(text)
        reason = instruction_drop_reason(
            text,
            # What was cut off may have ended in mid-sentence.
            finish_reason="stop" if cut else completion.finish_reason,
            language=slot.language,
            may_name_length=self.to_the_letter,
        )
        reason = reason or self.reason_against(text)
        if reason is None and not await self._suits(slot, number, text, ask):
            reason = "judged_no"
        parents = tuple(example.record_id for example in shown)
        if cut:
            completion = completion.cut_to(text)
        return slot.judged(completion, text, reason, Cut(after=cut), parents=parents)

    async def _suits(self, slot: Slot, number: int, instruction: str, ask: Ask) -> bool:
        """Whether the model itself takes the instruction for one that asks for a long text."""
        prompts = self.experiment.prompts_by_language[slot.language]
        sampling = self.experiment.sampling_of("instructions").model_copy(update=_JUDGEMENT)
        threshold = self.experiment.instructions.judge_threshold
        request = Request(
            prompts.judgement(instruction),
            sampling,
            slot.seed(number, "judgement"),
            self.writer,
            choices=prompts.judge_answers,
            graded=threshold is not None,
        )
        answer = await ask(request)
        return prompts.approves(answer.text, answer.probability, threshold)

    def facts(self, stage: StoredStage) -> dict[str, Any]:
        """Distinct-n of the new instructions, and of what kinds their examples were."""
        new = list(stage.records(Text))
        texts = [record.text for record in new]
        kinds = kinds_by_origin(
            (one.record_id, one.parents, one.kind) for one in [*self.pool, *new]
        )
        shares = mean_shares([kinds[record.record_id] for record in new])
        return {f"distinct_{n}": round(distinct_n(texts, n), 3) for n in (1, 2)} | {
            f"share_{kind}": round(share, 3) for kind, share in sorted(shares.items())
        }
