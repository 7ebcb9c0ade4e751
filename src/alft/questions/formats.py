"""A file to its rows: JSONL, CSV or Parquet, packed by gzip or not; told by content first, then by name."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Final

from alft.errors import DataError, Problem
from alft.questions import jsonl, tables
from alft.questions.fields import Row
from alft.questions.problems import Problems

_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"
_PACKED: Final = {b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}


def read_rows(path: str | Path, problems: Problems) -> list[Row]:
    """All rows of a file; mistakes go to `problems`. DataError at once if there is no such file."""
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            packed = stream.read(2) == _GZIP
        with _open(path, packed=packed) as stream:
            head = stream.read(64)
        return list(_rows(path, head, problems, packed=packed))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        problems.add("gzip", problems.source, f"the packed file is broken: {error}", "pack it again")
        return []
    except OSError as error:
        what = "there is no such file" if isinstance(error, FileNotFoundError) else str(error.strerror or error)
        raise DataError(Problem(problems.source, what, "give the path of a JSONL, CSV or Parquet file")) from error


def _open(path: Path, *, packed: bool) -> BufferedIOBase:
    return gzip.open(path, "rb") if packed else open(path, "rb")


def _rows(path: Path, head: bytes, problems: Problems, *, packed: bool) -> Iterator[Row]:
    """Rows by what the file begins with: Parquet and JSON are known by it, CSV by its name only."""
    suffix = (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()
    is_json = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")
    if (refusal := _refusal(suffix, head, packed=packed)) is not None and not is_json:
        problems.add("format", problems.source, *refusal)
    elif head.startswith(_PARQUET):
        yield from tables.parquet_rows(path, problems)
    else:
        with _open(path, packed=packed) as stream:
            if suffix in _DELIMITERS and not is_json:
                yield from tables.csv_rows(stream, problems, _DELIMITERS[suffix])
            else:
                yield from jsonl.rows(stream, problems)


def _refusal(suffix: str, head: bytes, *, packed: bool) -> tuple[str, str] | None:
    """What is wrong with the file as a whole, and the remedy; None if its rows can be read."""
    for magic, name in _PACKED.items():
        if head.startswith(magic):
            return f"the file is packed by {name}", "unpack it, or pack it by gzip"
    if head.startswith(_PARQUET):
        return ("this is Parquet packed by gzip", "unpack it") if packed else None
    return ("the file is not Parquet, whatever its name says", "") if suffix == ".parquet" else None
