"""CSV and Parquet read strictly: cells are text as written, never numbers, dates or missing values."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from decimal import Decimal
from io import BufferedIOBase
from pathlib import Path
from typing import Final

from alft.questions.fields import Fields, Number, Row, clean
from alft.questions.jsonl import parse
from alft.questions.lines import LINE_LIMIT, texts
from alft.questions.problems import Problems

_STRUCTURED: Final = ("views", "answer_map", "metadata", "aliases")  # JSON in the cells of a CSV file
_OPTIONAL: Final = ("id", "views", "answer_map", "metadata", "aliases", "group", "name")


def csv_rows(stream: BufferedIOBase, problems: Problems, delimiter: str) -> Iterator[Row]:
    """Rows of a CSV file with a header; `007`, `NA` and `1,234` stay what they are, as text.

    An empty cell is an absent field, but for `question` and `answer`, where it is an empty text.
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
    """Lines up to the first that can't be read: behind it the quotes can't be followed."""
    before = len(problems)
    for _, _, text in texts(stream, problems):
        if len(problems) > before:
            return
        yield text


def _header(cells: list[str], problems: Problems) -> list[str]:
    """Column names: each there, each once."""
    names = [cell.strip() for cell in cells]
    where = f"{problems.source}:1"
    for other, called in ((";", "semicolons"), ("\t", "tabs")):
        if len(names) == 1 and other in names[0]:
            problems.add("separator", where, f"the columns are separated by {called}", "separate them by commas")
            return names
    for name in {name for name in names if names.count(name) > 1}:
        problems.add("header", where, f"two columns are named '{name}'", "rename one")
    if "" in names:
        problems.add("header", where, f"column {names.index('') + 1} has no name", "name it or take it out")
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
            what = f"{len(cells)} cells under {len(header)} columns"
            problems.add("cells", where, what, "quote the cells that hold commas")
            continue
        fields = Fields(zip(header, cells, strict=True))
        for name in [name for name in _OPTIONAL if fields.get(name) == ""]:
            del fields[name]
        if _structured(fields, where, problems) and clean(fields, where, "", problems):
            yield Row(where, number, fields)


def _structured(fields: Fields, where: str, problems: Problems) -> bool:
    """Read the JSON in cells that hold lists or maps; False, and a problem, where it is broken."""
    for name in _STRUCTURED:
        if isinstance(cell := fields.get(name), str):
            if (value := parse(cell, f"{where} {name}", problems)) is None:
                return False
            fields[name] = value
    return True


def parquet_rows(path: Path, problems: Problems) -> Iterator[Row]:
    """Rows of a Parquet file; integers and decimals become their exact text, floats and dates are refused."""
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
                if clean(fields, where, "", problems):
                    yield Row(where, number, fields)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        problems.add("bad Parquet", problems.source, f"bad Parquet: {error!s:.200}", "write the file again")


def plain(values: Mapping[str, object]) -> Fields:
    """Fields of a row that a program holds, as the readers of files give them: nothing converted but to text."""
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
