"""The ``transformers`` engine: generation in this process, on a CPU or one GPU.

It needs no server and runs anywhere. A thread of its own owns the model and serves the requests
that wait, adapter by adapter, so that one copy of the base model serves every role.
"""

import asyncio
import bisect
import gc
import queue
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import llguidance
import torch
from llguidance.hf import from_tokenizer
from transformers.utils import logging as transformers_logging

from sl_dagster.errors import UserError
from sl_dagster.experiment import ServedModel, TransformersSettings
from sl_dagster.experiment.chat import stop_tokens
from sl_dagster.method.thoughts import without_thoughts
from sl_dagster.models.base_model import load_model, load_tokenizer
from sl_dagster.models.memory import is_short_of_memory, short_of_memory
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines.decoding import DecodingBatch, Row
from sl_dagster.resources.engines.protocol import Completion, Engine, Request

_LESS_MEMORY = (
    "lower engine.batch_size or engine.batch_tokens, or max_tokens in the sampling, or take a "
    "smaller model. What is finished is in the journal, so running again continues"
)


@dataclass
class _Job:
    """A request on its way: who waits for the answer, and its row once the prompt is tokenised."""

    request: Request
    answer: "Future[Completion]"
    row: Row | None = None


class TransformersEngine(Engine):
    """See ``Engine``; settings are ``served.engine``."""

    def __init__(self, served: ServedModel, settings: TransformersSettings) -> None:
        super().__init__()
        self._served = served
        self._settings = settings
        self._loaded: _LoadedModel | None = None
        self._inbox: queue.Queue[_Job | None] = queue.Queue()  # None: close
        self._waiting: list[_Job] = []
        self._closing = False
        self._in_use = threading.Lock()  # held while the model works, and while it is released
        self._thread: threading.Thread | None = None

    @property
    def concurrency(self) -> int:
        # Half as many again wait, so that a row that ends is replaced at once.
        return self._settings.batch_size * 3 // 2

    @property
    def gpus(self) -> int:
        return int(_device(self._settings) == "cuda")

    async def complete(self, request: Request) -> Completion:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)
            self._thread.start()
        job = _Job(request, Future())
        self._inbox.put(job)
        return await asyncio.wrap_future(job.answer)

    def release(self) -> None:
        with self._in_use:
            self._loaded = None
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def close(self) -> None:
        if self._thread is not None:
            self._inbox.put(None)
            self._thread.join()
        self.release()

    def _serve(self) -> None:
        while not self._closing:
            self._collect(wait=not self._waiting)
            if self._waiting:
                with self._in_use:
                    self._serve_adapter(self._waiting[0].request.adapter)

    def _serve_adapter(self, adapter: Adapter) -> None:
        """Generate all that waits for one adapter, and what arrives for it meanwhile."""
        running: dict[int, _Job] = {}
        try:
            if self._loaded is None:
                self._loaded = _LoadedModel(self._served, self._settings)
            model = self._loaded
            batch = model.batch_for(adapter)
            while not self._closing:
                self._collect(wait=False)
                finished = self._admit(model, batch, adapter, running)
                if batch.rows:
                    finished += batch.step()
                elif not finished:
                    return
                for row in finished:
                    running.pop(id(row)).answer.set_result(model.completion(row))
            raise asyncio.CancelledError
        except BaseException as error:
            self._loaded = None
            if is_short_of_memory(error):
                error = short_of_memory(_LESS_MEMORY, error)
            for job in [*running.values(), *self._waiting]:
                job.answer.set_exception(error)
            self._waiting.clear()

    def _collect(self, wait: bool) -> None:
        """Take what has arrived; wait for something to arrive if asked to."""
        try:
            while True:
                job = self._inbox.get(block=wait)
                wait = False
                if job is None:
                    self._closing = True
                elif job.answer.set_running_or_notify_cancel():
                    self._waiting.append(job)
        except queue.Empty:
            return

    def _admit(
        self,
        model: "_LoadedModel",
        batch: DecodingBatch,
        adapter: Adapter,
        running: dict[int, _Job],
    ) -> list[Row]:
        """Let rows join the batch as far as its bounds allow; returns those already done."""
        # Reading many prompts at once is faster, so joining waits until a good part has left.
        if len(batch.rows) > self._settings.batch_size * 3 // 4:
            return []
        ready: list[tuple[Row, _Job]] = []
        for job in self._waiting:
            if job.request.adapter == adapter:
                job.row = job.row or model.row(job.request)
                ready.append((job.row, job))
        ready.sort(key=lambda pair: pair[0].reserved_tokens)
        longest = max((row.reserved_tokens for row in batch.rows), default=0)
        joining: list[Row] = []
        for row, job in ready[: self._settings.batch_size - len(batch.rows)]:
            longest = max(longest, row.reserved_tokens)
            rows = len(batch.rows) + len(joining) + 1
            if rows > 1 and rows * longest > self._settings.batch_tokens:
                break
            joining.append(row)
            running[id(row)] = job
            self._waiting.remove(job)
        return batch.join(joining) if joining else []


def _device(settings: TransformersSettings) -> str:
    if settings.device != "auto":
        return settings.device
    return "cuda" if torch.cuda.is_available() else "cpu"


