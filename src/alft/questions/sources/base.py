"""What every source of questions has: a name for messages, and rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from alft.questions.fields import Row
from alft.questions.formats import read_rows
from alft.questions.problems import Problems


class SourceOptions(TypedDict, total=False):
    """What may be said of a source beside its name; which ones fit depends on its kind.

    subset, split: a part of a dataset repository. revision: branch, tag or commit of a Hub dataset.
    size, seed, held_out: how many questions a generator makes, which, and whether for measuring.
    settings: options of a reasoning-gym generator.
    """

    subset: str | None
    split: str | None
    revision: str | None
    size: int | None
    seed: int
    held_out: bool
    settings: Mapping[str, object]


class Source(ABC):
    """Where questions come from."""

    @property
    @abstractmethod
    def name(self) -> str:
        """How messages call it."""

    @abstractmethod
    def rows(self, problems: Problems) -> list[Row]:
        """All rows, in order; mistakes go to `problems`. DataError at once if there is nothing to read."""


def rows_of_files(files: Sequence[tuple[str, Path]], problems: Problems) -> list[Row]:
    """Rows of several files, each (name for messages, path), numbered through."""
    found: list[Row] = []
    for name, path in files:
        inner = Problems(name)
        found += read_rows(path, inner)
        problems.take(inner)
    return [replace(row, number=number) for number, row in enumerate(found, start=1)]
