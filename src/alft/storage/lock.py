"""One process per run directory: the system releases the lock when its process dies, however it dies."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from alft.errors import Problem, RunLockedError

LOCK = ".lock"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a run directory, which must exist; the lock file names the process that holds it.

    Raises RunLockedError with host and process id if another live process holds it.
    """
    path = directory / LOCK
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(path, blocking=False))
        except Timeout:
            told = f"another run is using this directory ({_holder(path)})"
            raise RunLockedError(Problem(str(directory), told, "wait until it ends, or stop it")) from None
        except OSError:
            pass  # a file system without locks: the run proceeds without one
        path.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}), encoding="utf-8")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
