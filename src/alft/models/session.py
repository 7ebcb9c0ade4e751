"""One asking of a server: many requests under way, each tried until it is answered, refused or hopeless."""

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from itertools import count
from json import JSONDecodeError
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, TypeVar, cast

from alft.answers import completion_text
from alft.completions import Completion
from alft.errors import ConfigError, DataError, EndpointError, Problem
from alft.questions import Prompt
from alft.questions.model import as_chat

try:
    import openai
except ImportError as error:
    raise ConfigError(
        Problem("endpoint", "the package 'openai' is missing", "pip install alft[openai]")
    ) from error

from alft.models import failures
from alft.models.base import cut_off
from alft.models.failures import GarbledError, RefusedError, Verdict, judge
from alft.models.server import Asking, Reply, Request, Server

T = TypeVar("T")
logger = logging.getLogger(__name__)
FAILURES: Final = (openai.OpenAIError, GarbledError, JSONDecodeError, TimeoutError)
MOST_AT_ONCE: Final = 16  # samples in one request: more would take long, and be lost together
WARN_EVERY: Final = 30.0  # seconds
PROBE: Final = "1 + 1 = ?"
OPTIONAL: Final = ("seed", "top_p")  # some servers refuse them
REFUSALS: Final = 8  # with not one success before them: then PROBE tells whether it is the prompts


async def replies(endpoint: Server, requests: Iterable[Request], asking: Asking) -> AsyncGenerator[Reply, None]:
    """Replies of all requests as they come."""
    # openai's own retries count attempts; ours count seconds of patience, see garbled replies and give up on a
    # server that is gone after about 8 seconds, so theirs are off.
    client = openai.AsyncOpenAI(
        base_url=endpoint.base_url, api_key=endpoint.key() or "none", max_retries=0, timeout=endpoint.timeout
    )
    try:
        async with aclosing(_Session(endpoint, asking, client).run(iter(requests))) as source:
            async for reply in source:
                yield reply
    finally:
        await asyncio.shield(client.close())  # a cancellation must not leave connections half closed


@dataclass
class _Open:
    """A request whose samples are not all there yet, by sample; `closed` once it was refused, as replied."""

    request: Request
    samples: dict[int, Completion] = field(default_factory=dict)
    closed: bool = False


@dataclass(frozen=True)
class _Part:
    """`size` samples of a request, from the sample `first` on, to be asked for at once."""

    open: _Open
    first: int
    size: int


