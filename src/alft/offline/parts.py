"""A samples file written in parts, so that a killed run resumes where it was (never more than one part is lost).

FILE.parts/provenance.json   what is sampled, and how: a run that asks for something else does not resume here
FILE.parts/00017.parquet     the completions of prompts 17·k … , written whole or not at all
FILE                         all parts, row group after row group, when the last one is there
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from alft.completions import SCHEMA
from alft.errors import DataError, Problem, RunExistsError
from alft.offline.machines import differences
from alft.offline.source import TEXTS, Provenance
from alft.storage.files import locked, write_parquet, write_text


class Parts:
    """The parts of one samples file, and the file they become. Use it within `opened`."""

    def __init__(self, path: Path, provenance: Provenance) -> None:
        self.path, self.provenance = path, provenance
        self.folder = path.with_name(path.name + ".parts")
        self.schema = SCHEMA.with_metadata(provenance.to_metadata())

    @contextmanager
    def opened(self) -> Iterator[Parts]:
        """Alone in writing here; raises RunExistsError, RunLockedError or DataError where that can't be."""
        if self.path.exists():
            raise RunExistsError(Problem(str(self.path), "exists already", "choose another name, or remove it"))
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder):
            claim(self.folder / "provenance.json", asdict(self.provenance))
            yield self

    def done(self, part: int, rows: int) -> bool:
        """Whether this part is there, whole, with so many rows."""
        try:
            return pq.read_metadata(self._name(part)).num_rows == rows
        except (pa.ArrowException, OSError):
            return False

    def write(self, part: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write one part, whole or not at all."""
        table = pa.Table.from_pylist(list(rows), schema=self.schema)
        write_parquet(self._name(part), [table], self.schema)

    def merge(self, parts: Iterable[int]) -> None:
        """Make the file of these parts, and remove them."""
        write_parquet(self.path, _gathered(pq.read_table(self._name(part)) for part in parts), self.schema)
        shutil.rmtree(self.folder)

    def _name(self, part: int) -> Path:
        return self.folder / f"{part:05d}.parquet"


def claim(path: Path, request: Mapping[str, Any]) -> None:
    """Begin what `request` asks for, written to `path`, or make sure that what was begun there asked the same.

    Raises DataError with every difference.
    """
    asked = json.loads(json.dumps(request))
    if not path.exists():
        write_text(path, json.dumps(asked, indent=2))
        return
    begun = json.loads(path.read_text(encoding="utf-8"))
    remedy = f"ask for the same, or remove {path.parent} to start over"
    problems = [
        Problem(f"{path}: {name}", f"was begun with {was!r}, and is now {now!r}", remedy)
        for name, was, now in differences(begun, asked)
    ]
    if problems:
        raise DataError(problems)


def _gathered(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in larger tables: a row group each."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(map(len, held)) >= TEXTS:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)
