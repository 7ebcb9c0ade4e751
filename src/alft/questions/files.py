"""Rows of a JSONL, CSV or Parquet file, compressed by gzip or not; its content decides, then its name.

Cells of CSV and Parquet stay text as written, never numbers, dates or missing values.
"""

import csv
import gzip
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from io import BufferedIOBase
from itertools import takewhile
from pathlib import Path
from typing import Final

from alft.errors import DataError, Problem
from alft.questions import jsonl
from alft.questions.fields import Fields, Number, Problems, Row, clean
from alft.questions.jsonl import LINE_LIMIT, parse, texts
from alft.storage.files import not_found

_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"
_PACKED: Final = {b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_FORMATS: Final = (b"SQLite format", b"ARROW1")
_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}


def read_rows(path: str | Path, problems: Problems) -> list[Row]:
    """All rows of a file; errors go to `problems`. Raises DataError if the file can't be opened."""
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            packed = stream.read(2) == _GZIP
        with gzip.open(path) if packed else open(path, "rb") as stream:
            return list(_rows(path, stream, problems, packed=packed))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        problems.add("gzip", problems.source, f"the gzip file is damaged: {error}", "compress it again")
        return []
    except OSError as error:
        remedy = "give the path of a JSONL, CSV or Parquet file"
        if isinstance(error, FileNotFoundError):
            raise DataError(not_found(path, "no such file", remedy)) from None
        raise DataError(Problem(problems.source, error.strerror or str(error), remedy)) from error


