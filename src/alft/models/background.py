"""An asynchronous stream as a plain iterator: its event loop runs in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


class _End:
    """Behind the last item: the error that ended the stream, if one did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def in_background(stream: Callable[[], AsyncGenerator[T, None]]) -> Iterator[T]:
    """Items of a stream while it goes on behind; works where an event loop runs already (a notebook).

    Leaving the iteration cancels the stream, and waits until it has cleaned up.
    """
    items: SimpleQueue[T | _End] = SimpleQueue()

    async def pump() -> None:
        try:
            async with aclosing(stream()) as source:
                async for item in source:
                    items.put(item)
        except BaseException as error:
            items.put(_End(error))
        else:
            items.put(_End())

    loop = asyncio.new_event_loop()
    task = loop.create_task(pump())

    def work() -> None:
        loop.run_until_complete(task)
        loop.run_until_complete(_settled())

    thread = Thread(target=work, daemon=True, name="endpoint")
    thread.start()
    try:
        while not isinstance(item := items.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
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