@dataclass
class _Session:
    endpoint: Server
    asking: Asking
    client: openai.AsyncOpenAI

    def __post_init__(self) -> None:
        self.at_once = MOST_AT_ONCE  # becomes 1 when the server turns out to ignore n
        self.limit_name = "max_tokens"
        self.left_out: set[str] = set()  # fields that the server does not take
        self.refused: list[Exception] = []
        self.last_success: float | None = None
        self.warned = -WARN_EVERY
        self.unheard: set[int] = set()  # parts under way of which nothing came back yet
        self.waiting: deque[_Part] = deque()

    async def run(self, requests: Iterator[Request]) -> AsyncGenerator[Reply, None]:
        running: dict[asyncio.Task[list[Completion]], _Part] = {}
        try:
            while True:
                while len(running) < self.endpoint.concurrency and (part := self._next(requests)) is not None:
                    running[asyncio.create_task(self._answer(part))] = part
                if not running:
                    break
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(done, key=lambda task: task.exception() is not None):
                    if (reply := self._taken(task, running.pop(task))) is not None:
                        yield reply
            if self.refused:
                await self._blame_prompts(self.refused[-1])
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _next(self, requests: Iterator[Request]) -> _Part | None:
        if not self.waiting:
            request = next(requests, None)
            if request is None:
                return None
            self._wait_for(_Open(request), range(self.asking.samples))
        return self.waiting.popleft()

    def _wait_for(self, open: _Open, samples: range) -> None:
        for first in samples[:: self.at_once]:
            self.waiting.append(_Part(open, first, min(self.at_once, samples.stop - first)))

    def _taken(self, task: asyncio.Task[list[Completion]], part: _Part) -> Reply | None:
        """The reply that a part completes, if it does; raises what must end the asking."""
        open, request = part.open, part.open.request
        try:
            samples = task.result()
        except RefusedError as refused:
            if open.closed:
                return None
            open.closed = True
            self.waiting = deque(other for other in self.waiting if other.open is not open)
            return Reply(request.key, refusal=str(refused))
        if open.closed:
            return None
        open.samples |= dict(zip(range(part.first, part.first + part.size), samples, strict=False))
        if len(samples) < part.size:
            self.at_once = 1
            self._wait_for(open, range(part.first + len(samples), part.first + part.size))
        if len(open.samples) < self.asking.samples:
            return None
        return Reply(request.key, tuple(open.samples[place] for place in sorted(open.samples)))

    async def _answer(self, part: _Part) -> list[Completion]:
        """At least one sample of a part, after as many tries as patience allows; none of a closed request."""
        began = time.monotonic()
        alone = False
        self.unheard.add(id(part))
        for attempt in count():
            if part.open.closed:
                return []
            fields = self._fields(part, alone)
            try:
                samples = await self._send(part.open.request.prompt, fields)
            except FAILURES as error:
                self.unheard.discard(id(part))
                if self._adapted(error, fields):
                    continue
                if judge(error) is Verdict.REFUSED and "n" in fields:
                    alone = True  # the server may not take n; `_taken` remembers it if that was the reason
                    continue
                if judge(error) is Verdict.REFUSED and len(self.refused) + 1 >= REFUSALS:
                    await self._blame_prompts(error)
                await asyncio.sleep(self._pause(error, attempt, began))
            else:
                self.last_success, self.endpoint.answered = time.monotonic(), True
                return samples[: part.size]
        raise AssertionError("counting never ends")

    def _adapted(self, error: Exception, fields: dict[str, Any]) -> bool:
        """Whether the request was refused for a field: it has another name from now on, or is left out."""
        if judge(error) is not Verdict.REFUSED:
            return False
        if "max_completion_tokens" in str(error) and "max_tokens" in fields:
            self.limit_name = "max_completion_tokens"
            return True
        name = next((one for one in OPTIONAL if one in fields and re.search(rf"\b{one}\b", str(error))), "")
        if name and name not in self.left_out and self.last_success is None:
            what = failures.message_of(error, self.endpoint.key())
            logger.warning("endpoint %s: %s; asked without %s", self.endpoint.base_url, what, name)
            self.left_out.add(name)
        return name in self.left_out

    async def _blame_prompts(self, error: Exception) -> None:
        """Raise unless the server takes other prompts than those it refused: any so far, or else PROBE."""
        if self.last_success is not None:
            return
        try:
            await self._send(PROBE, self._fields(_Part(_Open(Request(PROBE, PROBE)), 0, 1)))
        except FAILURES:
            raise self._stop(error) from None
        self.last_success = time.monotonic()

    def _pause(self, error: Exception, attempt: int, began: float) -> float:
        """Seconds until the next try; raises where there is none."""
        verdict, pause = judge(error), failures.wait(error, attempt)
        if verdict is Verdict.REFUSED:
            self.refused.append(error)
            raise RefusedError(failures.message_of(error, self.endpoint.key()))
        if verdict is Verdict.STOP or (failures.unreachable(error) and attempt + 1 >= failures.CONNECTIONS):
            raise self._stop(error)
        lost = not (self.endpoint.answered or self.unheard or failures.busy(error))
        if lost and attempt + 1 >= failures.CONNECTIONS:
            raise self._stop(error)
        if time.monotonic() - began + pause > self.endpoint.patience:
            if self.last_success is not None and self.last_success > began:
                raise RefusedError(f"after {attempt + 1} tries: {failures.message_of(error, self.endpoint.key())}")
            raise self._stop(error)
        if time.monotonic() - self.warned >= WARN_EVERY:
            self.warned = time.monotonic()
            what = failures.message_of(error, self.endpoint.key())
            logger.warning("endpoint %s: %s; retrying", self.endpoint.base_url, what)
        return pause

    def _stop(self, error: Exception) -> EndpointError:
        return failures.stop(error, self.endpoint.base_url, self.endpoint.model, self.endpoint.key())

    def _fields(self, part: _Part, alone: bool = False) -> dict[str, Any]:
        """Fields of the HTTP request for a part, but for its prompt; `alone`: for its first sample only."""
        asking = self.asking
        fields: dict[str, Any] = {
            "model": self.endpoint.model,
            self.limit_name: asking.max_tokens,
            "temperature": asking.temperature,
            "top_p": asking.top_p,
            "seed": asking.seed_of(part.open.request.key, part.first),
            "extra_body": dict(asking.extra) or None,
            **({"stop": list(asking.stop)} if asking.stop else {}),
        }
        if min(part.size, self.at_once) > 1 and not alone:
            fields["n"] = part.size
        return {name: value for name, value in fields.items() if name not in self.left_out}

    async def _send(self, prompt: Prompt, fields: dict[str, Any]) -> list[Completion]:
        if not (self.endpoint.chat or isinstance(prompt, str)):
            raise DataError(Problem("prompt", "messages, but the endpoint is asked for plain text", "use chat"))
        messages: Any = as_chat(prompt)
        try:
            async with asyncio.timeout(self.endpoint.timeout):  # the client's own is for each read
                if self.endpoint.chat:
                    return _read(await self.client.chat.completions.create(messages=messages, **fields))
                return _read(await self.client.completions.create(prompt=cast(str, prompt), **fields))
        except TimeoutError:
            raise TimeoutError(f"no whole reply within {self.endpoint.timeout:g} seconds") from None


