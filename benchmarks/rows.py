"""The rows of a study that resumes: rows.jsonl, a line as soon as it is known, and at the end rows.parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyarrow.json import ReadOptions, read_json

from alft.storage.files import write_parquet


def rows(directory: Path) -> list[dict[str, Any]]:
    """What is known so far."""
    path = directory / "rows.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def known(directory: Path, place: dict[str, Any]) -> bool:
    """Whether a row with these values is written."""
    return any(all(row.get(name) == value for name, value in place.items()) for row in rows(directory))


def add(directory: Path, row: dict[str, Any]) -> None:
    """Write one row."""
    with (directory / "rows.jsonl").open("a") as stream:
        stream.write(json.dumps(row) + "\n")


def write_table(directory: Path) -> None:
    """The same rows as rows.parquet, a column for each name that any row has."""
    path = directory / "rows.jsonl"
    table = read_json(path, ReadOptions(block_size=path.stat().st_size + 1))  # in one block, for one schema
    write_parquet(directory / "rows.parquet", [table], table.schema)
