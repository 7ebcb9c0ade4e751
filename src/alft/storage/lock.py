"""One process a run directory: a lock that the system lets go of when its process dies, however it dies."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from alft.errors import Problem, RunLockedError

try:
    import fcntl
except ImportError:  # Windows has no fcntl, and then there is no lock
    fcntl = None

LOCK = ".lock"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a run directory, which must exist.

    The lock is the system's (`fcntl`), so that a dead process holds none; the file says who holds it.
    Raises RunLockedError with host and process id if another live process does.
    """
    path = directory / LOCK
    with _hold(path) as file:
        file.truncate(0)
        file.write(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}))
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _hold(path: Path) -> IO[str]:
    """The lock file, locked; opened again if its last holder removed it in between."""
    while True:
        file = path.open("a+", encoding="utf-8")
        if not _taken(file):
            holder = _holder(file)
            file.close()
            raise RunLockedError(Problem(str(path.parent), f"a run is going on there ({holder})", "wait for it"))
        if path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino:
            return file
        file.close()


def _taken(file: IO[str]) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN)  # else: a file system without locks
    return True


def _holder(file: IO[str]) -> str:
    try:
        file.seek(0)
        told = json.loads(file.read())
        return f"process {told['pid']} on {told['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