class _LoadedModel:
    """The base model with its tokenizer, and the adapters loaded beside it."""

    def __init__(self, served: ServedModel, settings: TransformersSettings) -> None:
        device = _device(settings)
        dtype = settings.dtype
        if dtype == "auto":
            dtype = "bfloat16" if device == "cuda" else "float32"
        transformers_logging.disable_progress_bar()
        name, revision = served.model, served.revision
        self.tokenizer = load_tokenizer(name, revision)
        model = load_model(name, revision, dtype=getattr(torch, dtype))
        self._name = name
        self._model: Any = model.to(device).eval()
        self._adapters: set[str] = set()
        text = model.config.get_text_config(decoder=True)
        self._max_length: int = getattr(text, "max_position_embeddings", 1 << 20)
        self._chat = served.chat
        self._end_tokens = stop_tokens(model.generation_config, self.tokenizer)
        if served.lora_rank:
            self._chat.check(self.tokenizer, self._end_tokens)
        self._thought_marks = self._chat.thought_marks(self.tokenizer)

    def batch_for(self, adapter: Adapter) -> DecodingBatch:
        """An empty batch of the model with this adapter switched on, or with none."""
        if adapter.path is None:
            if self._adapters:
                self._model.base_model.disable_adapter_layers()
        else:
            self._switch_on(adapter)
        pad = self.tokenizer.pad_token_id
        return DecodingBatch(self._model, self._end_tokens, 0 if pad is None else pad)

    def row(self, request: Request) -> Row:
        """The request with its prompt rendered by the chat template and turned into tokens."""
        prompt = self._chat.prompt(self.tokenizer, request.message, begun=request.begun)
        ids = self.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        room = max(1, self._max_length - len(ids))
        sampling = request.limited_to(room).sampling
        stopped = _stop_check(self.tokenizer, sampling.stop)
        choices = [
            [*self.tokenizer(choice, add_special_tokens=False)["input_ids"], end]
            for choice in request.choices
            for end in self._end_tokens
        ]
        draw = random.Random(request.seed)
        grammar = self._grammar(request.json_schema) if request.json_schema else None
        probability = 1.0 if choices and request.graded else None
        return Row(ids, sampling, draw, stopped, choices, probability, grammar)

    def completion(self, row: Row) -> Completion:
        """What a finished row has written."""
        assert row.finish_reason is not None
        text = self.tokenizer.decode(self._answer(row.generated), skip_special_tokens=True)
        for stop in row.sampling.stop:
            text = text.partition(stop)[0]
        whole = row.finish_reason == "stop"
        return Completion(
            text,
            tokens=len(row.generated),
            prompt_tokens=len(row.prompt),
            finish_reason=row.finish_reason,
            probability=row.probability if whole else None,
        )

    def _answer(self, generated: list[int]) -> list[int]:
        """The tokens that follow the model's thoughts, if it had any."""

        def visible(begin: int) -> str:
            # The marks of thoughts may be special tokens.
            return str(self.tokenizer.decode(generated[begin:], skip_special_tokens=False))

        answer = without_thoughts(visible(0), self._thought_marks)
        if len(answer) == len(visible(0)):
            return generated
        begins = range(len(generated) + 1)
        first = bisect.bisect_left(begins, -len(answer), key=lambda begin: -len(visible(begin)))
        return generated[first:]

    def _grammar(self, schema: dict[str, Any]) -> llguidance.LLMatcher:
        """What may be written where a JSON text of this schema is due, without white space."""
        compact: Any = {"whitespace_flexible": False}
        grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, overrides=compact)
        return llguidance.LLMatcher(self._guidance_tokenizer, grammar)

    @cached_property
    def _guidance_tokenizer(self) -> llguidance.LLTokenizer:
        # As many tokens as there are logits, which can be more than the tokenizer has.
        size = self._model.get_input_embeddings().num_embeddings
        try:
            return from_tokenizer(self.tokenizer, n_vocab=size, eos_token=sorted(self._end_tokens))
        except ValueError as error:
            raise UserError(
                f"engine: the transformers engine cannot hold the model {self._name} to a form of "
                f"answer ({error}): use the vllm engine for it"
            ) from error

    def _switch_on(self, adapter: Adapter) -> None:
        from peft import PeftModel

        name = adapter.fingerprint
        path = adapter.verified().path
        assert path
        if not self._adapters:
            self._model = PeftModel.from_pretrained(self._model, path, adapter_name=name).eval()
        elif name not in self._adapters:
            self._model.load_adapter(path, adapter_name=name)
        self._adapters.add(name)
        self._model.base_model.enable_adapter_layers()
        self._model.set_adapter(name)
        self._model.eval()


def _stop_check(tokenizer: Any, stops: tuple[str, ...]) -> Callable[[list[int]], bool]:
    """Whether one of the stop strings stands at the end of the ids generated so far."""
    # A stop string can be spread over at most as many tokens as it has bytes.
    reach = max((len(stop.encode()) for stop in stops), default=0) + 1

    def is_stopped(generated: list[int]) -> bool:
        if not stops:
            return False
        tail = tokenizer.decode(generated[-reach:], skip_special_tokens=True)
        return any(stop in tail for stop in stops)

    return is_stopped
