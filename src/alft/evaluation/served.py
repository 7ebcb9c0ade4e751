"""A model behind an OpenAI-compatible endpoint, as a backend of sampling and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alft.endpoint import Asking, Endpoint, Request
from alft.evaluation.asking import Progress, Sampling
from alft.evaluation.records import Generated
from alft.questions import Prompt


@dataclass(frozen=True)
class ServedModel:
    """The model of an endpoint. What a server does with a seed, and which revision it serves, only it knows."""

    endpoint: Endpoint

    def identity(self) -> dict[str, Any]:
        """Where the model is served, and under which name."""
        return {
            "backend": "endpoint",
            "model": self.endpoint.model,
            "url": self.endpoint.base_url,
            "chat": self.endpoint.chat,
            "revision": None,
            "digest": None,
        }

    def complete(
        self, prompts: Sequence[Prompt], sampling: Sampling, progress: Progress | None = None
    ) -> list[list[Generated]]:
        """Completions with axes (prompt, sample); those of a prompt that the server refused are empty and say why.

        Raises EndpointError where going on is no use.
        """
        samples = 1 if sampling.greedy else sampling.samples
        temperature = 0.0 if sampling.greedy else 1.0
        asking = Asking(samples, sampling.max_new_tokens, temperature, seed=sampling.seed)
        told: dict[int, list[Generated]] = {}
        requests = (Request(str(index), prompt) for index, prompt in enumerate(prompts))
        for done, reply in enumerate(self.endpoint.ask(requests, asking), start=1):
            refused = [Generated("", refusal=reply.refusal)] * samples
            told[int(reply.key)] = refused if reply.refusal is not None else list(reply.completions)
            if progress is not None:
                progress(done / len(prompts))
        return [told[index] for index in range(len(prompts))]
