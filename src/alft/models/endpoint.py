"""Where a model is served, what it is asked, and what it replies."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from alft.completions import Completion
from alft.errors import ConfigError, Problem
from alft.models.background import in_background
from alft.models.base import Progress, Sampling
from alft.questions import Prompt

KEY_VARIABLE = "ALFT_API_KEY"
OPENAI_HOST = "api.openai.com"


@dataclass(frozen=True)
class Asking:
    """How completions are drawn: `samples` of each prompt, from the model's own distribution (theory.md 4.3).

    `extra` are more fields of the request, for what a server cuts off unless it is told not to: `{"top_k": -1}`
    for vLLM where the model's generation_config says otherwise. Seeds make requests differ; few promise more.
    """

    samples: int = 1
    max_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)

    def seed_of(self, key: str, sample: int) -> int:
        """Seed of one sample: different for all samples of all keys, and the same in every run.

        >>> Asking(seed=1).seed_of("q", 0) == Asking(seed=1).seed_of("q", 0) != Asking(seed=1).seed_of("q", 1)
        True
        """
        content = json.dumps([self.seed, key, sample]).encode()
        return int.from_bytes(hashlib.sha256(content).digest()[:4]) >> 1


@dataclass(frozen=True)
class Request:
    """A prompt, text or chat messages, under a `key` that names its reply and seeds its samples."""

    key: str
    prompt: Prompt


@dataclass(frozen=True)
class Reply:
    """All samples of a request in their order, or none and the reason why the server refused it."""

    key: str
    completions: tuple[Completion, ...] = ()
    refusal: str | None = None


@dataclass
class Traffic:
    """What was sent so far: HTTP `requests`, and how many of them were `retries` of a failed one."""

    requests: int = 0
    retries: int = 0


@dataclass
class Endpoint:
    """A model behind an OpenAI-compatible server, asked several things at once.

    `base_url` is that of the API (`http://127.0.0.1:8000/v1`; a bare host gets `/v1`). With `chat`, a text prompt
    is a user message; without, it is sent to `/completions` as it stands. At most `concurrency` requests are under
    way; each has `timeout` seconds, and failures that may pass (429, 5xx, timeouts) are tried again for `patience`
    seconds, after the server's Retry-After where it says one.

    The key comes from the environment alone: ALFT_API_KEY, or for api.openai.com also OPENAI_API_KEY.
    Raises ConfigError for a URL that can't be one, or that holds a secret.
    """

    base_url: str
    model: str
    chat: bool = True
    concurrency: int = 16
    timeout: float = 120.0
    patience: float = 300.0
    traffic: Traffic = field(default_factory=Traffic, init=False)

    def __post_init__(self) -> None:
        self.base_url = _checked(self.base_url)
        numbers = {"concurrency": self.concurrency, "timeout": self.timeout, "patience": self.patience}
        wrong = [name for name, value in numbers.items() if not value > 0]
        if wrong:
            raise ConfigError([Problem(f"endpoint.{name}", "must be more than 0") for name in wrong])

    def ask(self, requests: Iterable[Request], asking: Asking | None = None) -> Iterator[Reply]:
        """Replies as they come, in no fixed order; stopping the iteration cancels what is under way.

        A request that the server refuses gives a Reply that says why. Raises EndpointError where going on is no
        use: nothing listens, the key or the model is wrong, or the server failed for `patience` seconds.
        """
        from alft.models.session import replies  # needs the extra: an error before the first request

        return in_background(lambda: replies(self, requests, asking or Asking()))

    def key(self) -> str | None:
        """The key that the server gets, from the environment; None where there is none."""
        found = os.environ.get(KEY_VARIABLE)
        if not found and urlsplit(self.base_url).hostname == OPENAI_HOST:
            found = os.environ.get("OPENAI_API_KEY")
        return found or None


def _checked(url: str) -> str:
    """The URL without a slash at its end, and with `/v1` where it has no path."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(Problem("endpoint", f"'{url}' is no URL", "like http://127.0.0.1:8000/v1"))
    if parts.username is not None or parts.password is not None or parts.query:
        what = "the URL holds a user name, a password or a query, which would be written to files"
        raise ConfigError(Problem("endpoint", what, f"set {KEY_VARIABLE} in the environment"))
    path = parts.path.rstrip("/") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


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
    ) -> list[list[Completion]]:
        """Completions with axes (prompt, sample); those of a prompt that the server refused are empty and say why.

        Raises EndpointError where going on is no use.
        """
        samples = 1 if sampling.greedy else sampling.samples
        temperature = 0.0 if sampling.greedy else 1.0
        asking = Asking(samples, sampling.max_new_tokens, temperature, seed=sampling.seed)
        told: dict[int, list[Completion]] = {}
        requests = (Request(str(index), prompt) for index, prompt in enumerate(prompts))
        for done, reply in enumerate(self.endpoint.ask(requests, asking), start=1):
            refused = [Completion("", refusal=reply.refusal)] * samples
            told[int(reply.key)] = refused if reply.refusal is not None else list(reply.completions)
            if progress is not None:
                progress(done / len(prompts))
        return [told[index] for index in range(len(prompts))]
