"""A log that only grows, and knows its place: a resumed run goes back to where its checkpoint was made."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from alft.errors import CheckpointError, Problem

CHUNK = 1 << 22  # bytes read at once


class Journal:
    """One JSON object a line; every append reaches the system at once, `state_dict` the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab")
        self._bytes, self._digest = 0, hashlib.sha256()
        self._known = not path.stat().st_size  # whether the two are those of the file: it is read only when asked

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add records, which hold nothing that JSON has not."""
        self._know()
        lines = "".join(json.dumps(record, allow_nan=False) + "\n" for record in records).encode()
        self._file.write(lines)
        self._file.flush()
        self._bytes += len(lines)
        self._digest.update(lines)

    def records(self) -> Iterator[dict[str, Any]]:
        """Every record, oldest first; a last line cut off by a kill is left out."""
        with self.path.open("rb") as file:
            yield from (json.loads(line) for line in file if line.endswith(b"\n"))

    def state_dict(self) -> dict[str, Any]:
        """The place: how long the log is, and the sha256 of it."""
        self._know()
        os.fsync(self._file.fileno())
        return {"bytes": self._bytes, "sha256": self._digest.hexdigest()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a place; raises CheckpointError if what was before it was changed since."""
        self._read_to(state["bytes"])
        if (self._bytes, self._digest.hexdigest()) != (state["bytes"], state["sha256"]):
            told = "was cut or changed since the checkpoint was made"
            raise CheckpointError(Problem(str(self.path), told, "restore it, or start over with --overwrite"))
        self._file.truncate(self._bytes)

    def close(self) -> None:
        """No more records."""
        self._file.close()

    def _know(self) -> None:
        if not self._known:
            self._read_to(None)

    def _read_to(self, end: int | None) -> None:
        """Length and digest of the file as it is, up to `end`."""
        self._known = True
        self._bytes, self._digest = 0, hashlib.sha256()
        with self.path.open("rb") as file:
            while block := file.read(CHUNK if end is None else min(CHUNK, end - self._bytes)):
                self._bytes += len(block)
                self._digest.update(block)
