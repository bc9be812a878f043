"""The section that names the quality judge."""

from typing import Annotated

from pydantic import AfterValidator, Field

from sl_dagster.experiment.base import Positive, Settings, Temperature, Word, existing_model
from sl_dagster.experiment.chat import Chat, TemplateVariables
from sl_dagster.experiment.engines import EngineSettings, TransformersSettings
from sl_dagster.experiment.sections import Sampling
from sl_dagster.experiment.served import ServedModel

_JUDGEMENT_TOKENS = 256  # of which a model that sets it out prettily needs about 100


class JudgeSettings(Settings):
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

    model: Annotated[Word, AfterValidator(existing_model)]
    revision: Word = "main"
    engine: EngineSettings = TransformersSettings()
    system_prompt: Word | None = None
    chat_template_kwargs: TemplateVariables = Field(default={})
    temperature: Temperature = 1.0
    samples: Positive = 3
    tries: Positive = 3

    def served(self, name: str) -> ServedModel:
        """The judge as its engine is to serve it, under this name."""
        engine = self.engine
        if not isinstance(engine, TransformersSettings):
            # A judgement is too short to go round in circles, and few endpoints know how to find
            # out.
            engine = engine.model_copy(update={"repetition_detection": None})
        # Nothing but what every OpenAI-compatible endpoint knows.
        sampling = Sampling(
            temperature=self.temperature,
            top_p=1,
            top_k=0,
            repetition_penalty=1,
            max_tokens=_JUDGEMENT_TOKENS,
            stop=(),
        )
        return ServedModel(
            name=name,
            model=self.model,
            revision=self.revision,
            engine=engine,
            chat=Chat(system_prompt=self.system_prompt, template_kwargs=self.chat_template_kwargs),
            samplings=(sampling,),
            forms=("json_schema",),
        )
