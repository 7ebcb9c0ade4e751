"""`alft` as test_train_launched.py starts it in several processes, which tell their weights.

torchrun --standalone --nproc_per_node 2 train_launched.py HOW OUT train …        HOW: ddp, fsdp2
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from tests.training.divided import FSDP2, fsdp_on_cpu


def digest(model: Any) -> str:
    """sha256 of all weights."""
    found = hashlib.sha256()
    for weight in model.parameters():
        found.update(weight.detach().cpu().float().numpy().tobytes())
    return found.hexdigest()


def main() -> None:
    """Run `alft`; each process writes the digest of the model that it would save."""
    how, out, *arguments = sys.argv[1:]
    if how == "fsdp2":
        os.environ.update(FSDP2, FSDP_STATE_DICT_TYPE="FULL_STATE_DICT")
        fsdp_on_cpu()
    from alft.cli.main import main as alft
    from alft.training.execution import Execution

    save = Execution._save

    def told(self: Execution, trained: Any, tokenizer: Any) -> Any:
        Path(out, f"rank-{os.environ['RANK']}.txt").write_text(digest(trained))
        return save(self, trained, tokenizer)

    Execution._save = told  # type: ignore[method-assign]
    sys.argv = ["alft", *arguments]
    alft()


if __name__ == "__main__":
    main()
