"""Models that write drafts for `alft.questions.paraphrase`: behind an endpoint, or in a directory."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from alft.completions import Completion
from alft.models.endpoint import Asking, Endpoint, Request
from alft.questions import Prompt

BATCH = 32  # prompts that a local model reads together; after each batch, its drafts are on disk


@dataclass
class EndpointWriter:
    """A model behind an OpenAI-compatible server. Raises EndpointError while it writes."""

    endpoint: Endpoint
    asking: Asking = field(default_factory=Asking)

    @property
    def identity(self) -> Mapping[str, Any]:
        """The model's name and the settings; not where it is served."""
        return {"model": self.endpoint.model, **asdict(self.asking)}

    def write(self, prompts: Mapping[str, str]) -> Iterator[tuple[str, Completion]]:
        """Drafts as the server replies."""
        for reply in self.endpoint.ask((Request(key, prompt) for key, prompt in prompts.items()), self.asking):
            refused = reply.refusal is not None
            yield reply.key, Completion(None, refusal=reply.refusal) if refused else reply.completions[0]


@dataclass
class LocalWriter:
    """A Hugging Face model of a directory, loaded when the first draft is asked for.

    `step` is called while a batch is written, with how many drafts of it are done and how many are left with them.
    """

    path: Path
    max_new_tokens: int = 256
    seed: int = 0
    step: Callable[[float, int], Any] = lambda done, of: None

    @property
    def identity(self) -> Mapping[str, Any]:
        """Where the model lies, when its weights were written, and the settings."""
        weights = [file.stat().st_mtime_ns for file in sorted(self.path.glob("*.safetensors"))]
        settings = {"max_new_tokens": self.max_new_tokens, "seed": self.seed}
        return {"model": str(self.path.resolve()), "weights": weights, **settings}

    def write(self, prompts: Mapping[str, str]) -> Iterator[tuple[str, Completion]]:
        """Drafts, a batch at a time."""
        from alft.models.local import Sampling, generate

        keys = list(prompts)
        for start in range(0, len(keys), BATCH):
            batch = keys[start : start + BATCH]
            texts: list[Prompt] = [prompts[key] for key in batch]
            sampling = Sampling(max_new_tokens=self.max_new_tokens, batch_size=BATCH, seed=self.seed + start)

            def within(share: float, many: int = len(batch), left: int = len(keys) - start) -> None:
                self.step(share * many, left)

            for key, (written,) in zip(batch, generate(*self._loaded, texts, sampling, within), strict=True):
                yield key, written

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from alft.config.schema import ModelConfig
        from alft.models.loading import load_model

        return load_model(ModelConfig(path=str(self.path)))
