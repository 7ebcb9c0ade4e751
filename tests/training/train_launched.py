"""`alft` as test_train_launched.py and benchmarks/launched.py start it in several processes on a CPU.

LAUNCHER train_launched.py OUT train …        each process writes its id and the digest of its weights into OUT

The environment that a launcher sets chooses DDP, FSDP or DeepSpeed. accelerate chooses no FSDP on a CPU and does
not tell DeepSpeed of the other processes there, and DeepSpeed divides no weights as small as these by default.
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from tests.training.divided import fsdp_on_cpu


def digest(model: Any) -> str:
    """sha256 of all weights."""
    found = hashlib.sha256()
    for weight in model.parameters():
        found.update(weight.detach().cpu().float().numpy().tobytes())
    return found.hexdigest()


def deepspeed_on_cpu() -> None:
    """Let DeepSpeed meet the other processes, and divide small weights too."""
    import deepspeed
    from accelerate.utils import DeepSpeedPlugin

    deepspeed.init_distributed("gloo")
    made = DeepSpeedPlugin.__post_init__

    def init(self: Any) -> None:
        made(self)
        self.hf_ds_config.config["zero_optimization"]["stage3_param_persistence_threshold"] = 0
        self.hf_ds_config.config["zero_allow_untested_optimizer"] = True

    DeepSpeedPlugin.__post_init__ = init  # type: ignore[method-assign]


def main() -> None:
    """Run `alft`; each process writes the digest of the model that it would save."""
    out, *arguments = sys.argv[1:]
    rank = os.environ.get("RANK", "alone")
    Path(out, f"pid-{rank}.txt").write_text(str(os.getpid()))
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        fsdp_on_cpu()
    if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
        deepspeed_on_cpu()
    from alft.cli.main import main as alft
    from alft.training.execution import Execution

    save = Execution._save

    def told(self: Execution, trained: Any) -> Any:
        Path(out, f"rank-{rank}.txt").write_text(digest(trained))
        return save(self, trained)

    Execution._save = told  # type: ignore[method-assign]
    sys.argv = ["alft", *arguments]
    alft()


if __name__ == "__main__":
    main()
