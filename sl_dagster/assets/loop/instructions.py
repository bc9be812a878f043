"""``instructions``: new instructions that the base model makes up (self-instruct; paper, 3.1).

The model is shown two instructions of the pool and writes a third. What is no good instruction, too
much like another one, or in the model's own judgement asks for no long text, is asked for again.
"""

import random
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from sl_dagster.assets.loop.instruction_pool import InstructionPool, earlier_instructions
from sl_dagster.assets.loop.new_instructions import NewInstructions
from sl_dagster.assets.stage.identities import sampling_identity, section_identity
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.experiment import Experiment
from sl_dagster.identity import fingerprint
from sl_dagster.method.commentary import Cut
from sl_dagster.method.instructions import instruction_drop_reason, instruction_in
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.stored_stage import StoredStage

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
        rules = {} if experiment.filter.preset == "reference" else {"rules": _RULES}
        return [
            settings | {"count": self.count} | rules,
            sampling_identity(experiment.sampling_of("instructions")),
            [prompts[name].model_dump(include=set(_PROMPTS)) for name in experiment.languages],
            self.heldout,
        ]

    @cached_property
    def sources(self) -> list[StoredStage]:
        earlier = earlier_instructions(self.run, range(1, self.run.iteration))
        return [self.run.stage("seeds"), *earlier]

    @property
    def count(self) -> int:
        return self.experiment.instructions.count

    @cached_property
    def pool(self) -> InstructionPool:
        """What examples are drawn from."""
        return InstructionPool(self.sources)

    @property
    def known_texts(self) -> list[str]:
        return self.pool.texts

    def slots(self) -> Iterator[Slot[list[Text]]]:
        """As many as instructions are wanted, the languages taking turns; each has its pool."""
        languages = self.experiment.languages
        pools = {language: self.pool.in_language(language) for language in languages}
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
        completion = await ask(Request(message, sampling, slot.seed(number), self.writer, turn))
        preset = self.experiment.filter.preset
        text, cut = instruction_in(completion.text, preset)
        reason = instruction_drop_reason(
            text,
            # What was cut off may have ended in mid-sentence.
            finish_reason="stop" if cut else completion.finish_reason,
            language=slot.language,
            may_name_length=preset == "reference",
        )
        reason = reason or self.reason_against(text)
        if not reason and not await self._suits(slot, number, text, ask):
            reason = "judged_no"
        parents = tuple(example.record_id for example in shown)
        return slot.judged(completion, text, reason, Cut(after=cut), parents=parents)

    async def _suits(self, slot: Slot, number: int, instruction: str, ask: Ask) -> bool:
        """Whether the model itself takes the instruction for one that asks for a long text."""
        prompts = self.experiment.prompts_by_language[slot.language]
        threshold = self.experiment.instructions.judge_threshold
        request = Request(
            prompts.judgement(instruction),
            self.experiment.sampling_of("instructions").model_copy(update=_JUDGEMENT),
            slot.seed(number, "judgement"),
            self.writer,
            choices=prompts.judge_answers,
            graded=threshold is not None,
        )
        answer = await ask(request)
        return prompts.approves(answer.text, answer.probability, threshold)

    def facts(self, stage: StoredStage) -> dict[str, Any]:
        return self.pool.variety_of(list(stage.records(Text)))
