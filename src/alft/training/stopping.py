"""Being asked to stop: Ctrl-C and SIGTERM end a run at the next step that can be resumed exactly."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CAUGHT = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Remembers the signal that asked to stop; None while nobody has."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._patient = False

    @contextmanager
    def patience(self) -> Iterator[None]:
        """While this lasts a request waits for whoever looks at it; else it interrupts at once."""
        self._patient = True
        try:
            yield
        finally:
            self._patient = False

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Take the first signal as a request; a second one ends the process at once, without saving."""
        if self.signal is not None:
            os._exit(128 + number)
        self.signal = number
        if not self._patient:
            raise KeyboardInterrupt
        told = "\nfinishing the step, then saving a checkpoint; once more to stop at once\n"
        os.write(2, told.encode())


@contextmanager
def listening() -> Iterator[StopRequest]:
    """Take Ctrl-C and SIGTERM as requests for as long as this lasts (in a main thread; others get no signals)."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    earlier = {number: signal.signal(number, request.receive) for number in CAUGHT}
    try:
        yield request
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
