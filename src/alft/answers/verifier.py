"""The program of the child process that asks math-verify; started by guarded.py.

It imports math-verify once, then forks a grandchild that answers. The kernel ends a grandchild over its time, and
another is forked, which takes milliseconds. Time is the grandchild's own CPU time, so that a busy machine does not
turn a right answer into a failed one; the clock on the wall is a backstop.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import sys
from typing import IO, Any

_NO_ALARM: Any = None  # math-verify's own timer would replace the kernel's; its signature forgets None
PATIENCE = 4  # wall seconds allowed per second of CPU time
MEMORY = 2 * 1024**3  # bytes of address space for a grandchild


def main() -> None:
    """Read (answer, gold, seconds) as JSON lines, write true, false or null (failed) for each."""
    replies = os.fdopen(os.dup(1), "w")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    try:
        _opinion("1/2", "0.5")  # the grammar's tables are built by the first parse,
        _opinion("(x+1)^2", "x^2+2x+1")  # and sympy's by the first formula
    except ImportError as error:
        _say(replies, {"error": str(error)})
        return
    _say(replies, {"ready": True})
    worker = _Worker()
    try:
        for line in sys.stdin:
            answer, gold, seconds = json.loads(line)
            _say(replies, worker.ask(answer, gold, seconds))
    finally:
        worker.kill()


class _Worker:
    """The grandchild and the two pipes to it; forked when it is needed."""

    def __init__(self) -> None:
        self._pid: int | None = None
        self._to: IO[str] | None = None
        self._from = -1

    def ask(self, answer: str, gold: str, seconds: float) -> bool | None:
        if self._to is None:
            self._fork()
        assert self._to is not None
        try:
            _say(self._to, [answer, gold, seconds])
            ready, _, _ = select.select([self._from], [], [], PATIENCE * seconds)
            reply = os.read(self._from, 16) if ready else b""
        except BrokenPipeError:
            reply = b""
        if reply not in (b"true\n", b"false\n"):
            self.kill()
            return None
        return reply == b"true\n"

    def kill(self) -> None:
        if self._pid is None or self._to is None:
            return
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._from)
        with contextlib.suppress(BrokenPipeError):  # what was buffered is for nobody now
            self._to.close()
        self._pid, self._to = None, None

    def _fork(self) -> None:
        requests_read, requests_write = os.pipe()
        replies_read, replies_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(requests_write)
            os.close(replies_read)
            _serve(os.fdopen(requests_read), os.fdopen(replies_write, "w"))
        os.close(requests_read)
        os.close(replies_write)
        self._pid, self._to, self._from = pid, os.fdopen(requests_write, "w"), replies_read


def _serve(requests: IO[str], replies: IO[str]) -> None:
    """The grandchild's life."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    try:
        for line in requests:
            answer, gold, seconds = json.loads(line)
            signal.setitimer(signal.ITIMER_PROF, seconds)
            signal.setitimer(signal.ITIMER_REAL, 2 * PATIENCE * seconds)
            reply = _opinion(answer, gold)
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            _say(replies, reply)
    finally:
        os._exit(0)


def _opinion(answer: str, gold: str) -> bool:
    """Whether math-verify takes `answer` for `gold`; what it can't parse is not."""
    from math_verify import parse, verify

    expected = parse(_formula(gold), parsing_timeout=_NO_ALARM)
    given = parse(_formula(answer), parsing_timeout=_NO_ALARM)
    return bool(expected and given and verify(expected, given, timeout_seconds=_NO_ALARM))


def _formula(text: str) -> str:
    return f"${text.strip().strip('$')}$"


def _say(stream: IO[str], value: object) -> None:
    stream.write(json.dumps(value) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
