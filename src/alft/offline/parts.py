"""A samples file written in parts, so that a killed run resumes where it was (never more than one part is lost).

FILE.parts/provenance.json   what is sampled, and how: a run that asks for something else does not resume here
FILE.parts/00017.parquet     the completions of prompts 17·k … , written whole or not at all
FILE                         all parts, row group after row group, when the last one is there

Several machines may each write a part of a file, which are read as one if they belong together:

FOLDER/part-2-of-4.parquet   what `alft sample FOLDER --part 2/4` writes
"""

import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from alft.completions import SCHEMA
from alft.errors import DataError, Problem, RunExistsError, collecting
from alft.offline.source import TEXTS, Provenance, Source, open_file
from alft.storage.files import claim, differences, locked, write_parquet


class Parts:
    """The parts of one samples file, and the file they become. Use it within `opened`."""

    def __init__(self, path: Path, provenance: Provenance) -> None:
        self.path, self.provenance = path, provenance
        self.folder = path.with_name(path.name + ".parts")
        self.schema = SCHEMA.with_metadata(provenance.to_metadata())

    @contextmanager
    def opened(self) -> Iterator[Self]:
        """Alone in writing here; raises RunExistsError, RunLockedError or DataError where that can't be."""
        if self.path.exists():
            raise RunExistsError(Problem(str(self.path), "exists already", "choose another name, or remove it"))
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder):
            claim(self.folder / "provenance.json", asdict(self.provenance))
            yield self

    def done(self, part: int, rows: int) -> bool:
        """Whether this part exists, complete, with this number of rows."""
        try:
            return pq.read_metadata(self._name(part)).num_rows == rows
        except (pa.ArrowException, OSError):
            return False

    def write(self, part: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write one part, whole or not at all."""
        write_parquet(self._name(part), [pa.Table.from_pylist(list(rows), schema=self.schema)], self.schema)

    def merge(self, parts: Iterable[int]) -> None:
        """Make the file of these parts, and remove them."""
        write_parquet(self.path, _gathered(pq.read_table(self._name(part)) for part in parts), self.schema)
        shutil.rmtree(self.folder)

    def _name(self, part: int) -> Path:
        return self.folder / f"{part:05d}.parquet"


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


PARTS = "part-*.parquet"
SHOWN = 5  # questions that are there twice, of those that are named


def is_samples(path: Path) -> bool:
    """Whether a file looks like Parquet, by its bytes or its name, or a folder holds parts of a samples file."""
    try:
        with path.open("rb") as stream:
            return stream.read(4) == b"PAR1" or path.suffix == ".parquet"
    except OSError:
        return path.is_dir() and any(path.glob(PARTS))


def open_samples(path: Path, *more: Path) -> Source:
    """A samples file, a folder of parts, or several parts. Raises DataError with everything that is wrong."""
    if more:
        return _joined(path.parent, [path, *more])
    return _joined(path, sorted(path.glob(PARTS))) if path.is_dir() else open_file(path)


def _joined(path: Path, files: Sequence[Path]) -> Source:
    """The parts of one file, in order; DataError with all reasons why they are not."""
    if twice := [file for file in dict.fromkeys(files) if files.count(file) > 1]:
        raise DataError([Problem(str(file), "is named twice", "leave it out once") for file in twice])
    problems: list[Problem] = []
    parts: list[Source] = []
    for file in files:
        with collecting(problems):
            parts.append(open_file(file))
    parts.sort(key=lambda part: part.provenance.data.get("part", {}).get("number", 0))
    problems += _misfits(path, parts)
    if problems:
        raise DataError(problems)
    data = {name: value for name, value in parts[0].provenance.data.items() if name != "part"}
    whole = Source(path, tuple(part.path for part in parts), replace(parts[0].provenance, data=data))
    for row, name in islice(whole.returns(), SHOWN):
        what = f"question {name!r} again, which an earlier part or row has"
        problems.append(Problem(whole.place(row), what, "sample this part again"))
    if problems:
        raise DataError(problems)
    return whole


def _misfits(path: Path, parts: Sequence[Source]) -> Iterator[Problem]:
    """Parts that are missing, there twice, or of another model, other settings or questions than the first."""
    if not parts:
        remedy = "give a folder that `alft sample --part` wrote"
        yield Problem(str(path), "holds no part of a samples file", remedy)
    for part in parts:
        if "part" not in part.provenance.data:
            yield Problem(str(part.path), "was not sampled as a part of a file", "solve it alone")
    found = [part for part in parts if "part" in part.provenance.data]
    taken: dict[int, Path] = {}
    for part in found:
        number = part.provenance.data["part"]["number"]
        if number in taken:
            yield Problem(str(part.path), f"is part {number}, as {taken[number]}", "leave one of them out")
        taken.setdefault(number, part.path)
        for name, was, now in _unlike(found[0], part):
            what = f"is {now!r}, and {was!r} in {found[0].path}"
            yield Problem(f"{part.path}: {name}", what, "remove it, and sample the part like the others")
    of = max((part.provenance.data["part"]["of"] for part in found), default=0)
    for number in range(1, of + 1):
        if number not in taken:
            name = part_name(number, of)
            state = "is not finished" if (path / f"{name}.parts").is_dir() else "is missing"
            command = f"alft sample {shlex.quote(str(path))} --part {number}/{of}"
            remedy = f"run `{command}` with the options of the other parts"
            yield Problem(str(path / name), state, remedy)


def part_name(number: int, of: int) -> str:
    """The name of the file of a part."""
    return f"part-{number}-of-{of}.parquet"


def _unlike(first: Source, part: Source) -> Iterator[tuple[str, Any, Any]]:
    """How two provenances differ, but not where a model or questions lie if digests say what they are."""
    records = [asdict(each.provenance) for each in (first, part)]
    ignored = ["model", "revision"] if all(each["model"].get("digest") for each in records) else []
    for record in records:
        record["model"] = {name: value for name, value in record["model"].items() if name not in ignored}
        record["data"] = {**record["data"], "source": None, "part": record["data"]["part"]["of"]}
    return differences(records[0], records[1])
