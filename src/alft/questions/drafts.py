"""What a model wrote, kept on disk: a second run asks for nothing, and a killed one goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Draft:
    """What a model wrote for a prompt: a `text`, cut off if `truncated`, or none and the server's `refusal`."""

    text: str | None
    truncated: bool = False
    refusal: str | None = None


@runtime_checkable
class Writer(Protocol):
    """A model that writes a text for each prompt: an endpoint, or a local model."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Model and settings, as JSON: what decides what is written, beside the prompt."""
        ...

    def write(self, prompts: Mapping[str, str]) -> Iterator[tuple[str, Draft]]:
        """A draft for each key → prompt, as they come; equal prompts under different keys get different drafts."""
        ...


class DraftCache:
    """Drafts of a model in a JSONL file of the folder, by content: prompt, model, settings, number of the attempt.

    A line is written at once and whole; a line that a kill has torn is passed over. Refusals are not kept.
    """

    def __init__(self, folder: Path, writer: Writer) -> None:
        self.writer = writer
        self.hits = self.asked = 0
        self.path = folder / f"drafts-{_digest(dict(writer.identity))[:16]}.jsonl"
        self._drafts = dict(_lines(self.path))

    def drafts(self, wanted: Iterable[tuple[str, int]]) -> Iterator[tuple[tuple[str, int], Draft]]:
        """Drafts of (prompt, attempt): those on disk first, then the others as they are written."""
        missing: dict[str, tuple[str, int]] = {}
        for prompt, attempt in wanted:
            key = self._key(prompt, attempt)
            if (known := self._drafts.get(key)) is not None:
                self.hits += 1
                yield (prompt, attempt), known
            else:
                missing[key] = prompt, attempt
        if missing:
            self.asked += len(missing)
            yield from self._written(missing)

    def _written(self, missing: Mapping[str, tuple[str, int]]) -> Iterator[tuple[tuple[str, int], Draft]]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            _end_torn_line(file)
            for key, draft in self.writer.write({key: prompt for key, (prompt, _) in missing.items()}):
                if draft.refusal is None:
                    line = {"key": key, "text": draft.text, "truncated": draft.truncated}
                    os.write(file, json.dumps(line).encode("ascii") + b"\n")
                    self._drafts[key] = draft
                yield missing[key], draft
        finally:
            os.close(file)

    def _key(self, prompt: str, attempt: int) -> str:
        return _digest([prompt, attempt, dict(self.writer.identity)])


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()


def _lines(path: Path) -> Iterator[tuple[str, Draft]]:
    """Entries of a cache file; whatever is not one is passed over."""
    if not path.exists():
        return
    with open(path, "rb") as stream:
        for line in stream:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            match entry:
                case {"key": str(key), "text": str(text), "truncated": bool(truncated)}:
                    yield key, Draft(text, truncated)


def _end_torn_line(file: int) -> None:
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        os.write(file, b"\n")
