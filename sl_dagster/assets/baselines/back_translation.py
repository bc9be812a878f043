"""The baseline instruction back-translation (arXiv 2308.06259), in the place of self-instruct.

``documents`` are texts of the user's own; ``instructions`` are what the base model takes them for
answers to; and ``extended_responses`` are the documents that have got an instruction. The model's
judgement whether an instruction suits a long text is not asked for: its answer is there already.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, islice

import dagster as dg

from sl_dagster.assets.loop.instructions import heldout_instructions, reasons_against_duplicates
from sl_dagster.assets.stage.asset import key_of, stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.description import stage_result
from sl_dagster.assets.stage.run import base_model, begin, slots_from
from sl_dagster.experiment import Experiment
from sl_dagster.identity import fingerprint, seed_from
from sl_dagster.inputs.documents import read_documents
from sl_dagster.method.diversity import SimilarTexts
from sl_dagster.method.final_set import SeenPairs
from sl_dagster.method.instructions import duplicate_reason, instruction_drop_reason
from sl_dagster.method.selection import select_longest
from sl_dagster.resources.engines import Completion, Request
from sl_dagster.resources.records import Record
from sl_dagster.resources.stage_runner import Ask, Generation, Slot, StageRun, StageRunner
from sl_dagster.resources.storage.stage_store import StoredStage


def documents_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The user's documents as records."""

    @stage_asset(
        experiment,
        "documents",
        description="Documents of the user's own, without duplicates.",
        kinds={"json", "parquet"},
        partitioned=False,
    )
    def documents(
        context: dg.AssetExecutionContext, config: StageConfig, runner: StageRunner
    ) -> dg.MaterializeResult:
        files = experiment.documents
        digest, count = hashlib.sha256(), 0
        for document in read_documents(files):  # all of them are right before any is used
            digest.update(document.model_dump_json().encode())
            count += 1
        settings = [digest.hexdigest(), experiment.languages]
        run = begin(context, config, experiment, made_from=[], settings=settings)
        return stage_result(
            runner.write(run, _documents(run, experiment), count),
            more={"files": dg.MetadataValue.json([str(path) for path in files])},
        )

    return documents


def _documents(run: StageRun, experiment: Experiment) -> Iterator[Record]:
    seen = SeenPairs()
    for position, document in enumerate(read_documents(experiment.documents)):
        language = document.written_in
        reason = None if seen.add("", document.text) else "duplicate"
        if language not in experiment.languages:
            reason = "wrong_language"
        yield Record(
            record_id=fingerprint("document", run.key.experiment, position, document.text),
            experiment=run.key.experiment,
            iteration=0,
            stage=run.key.stage,
            position=position,
            language=language,
            text=document.text,
            kept=reason is None,
            drop_reason=reason,
        )


def back_translated_instructions_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The iteration's instructions as records, each made from one document."""

    @stage_asset(
        experiment,
        "instructions",
        description=(
            "Instructions by back-translation: the base model says what each document may be the "
            "answer to; near-duplicates are dropped."
        ),
        kinds={"huggingface", "parquet"},
        inputs=("documents",),
        # Not used, but an iteration must not begin before its starting point is there.
        deps=("previous_generator",),
        settings=(
            "instructions.count",
            "instructions.tries",
            "instructions.max_similarity",
            "instructions.sampling",
        ),
        on_gpu=True,
    )
    def instructions(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        documents: StoredStage,
    ) -> dg.MaterializeResult:
        changed = config.over(experiment)
        iteration = key_of(context).iteration
        assert iteration is not None
        return _back_translate(context, config, runner, changed, documents, iteration)

    return instructions


