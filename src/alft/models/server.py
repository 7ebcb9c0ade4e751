"""What a session needs to know: the server, the requests, and the shape of a reply."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from alft.completions import Completion
from alft.errors import ConfigError, Problem
from alft.questions import Prompt

KEY_VARIABLE = "ALFT_API_KEY"
OPENAI_HOST = "api.openai.com"


@dataclass(frozen=True)
class Asking:
    """How completions are drawn: `samples` of each prompt, from the model's own distribution (theory.md 4.3).

    `extra` are more fields of the request, for what a server cuts off unless it is asked not to: `{"top_k": -1}`
    for vLLM where the model's generation_config says otherwise. Seeds make requests differ; few promise more.
    """

    samples: int = 1
    max_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
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
class Server:
    """Where requests go and how patiently; `alft.models.endpoint.Endpoint` sends them."""

    base_url: str
    model: str
    chat: bool = True
    concurrency: int = 16
    timeout: float = 120.0
    patience: float = 300.0
    answered: bool = field(default=False, init=False, compare=False, repr=False)  # whether it ever did

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url.strip())
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ConfigError(Problem("endpoint", f"'{self.base_url}' is no URL", "like http://127.0.0.1:8000/v1"))
        if url.username is not None or url.password is not None or url.query:
            what = "the URL holds a user name, a password or a query, which would be written to files"
            raise ConfigError(Problem("endpoint", what, f"set {KEY_VARIABLE} in the environment"))
        self.base_url = f"{url.scheme}://{url.netloc}{url.path.rstrip('/') or '/v1'}"
        numbers = {"concurrency": self.concurrency, "timeout": self.timeout, "patience": self.patience}
        if wrong := [name for name, value in numbers.items() if not value > 0]:
            raise ConfigError([Problem(f"endpoint.{name}", "must be more than 0") for name in wrong])

    def key(self) -> str | None:
        """The key that the server gets, from the environment; None where there is none."""
        found = os.environ.get(KEY_VARIABLE)
        if not found and urlsplit(self.base_url).hostname == OPENAI_HOST:
            found = os.environ.get("OPENAI_API_KEY")
        return found or None
