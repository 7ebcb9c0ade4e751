"""A model behind an OpenAI-compatible server, asked for completions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alft.completions import STOP, Completion, cut
from alft.models.base import Progress, Sampled, Sampling
from alft.models.server import Asking, Reply, Request, Server
from alft.questions import Prompt


class Endpoint(Server):
    """A model behind an OpenAI-compatible server, asked several things at once.

    `base_url` is that of the API (`http://127.0.0.1:8000/v1`; a bare host gets `/v1`). With `chat`, a text prompt
    is a user message; without, it is sent to `/completions` as it stands. At most `concurrency` requests are under
    way; each has `timeout` seconds, and failures that may pass (429, 5xx, timeouts) are tried again for `patience`
    seconds, after the server's Retry-After where it says one.

    The key comes from the environment alone: ALFT_API_KEY, or for api.openai.com also OPENAI_API_KEY.
    Raises ConfigError for a URL that can't be one, or that holds a secret.
    """

    def ask(self, requests: Iterable[Request], asking: Asking | None = None) -> Iterator[Reply]:
        """Replies as they come, in no fixed order; stopping the iteration cancels what is under way.

        A request that the server refuses gives a Reply that says why. Raises EndpointError where another one is
        of no use: nothing listens, the key or the model is wrong, or the server failed for `patience` seconds.
        """
        # needs the extra: an error before the first request
        from alft.models.session import in_background, replies

        return in_background(lambda: replies(self, requests, asking or Asking()))


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

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling, progress: Progress | None = None) -> Sampled:
        """Completions with axes (prompt, sample); those of a prompt that the server refused are empty and say why.

        Raises EndpointError where another request is of no use.
        """
        samples = 1 if sampling.greedy else sampling.samples
        temperature = 0.0 if sampling.greedy else 1.0
        stop = (() if self.endpoint.chat else STOP) if sampling.stop is None else tuple(sampling.stop)
        asking = Asking(samples, sampling.max_new_tokens, temperature, seed=sampling.seed, stop=stop)
        found: dict[int, list[Completion]] = {}
        requests = (Request(str(index), prompt) for index, prompt in enumerate(prompts))
        for done, reply in enumerate(self.endpoint.ask(requests, asking), start=1):
            found[int(reply.key)] = [_stopped(one, stop) for one in reply.completions]
            if reply.refusal is not None:
                found[int(reply.key)] = [Completion("", refusal=reply.refusal)] * samples
            if progress is not None:
                progress(done / len(prompts))
        return [found[index] for index in range(len(prompts))]


def _stopped(completion: Completion, stop: Sequence[str]) -> Completion:
    text = cut(completion.full_text, stop)
    return completion if text == completion.text else replace(completion, text=text, truncated=False)