def _back_translate(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    runner: StageRunner,
    experiment: Experiment,
    documents: StoredStage,
    iteration: int,
) -> dg.MaterializeResult:
    settings, model = experiment.instructions, base_model(experiment)
    sampling = experiment.sampling_of("instructions")
    prompts = experiment.prompts_by_language
    heldout = heldout_instructions(experiment)
    known = SimilarTexts(sorted(heldout))
    run = begin(
        context,
        config,
        experiment,
        made_from=[documents, model],
        settings=[
            settings.model_dump(exclude={"pool"}),
            sampling.model_dump(),
            [prompts[language].back_translate for language in experiment.languages],
            sorted(heldout),
        ],
    )
    count = min(settings.count, len(documents))
    if count < len(documents):
        run.say(f"{count} of {len(documents)} documents: see instructions.count")

    async def attempt(slot: Slot, number: int, ask: Ask) -> Record:
        assert slot.source
        message = prompts[slot.blank.language].back_translation(str(slot.source.text))
        completion = await ask(Request(message, sampling, slot.seed(number), model))
        text = completion.text.strip()
        reason = "document_too_long" if _left_no_room(completion) else None
        reason = reason or instruction_drop_reason(
            text, finish_reason=completion.finish_reason, language=slot.blank.language
        )
        reason = reason or duplicate_reason(text, known, settings.max_similarity)
        return replace(
            slot.blank,
            text=text,
            tokens=completion.tokens,
            finish_reason=completion.finish_reason,
            kept=reason is None,
            drop_reason=reason,
        )

    generation = Generation(
        slots=lambda: slots_from(run, _turn(documents, count, iteration), 1, model),
        count=count,
        tries=settings.tries,
        attempt=attempt,
        choose=reasons_against_duplicates(settings.max_similarity),
    )
    stage = runner.generate(run, experiment.served, generation)
    more = {"documents_left_out": len(documents) - count}
    return stage_result(stage, [documents, model], more=more)


def _turn(documents: StoredStage, count: int, iteration: int) -> Iterator[Record]:
    """The documents whose turn it is: each iteration goes on where the one before stopped."""
    start = (iteration - 1) * count % len(documents)
    wanted = set(islice(cycle(range(len(documents))), start, start + count))
    return (one for place, one in enumerate(documents.records()) if place in wanted)


def _left_no_room(completion: Completion) -> bool:
    """Whether the prompt alone has filled what the model can read."""
    return completion.finish_reason == "length" and completion.tokens <= 1


def documents_as_responses_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """``extended_responses``: the documents, as answers to their instructions."""

    @stage_asset(
        experiment,
        "extended_responses",
        description=(
            "The documents that have got an instruction, in place of extended responses"
            + ("; the longer, the likelier selected." if experiment.length_selection else ".")
        ),
        kinds={"parquet"},
        inputs=("instructions", "documents"),
    )
    def extended_responses(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        instructions: StoredStage,
        documents: StoredStage,
    ) -> dg.MaterializeResult:
        selecting = experiment.length_selection
        made_from = [instructions, documents]
        run = begin(context, config, experiment, made_from=made_from, settings=[selecting])
        lengths = [document.characters for _, document in _answered(instructions, documents)]
        stays = (
            select_longest(lengths, seed_from(run.fingerprint, "selection"))
            if selecting
            else [True] * len(lengths)
        )
        records = _as_responses(run, instructions, documents, stays)
        return stage_result(runner.write(run, records, len(lengths)), made_from)

    return extended_responses


def _answered(instructions: StoredStage, documents: StoredStage) -> Iterator[tuple[Record, Record]]:
    """Each instruction with its document, one document in memory at a time."""
    by_document = {record.parents[0]: record for record in instructions.records()}
    for document in documents.records():
        if instruction := by_document.get(document.record_id):
            yield instruction, document


def _as_responses(
    run: StageRun, instructions: StoredStage, documents: StoredStage, stays: list[bool]
) -> Iterator[Record]:
    pairs = _answered(instructions, documents)
    sources = (instruction for instruction, _ in _answered(instructions, documents))
    slots = slots_from(run, sources, 1, None)
    for slot, (instruction, document), stay in zip(slots, pairs, stays, strict=True):
        yield replace(
            slot.blank,
            instruction=instruction.text,
            text=document.text,
            kept=stay,
            drop_reason=None if stay else "selection",
        )
