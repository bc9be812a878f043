"""Checks, trains and asks the model of an experiment file: `use_base_model.py FILE FOLDER`."""

import asyncio
import sys
from pathlib import Path

from sl_dagster.errors import UserError
from sl_dagster.experiment import Sampling, load_experiment
from sl_dagster.jobs.preview.memory import memory_needed
from sl_dagster.method.prompts import Message
from sl_dagster.models.base_model import check_base_model
from sl_dagster.resources.adapters import Adapter, adapter_fingerprint
from sl_dagster.resources.engines import Request, open_engine
from sl_dagster.training.job import TrainingJob
from sl_dagster.training.train import train

experiment = load_experiment(Path(sys.argv[1]))
try:
    check_base_model(experiment.base_model, experiment.revision, experiment.chat)
    assert memory_needed(experiment).weights > 0
    folder = Path(sys.argv[2])
    job = TrainingJob(
        name="n",
        project="p",
        base_model=experiment.base_model,
        revision=experiment.revision,
        previous_adapter=None,
        training_set=folder / "records.parquet",
        output=folder / "adapter",
        training=experiment.training,
        seed=1,
    )
    train(job, pipes=None)
    adapter = Adapter("generator", adapter_fingerprint(job.output), str(job.output), 1)
    engine = open_engine(experiment.served)
    sampling = Sampling(temperature=0, max_tokens=3, stop=())
    question = Message(role="user", content="Write.")
    for one in (Adapter("generator", "base-1"), adapter):
        print(asyncio.run(engine.complete(Request(question, sampling, 1, one))).tokens)
    engine.close()
except UserError as error:
    print(error)
