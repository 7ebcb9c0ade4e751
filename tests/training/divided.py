"""Weights divided by FSDP2 or ZeRO-3: what test_train_launched.py and benchmarks/processes.py start.

torchrun --standalone --nproc_per_node 2 divided.py HOW MODEL OUT        HOW: fsdp2, zero2, zero3, ddp

On a CPU accelerate never chooses FSDP: it is made to here. DeepSpeed needs DS_ACCELERATOR=cpu there.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

FSDP2 = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
}


def zero(stage: int) -> dict[str, Any]:
    """DeepSpeed's settings. By its default threshold it would divide none of so small a model's weights."""
    return {
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "zero_allow_untested_optimizer": True,
        "zero_optimization": {
            "stage": stage,
            "stage3_param_persistence_threshold": 0,
            "stage3_gather_16bit_weights_on_model_save": True,
        },
    }


def fsdp_on_cpu() -> None:
    """Let accelerate choose FSDP on a CPU too, as it does on every other device."""
    import accelerate.state as state

    cpu, plain = state.DistributedType.MULTI_CPU, state.AcceleratorState.__init__

    def init(self: Any, *args: Any, **options: Any) -> None:
        plain(self, *args, **options)
        if self.distributed_type == cpu and options.get("fsdp_plugin") is not None:
            self.distributed_type = state.PartialState._shared_state["distributed_type"] = (
                state.DistributedType.FSDP
            )
            self.fsdp_plugin = options["fsdp_plugin"]

    state.AcceleratorState.__init__ = init  # type: ignore[method-assign]


def main() -> None:
    """Train under a watch, save, and write what this process knows."""
    how, model, out = sys.argv[1:]
    if how == "fsdp2":
        os.environ.update(FSDP2, FSDP_STATE_DICT_TYPE="SHARDED_STATE_DICT")  # the setting that wrote nothing
        fsdp_on_cpu()
    if how.startswith("zero"):
        import deepspeed

        deepspeed.init_distributed(
            "gloo"
        )  # accelerate leaves it to PyTorch on a CPU, and DeepSpeed sees one process
    from alft import collapse_watch
    from tests.training import several_processes

    several_processes.read_texts_as_keys()
    watch = collapse_watch(f"{out}/good", window=2, information_loss=1.0, unread=1.0)
    settings = {"deepspeed": zero(int(how[-1]))} if how.startswith("zero") else {}
    trainer = several_processes.make(
        model, f"{out}/checkpoints", 2, settings=settings, beta=0.0, callbacks=[watch]
    )
    trainer.train()
    weights = trainer.gathered()
    trainer.save_model(f"{out}/final")
    if weights is None:
        weights = trainer.model.state_dict()
    if trainer.accelerator.is_main_process:
        torch.save({name: each.detach().cpu() for name, each in weights.items()}, f"{out}/weights.pt")
    local = [
        list(each.to_local().shape) if hasattr(each, "to_local") else list(each.shape)
        for each in trainer.model.parameters()
    ]
    told = {
        "kept": [step for step, _ in watch.kept],
        "local": local,
        "type": str(trainer.accelerator.distributed_type),
    }
    Path(f"{out}/told-{trainer.accelerator.process_index}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
