"""What an endpoint that somebody else runs must be able to do, and how it is found out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import openai

from sl_dagster.errors import UserError
from sl_dagster.experiment import OpenAISettings, ServedModel
from sl_dagster.experiment.base import shortened
from sl_dagster.resources.engines.endpoint import Endpoint
from sl_dagster.resources.engines.endpoint_errors import PASSING_ERRORS, in_a_line
from sl_dagster.resources.engines.published_place import PublishedPlace

_STOP_STRINGS = 4  # which every endpoint takes
_TWO_RULES = {"choice": ["yes"], "regex": "yes"}  # only one is allowed
_NO_FORMAT = {"type": "nonsense"}


@dataclass(frozen=True)
class Examination:
    """What endpoints are examined for.

    Attributes:
        served: the model that they are to serve.
        settings: the engine's.
        place: where they find adapters by name; None if they are told to load them.
        say: takes a line for the log of the run.
    """

    served: ServedModel
    settings: OpenAISettings
    place: PublishedPlace | None
    say: Callable[[str], None]

    async def of(self, endpoint: Endpoint) -> None:
        """Refuse an endpoint that cannot do what will be asked for, naming the option.

        An endpoint that does not know a field ignores it, so it is asked for something impossible:
        who knows the field finds fault with it.
        """
        try:
            await self._check_model(endpoint)
            for option, advice, fields in self._needs():
                if not await endpoint.finds_fault_with(**fields):
                    raise UserError(f"{endpoint.url} does not know {option}: {advice}")
            count = self.served.stop_strings
            many = [f"stop {number}" for number in range(count)]
            if count > _STOP_STRINGS and await endpoint.finds_fault_with(stop=many):
                raise UserError(
                    f"{endpoint.url} does not take {count} stop strings: leave at most "
                    f"{_STOP_STRINGS - 1} in sampling.stop, for self-instruct adds one (a vLLM "
                    "server takes as many as VLLM_MAX_STOP_STRINGS says)"
                )
            if self.place:
                await self._check_place(endpoint, self.place)
            elif self.served.lora_rank and not await endpoint.can_load_adapters():
                raise UserError(
                    f"{endpoint.url} cannot load LoRA adapters while it runs: start vLLM with "
                    "--enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"
                )
            await self._check_forms(endpoint)
        except PASSING_ERRORS:
            raise
        except openai.OpenAIError as error:
            raise UserError(
                f"engine.base_urls: {endpoint.url} cannot be used: {in_a_line(error)}"
            ) from error

    async def _check_forms(self, endpoint: Endpoint) -> None:
        """Mention the forms of answers to which it cannot be held; other answers are dropped."""
        forms, url = self.served.forms, endpoint.url
        if "choices" in forms:
            endpoint.knows_choices = await endpoint.finds_fault_with(structured_outputs=_TWO_RULES)
            if not endpoint.knows_choices:
                self.say(
                    f"{url} does not know structured_outputs: where one of several "
                    "answers is asked for, as of the judge, it may say something else"
                )
        if "json_schema" in forms and not await endpoint.finds_fault_with(
            response_format=_NO_FORMAT
        ):
            self.say(
                f"{url} does not know response_format: the judge's answers may be "
                "something else than the JSON that is asked for; such answers are dropped"
            )

    async def _check_model(self, endpoint: Endpoint) -> None:
        name = self.settings.model or self.served.model
        served = await endpoint.models()
        if not served:
            raise UserError(
                f"{endpoint.url} serves no model at the moment: load {name} there, or set "
                "engine.model"
            )
        if name not in served:
            names = shortened(", ".join(served))
            raise UserError(f"{endpoint.url} serves {names}, not {name}: set engine.model")
        ours, root = self.served.model, served[name]
        if not root or root == ours:
            return
        if self.place:
            # vLLM's resolver compares the two strings, and does not say so.
            raise UserError(
                f"{endpoint.url} was started with the model {root}, and finds no adapters of "
                f"{ours}: start it with `--model {ours}`, or set base_model to {root}"
            )
        self.say(
            f"{endpoint.url} was started with the model {root}, and base_model is {ours}: see that "
            "this is the same model by another name"
        )

    async def _check_place(self, endpoint: Endpoint, place: PublishedPlace) -> None:
        """Refuse an endpoint that cannot write with what is published, by an adapter of zeros."""
        async with place.trial() as name:
            fault = await endpoint.fault_with_adapter(name)
        if fault:
            raise UserError(
                f"{endpoint.url} cannot use an adapter of {self.served.model} that is published "
                f"to {place.location} and asked for as {name} ({fault}): start vLLM with "
                f"--enable-lora, --max-lora-rank {self.served.lora_rank} or more, "
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, "
                "VLLM_PLUGINS=lora_filesystem_resolver,sl_dagster and "
                "VLLM_LORA_RESOLVER_CACHE_DIR (that folder, as its host sees it), or correct "
                "engine.adapters"
            )

    def _needs(self) -> list[tuple[str, str, dict[str, Any]]]:
        """The extensions that will be needed: name, what to do without, impossible value."""
        both: dict[str, Any] = {"continue_final_message": True, "add_generation_prompt": True}
        needs: list[tuple[str, str, dict[str, Any]]] = []
        if "begun" in self.served.forms:
            begun = "begun assistant turns (continue_final_message)"
            needs.append((begun, "use a vLLM endpoint", both))
        samplings = self.served.samplings
        if any(sampling.top_k for sampling in samplings):
            needs.append(("sampling.top_k", "set it to 0 everywhere", {"top_k": -7}))
        if any(sampling.repetition_penalty != 1 for sampling in samplings):
            penalty = {"repetition_penalty": -1.0}
            needs.append(("sampling.repetition_penalty", "set it to 1.0 everywhere", penalty))
        if self.served.chat.template_kwargs:
            kwargs = {"chat_template_kwargs": "none"}
            needs.append(("chat_template_kwargs", "use a vLLM endpoint", kwargs))
        if self.settings.repetition_detection:
            detection = {"repetition_detection": {"max_pattern_size": -1}}
            needs.append(("engine.repetition_detection", "set it to null", detection))
        return needs