def _rows(path: Path, stream: BufferedIOBase, problems: Problems, *, packed: bool) -> Iterator[Row]:
    """Rows by the first bytes of the file, which tell Parquet and JSON; CSV is known by its name only."""
    head = stream.read(64)
    stream.seek(0)
    suffix = (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()
    if head.startswith((b"version https://git-lfs", *_FORMATS)):
        lfs = head.startswith(b"version")
        what = "a Git LFS pointer, not the file itself" if lfs else "a SQLite or Arrow file"
        problems.add(
            "format", problems.source, what, "run git lfs pull" if lfs else "write it as JSONL or Parquet"
        )
    elif head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        yield from jsonl.rows(stream, problems)
    elif name := next((name for magic, name in _PACKED.items() if head.startswith(magic)), None):
        problems.add("format", problems.source, f"the file is compressed by {name}", "decompress it, or use gzip")
    elif head.startswith(_PARQUET) and packed:
        problems.add("format", problems.source, "this is Parquet inside gzip", "decompress it")
    elif head.startswith(_PARQUET):
        yield from parquet_rows(path, problems)
    elif suffix == ".parquet":
        problems.add("format", problems.source, "the file is not Parquet, despite its name")
    elif suffix in _DELIMITERS:
        yield from csv_rows(stream, problems, _DELIMITERS[suffix])
    else:
        yield from jsonl.rows(stream, problems)


_STRUCTURED: Final = ("views", "answer_map", "metadata", "aliases")  # JSON in the cells of a CSV file
_OPTIONAL: Final = ("id", "views", "answer_map", "metadata", "aliases", "group", "name")


def csv_rows(stream: BufferedIOBase, problems: Problems, delimiter: str) -> Iterator[Row]:
    """Rows of a CSV file with a header; `007`, `NA` and `1,234` stay what they are, as text.

    An empty cell is an absent field, except in `question` and `answer`, where it is an empty text.
    """
    before, unreadable, errors = csv.field_size_limit(LINE_LIMIT), Problems(problems.source), len(problems)
    lines = texts(stream, unreadable)  # up to the first that can't be read: after it, quotes can't be matched
    readable = (line for _, _, line in takewhile(lambda _: not len(unreadable), lines))
    reader = csv.reader(readable, delimiter=delimiter, strict=True)
    try:
        header = _header(next(reader, []), problems)
        if len(problems) > errors:  # it says nothing of the cells below
            return
        number, line = 0, reader.line_num + 1
        for cells in reader:
            where, line = f"{problems.source}:{line}", reader.line_num + 1
            if any(cells):
                number += 1
                with problems.of_row() as row:
                    if (fields := _csv_fields(header, cells, where, row)) is not None:
                        yield Row(where, number, fields)
        deque(lines, maxlen=0)  # others that can't be read
    except csv.Error as error:
        problems.add("bad CSV", f"{problems.source}:{reader.line_num}", f"bad CSV: {error}", "check the quotes")
    finally:
        csv.field_size_limit(before)
        problems.take(unreadable)


def _csv_fields(header: list[str], cells: list[str], where: str, problems: Problems) -> Fields | None:
    """The fields of a row, with the JSON in cells that hold lists or maps; None, and an error, if not."""
    if len(cells) != len(header):
        what = f"{len(cells)} cells under {len(header)} columns"
        problems.add("wrong number of cells", where, what, "quote the cells that contain commas")
        return None
    named = zip(header, cells, strict=True)
    fields = Fields((name, cell) for name, cell in named if cell or name not in _OPTIONAL)
    for name in _STRUCTURED:
        if name in fields:
            fields[name] = parse(str(fields[name]), f"{where} {name}", problems)
    return fields if not len(problems) and clean(fields, where, "", problems) else None


def _header(cells: list[str], problems: Problems) -> list[str]:
    names = [cell.strip() for cell in cells]
    where = f"{problems.source}:1"
    for other, called in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(names) == 1 and other in names[0]:
            problems.add("separator", where, f"the columns are separated by {called}", "use commas")
            return names
    if any(len(name) > 60 or name.endswith(("?", ".")) for name in names):
        remedy = "write a line of column names above it, like question,A,B,C,D,answer"
        problems.add("header", where, "the first line looks like a row, not like names of columns", remedy)
        return names
    for name in {name for name in names if names.count(name) > 1}:
        problems.add("header", where, f"two columns are named '{name}'", "rename one")
    if "" in names:
        problems.add("header", where, f"column {names.index('') + 1} has no name", "name it or remove it")
    return names


def parquet_rows(path: Path, problems: Problems) -> Iterator[Row]:
    """Rows of a Parquet file; integers and decimals become exact text, floats and dates stay as they are."""
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        names = file.schema_arrow.names
        if twice := sorted({name for name in names if names.count(name) > 1}):
            problems.add("columns", problems.source, f"two columns are named {', '.join(twice)}", "rename one")
            return
        cells = (values for batch in file.iter_batches(batch_size=1024) for values in batch.to_pylist())
        for number, values in enumerate(cells, start=1):
            where = f"{problems.source} row {number}"
            fields = plain({k: v for k, v in values.items() if v is not None or k not in _OPTIONAL})
            with problems.of_row() as row:
                if clean(fields, where, "", row):
                    yield Row(where, number, fields)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        problems.add("bad Parquet", problems.source, f"bad Parquet: {error!s:.200}", "write the file again")


def plain(values: Mapping[str, object]) -> Fields:
    """Python values as the readers of files give them: numbers become text, nothing else is converted."""
    return Fields({name: _value(value) for name, value in values.items()})


def _value(value: object) -> object:
    """A Parquet value as the JSON readers give it: numbers as exact text, structures without empty fields."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, Decimal)):
        return Number(value)
    if isinstance(value, Mapping):
        return Fields({str(k): _value(v) for k, v in value.items() if v is not None})
    if isinstance(value, (list, tuple)):
        pairs = bool(value) and all(isinstance(item, tuple) for item in value)  # an Arrow map
        return _value(dict(value)) if pairs else [_value(item) for item in value]
    return value


def rows_of_files(files: Sequence[tuple[str, Path]], problems: Problems) -> list[Row]:
    """Rows of several files, each (name for messages, path), numbered from 1."""
    found: list[Row] = []
    for name, path in files:
        inner = Problems(name, drop=problems.drop)
        found += read_rows(path, inner)
        problems.take(inner)
    return [replace(row, number=number) for number, row in enumerate(found, start=1)]