def _read(response: Any) -> list[Completion]:
    choices = getattr(response, "choices", None)
    if not isinstance(choices, list) or not choices:
        if said := getattr(response, "error", None):
            raise openai.OpenAIError(str(said))
        raise GarbledError("the reply has no completions in it")
    found = []
    for choice in choices:
        message = getattr(choice, "message", None)
        text = getattr(choice, "text", None) if message is None else getattr(message, "content", None)
        text = completion_text([{"content": text}]) if isinstance(text, list) else text
        if text is not None and not isinstance(text, str):
            raise GarbledError("a completion of the reply is not text")
        text = text or getattr(message, "refusal", None) or ""  # what the model says instead, and no error
        found.append(Completion(text, cut_off(getattr(choice, "finish_reason", None))))
    return found


def in_background(stream: Callable[[], AsyncGenerator[T, None]]) -> Iterator[T]:
    """Items of a stream while it is being filled; works where an event loop runs already (a notebook).

    Leaving the iteration cancels the stream, and waits until it has cleaned up.
    """
    items: SimpleQueue[Any] = SimpleQueue()
    end = object()  # behind the last item

    async def pump() -> None:
        try:
            async with aclosing(stream()) as source:
                async for item in source:
                    items.put(item)
        finally:
            items.put(end)

    loop = asyncio.new_event_loop()
    task = loop.create_task(pump())

    def work() -> None:
        with suppress(BaseException):  # what ended the stream is raised where it is read
            loop.run_until_complete(task)
        loop.run_until_complete(_settled())

    thread = Thread(target=work, daemon=True, name="endpoint")
    thread.start()
    try:
        while (item := items.get()) is not end:
            yield item
        thread.join()
        task.result()
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()


async def _settled() -> None:
    """Let what is still cleaning up come to its end; closed connections need one more turn of the loop."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)
