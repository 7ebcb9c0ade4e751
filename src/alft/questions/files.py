"""Rows of a JSONL, CSV or Parquet file, compressed by gzip or not; its content decides, then its name.

Cells of CSV and Parquet stay text as written, never numbers, dates or missing values.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from io import BufferedIOBase
from pathlib import Path
from typing import Final

from alft.errors import DataError, Problem, not_found
from alft.questions import jsonl
from alft.questions.fields import Fields, Number, Problems, Row, clean
from alft.questions.jsonl import LINE_LIMIT, parse, texts

_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"
_PACKED: Final = {b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}


def read_rows(path: str | Path, problems: Problems) -> list[Row]:
    """All rows of a file; errors go to `problems`. Raises DataError if the file can't be opened."""
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            packed = stream.read(2) == _GZIP
        with _open(path, packed=packed) as stream:
            head = stream.read(64)
        return list(_rows(path, head, problems, packed=packed))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        problems.add("gzip", problems.source, f"the gzip file is damaged: {error}", "compress it again")
        return []
    except OSError as error:
        remedy = "give the path of a JSONL, CSV or Parquet file"
        if isinstance(error, FileNotFoundError):
            raise DataError(not_found(path, "no such file", remedy)) from None
        raise DataError(Problem(problems.source, error.strerror or str(error), remedy)) from error


def _open(path: Path, *, packed: bool) -> BufferedIOBase:
    return gzip.open(path, "rb") if packed else open(path, "rb")


def _rows(path: Path, head: bytes, problems: Problems, *, packed: bool) -> Iterator[Row]:
    """Rows by the first bytes of the file, which tell Parquet and JSON; CSV is known by its name only."""
    suffix = (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()
    is_json = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")
    if (refusal := _refusal(suffix, head, packed=packed)) is not None and not is_json:
        problems.add("format", problems.source, *refusal)
    elif head.startswith(_PARQUET):
        yield from parquet_rows(path, problems)
    else:
        with _open(path, packed=packed) as stream:
            if suffix in _DELIMITERS and not is_json:
                yield from csv_rows(stream, problems, _DELIMITERS[suffix])
            else:
                yield from jsonl.rows(stream, problems)


def _refusal(suffix: str, head: bytes, *, packed: bool) -> tuple[str, str] | None:
    """What is wrong with the file as a whole, and the remedy; None if its rows can be read."""
    for magic, name in _PACKED.items():
        if head.startswith(magic):
            return f"the file is compressed by {name}", "decompress it, or use gzip"
    if head.startswith(_PARQUET):
        return ("this is Parquet inside gzip", "decompress it") if packed else None
    return ("the file is not Parquet, despite its name", "") if suffix == ".parquet" else None


_STRUCTURED: Final = ("views", "answer_map", "metadata", "aliases")  # JSON in the cells of a CSV file
_OPTIONAL: Final = ("id", "views", "answer_map", "metadata", "aliases", "group", "name")


def csv_rows(stream: BufferedIOBase, problems: Problems, delimiter: str) -> Iterator[Row]:
    """Rows of a CSV file with a header; `007`, `NA` and `1,234` stay what they are, as text.

    An empty cell is an absent field, except in `question` and `answer`, where it is an empty text.
    """
    before = csv.field_size_limit(LINE_LIMIT)
    try:
        reader = csv.reader(_lines(stream, problems), delimiter=delimiter, strict=True)
        header = _header(next(reader, []), problems)
        yield from _csv_rows(reader, header, problems)
    except csv.Error as error:
        problems.add("bad CSV", f"{problems.source}:{reader.line_num}", f"bad CSV: {error}", "check the quotes")
    finally:
        csv.field_size_limit(before)


def _lines(stream: BufferedIOBase, problems: Problems) -> Iterator[str]:
    """Lines up to the first that can't be read: after it, quotes can't be matched."""
    before = len(problems)
    for _, _, text in texts(stream, problems):
        if len(problems) > before:
            return
        yield text


def _header(cells: list[str], problems: Problems) -> list[str]:
    """Column names: none empty, none twice."""
    names = [cell.strip() for cell in cells]
    where = f"{problems.source}:1"
    for other, called in ((";", "semicolons"), ("\t", "tabs")):
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


def _csv_rows(reader: Iterator[list[str]], header: list[str], problems: Problems) -> Iterator[Row]:
    number = 0
    line = getattr(reader, "line_num", 1) + 1
    for cells in reader:
        where, line = f"{problems.source}:{line}", getattr(reader, "line_num", line) + 1
        if not any(cells):
            continue
        number += 1
        if len(cells) != len(header):
            row = Problems(problems.source)
            what = f"{len(cells)} cells under {len(header)} columns"
            row.add("wrong number of cells", where, what, "quote the cells that contain commas")
            problems.reject(row)
            continue
        fields = Fields(zip(header, cells, strict=True))
        for name in [name for name in _OPTIONAL if fields.get(name) == ""]:
            del fields[name]
        row = Problems(problems.source)
        if _structured(fields, where, row) and clean(fields, where, "", row):
            yield Row(where, number, fields)
        else:
            problems.reject(row)


def _structured(fields: Fields, where: str, problems: Problems) -> bool:
    """Read the JSON in cells that hold lists or maps; False, and an error, where it is not JSON."""
    for name in _STRUCTURED:
        if isinstance(cell := fields.get(name), str):
            if (value := parse(cell, f"{where} {name}", problems)) is None:
                return False
            fields[name] = value
    return True


def parquet_rows(path: Path, problems: Problems) -> Iterator[Row]:
    """Rows of a Parquet file; integers and decimals become exact text, floats and dates stay as they are."""
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        number = 0
        for batch in file.iter_batches(batch_size=1024):
            for values in batch.to_pylist():
                number += 1
                where = f"{problems.source} row {number}"
                fields = plain(values)
                for name in [name for name in _OPTIONAL if fields.get(name, "") is None]:
                    del fields[name]
                row = Problems(problems.source)
                if clean(fields, where, "", row):
                    yield Row(where, number, fields)
                else:
                    problems.reject(row)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        problems.add("bad Parquet", problems.source, f"bad Parquet: {error!s:.200}", "write the file again")


def plain(values: Mapping[str, object]) -> Fields:
    """Python values as the readers of files give them: numbers become text, nothing else is converted."""
    return Fields({name: _value(value, top=True) for name, value in values.items()})


def _value(value: object, *, top: bool = False) -> object:
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
