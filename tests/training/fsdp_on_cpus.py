"""The training program with FSDP on CPUs, which PyTorch can do and accelerate does not ask it for.

Started as the program itself. Beside the adapter it notes how many weights were sharded.
"""

import sys
from pathlib import Path
from typing import Any

from accelerate import Accelerator, DistributedType
from accelerate.state import AcceleratorState, PartialState
from torch.distributed.tensor import DTensor

from sl_dagster.training.train import run

NOTE = "sharded.txt"


def with_fsdp(job_file: Path) -> None:
    """Train, the state of accelerate being what it would be on GPUs."""
    begin, gather = AcceleratorState.__init__, Accelerator.get_state_dict

    def with_fsdp(self: Any, *args: Any, fsdp_plugin: Any = None, **more: Any) -> None:
        begin(self, *args, fsdp_plugin=fsdp_plugin, **more)
        if fsdp_plugin:
            self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin
            PartialState._shared_state["distributed_type"] = DistributedType.FSDP

    def noting(self: Accelerator, model: Any, *args: Any, **more: Any) -> Any:
        if self.is_main_process:
            sharded = [isinstance(weight, DTensor) for weight in model.parameters()]
            note = f"{sum(sharded)} of {len(sharded)} on {self.num_processes}"
            job_file.with_name(NOTE).write_text(note)
        return gather(self, model, *args, **more)

    AcceleratorState.__init__ = with_fsdp
    Accelerator.get_state_dict = noting
    run(job_file)


if __name__ == "__main__":
    with_fsdp(Path(sys.argv[1]))
