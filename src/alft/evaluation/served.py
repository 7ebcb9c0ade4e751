"""A model behind an OpenAI-compatible endpoint, as a backend of sampling and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alft.endpoint import Asking, Endpoint, Request
from alft.errors import EndpointError, Problem
from alft.evaluation.asking import Progress, Sampling
from alft.evaluation.records import Generated
from alft.evaluation.text import short
from alft.questions import Prompt

SHOWN = 5
PROMPT_WIDTH = 60


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
        """Completions with axes (prompt, sample). Raises EndpointError if the server refused any prompt."""
        samples = 1 if sampling.greedy else sampling.samples
        temperature = 0.0 if sampling.greedy else 1.0
        asking = Asking(samples, sampling.max_new_tokens, temperature, seed=sampling.seed)
        told: dict[int, list[Generated]] = {}
        refused: dict[int, str] = {}
        requests = (Request(str(index), prompt) for index, prompt in enumerate(prompts))
        for done, reply in enumerate(self.endpoint.ask(requests, asking), start=1):
            told[int(reply.key)] = list(reply.completions)
            if reply.refusal is not None:
                refused[int(reply.key)] = reply.refusal
            if progress is not None:
                progress(done / len(prompts))
        if refused:
            raise EndpointError(_problems(prompts, refused))
        return [told[index] for index in range(len(prompts))]


def _problems(prompts: Sequence[Prompt], refused: dict[int, str]) -> list[Problem]:
    shown = [
        Problem(f"prompt {short(str(prompts[index]), PROMPT_WIDTH)!r}", why, "mend the question, or take it out")
        for index, why in sorted(refused.items())[:SHOWN]
    ]
    more = len(refused) - len(shown)
    return [*shown, Problem("endpoint", f"refused {more} more prompts")] if more else shown
