"""Completions that are kept on disk, so that runs of the same model and questions don't ask twice."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from alft.completions import Completion
from alft.models.base import Progress, Sampled, Sampling
from alft.models.local import LocalModel
from alft.questions import Prompt
from alft.storage.files import write_text

PACKAGES = ("alft", "torch", "transformers")


@dataclass(frozen=True)
class KeptModel:
    """A local model whose completions are kept in `folder`, one file for each request; it can be deleted any time.

    A file serves a request for the same completions of the same model, `digest`: the same prompts and settings,
    computed in the same precision and threads, by the same versions. A file that can't be read is written again.
    """

    model: LocalModel
    folder: Path
    digest: str

    def identity(self) -> dict[str, Any]:
        """That of the model."""
        return self.model.identity()

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling, progress: Progress | None = None) -> Sampled:
        """Completions with axes (prompt, sample), generated only if they are not kept."""
        path = self.folder / f"{self._request(prompts, sampling)}.json"
        if (kept := _read(path, len(prompts))) is not None:
            return kept
        found = self.model.complete(prompts, sampling, progress)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps([[(one.text, one.truncated) for one in each] for each in found]))
        return found

    def _request(self, prompts: Sequence[Prompt], sampling: Sampling) -> str:
        network, device = self.model.model, self.model.model.device.type
        asked = {
            "model": self.digest,
            "template": self.model.tokenizer.chat_template,
            "prompts": list(prompts),
            "sampling": asdict(sampling),
            "computed": (str(network.dtype), str(device), torch.is_autocast_enabled(device)),
            "threads": torch.get_num_threads(),
            "versions": {name: version(name) for name in PACKAGES},
        }
        return sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def _read(path: Path, prompts: int) -> list[list[Completion]] | None:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        found = [[Completion(str(text), bool(truncated)) for text, truncated in each] for each in rows]
    except (OSError, ValueError, TypeError):
        return None
    return found if len(found) == prompts else None
