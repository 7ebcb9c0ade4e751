"""A report's counts as one terminal table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.table import Table

from alft.validation.report import Report
from alft.validation.summary import Summary

ROWS: dict[str, Callable[[Summary], str]] = {
    "questions": lambda part: str(part.questions),
    "views a question": lambda part: _counted(part.views),
    "answers": lambda part: _counted(part.answers),
    "groups": lambda part: _counted(part.groups),
    "duplicates": lambda part: str(part.duplicates),
}
"""Rows of the table, and what stands in them."""
SHOWN = 8


def summary_table(report: Report) -> Table:
    """Questions, views, kinds of answers, groups, duplicates and overlap, by set."""
    table = Table("", "to train on" if report.held_out else "all")
    parts = [report.train]
    if report.held_out is not None:
        table.add_column("held out")
        parts.append(report.held_out)
    for name, cell in ROWS.items():
        table.add_row(name, *map(cell, parts))
    if report.held_out is not None:
        table.add_row("in both", "", str(report.overlap))
    return table


def _counted(counts: Mapping[Any, int]) -> str:
    """`4 (480)`, or several with their counts, the rest summed up; a dash for none."""
    listed = [f"{name} ({count})" for name, count in list(counts.items())[:SHOWN]]
    if more := len(counts) - SHOWN if len(counts) > SHOWN else 0:
        listed.append(f"{more} more")
    return ", ".join(listed) or "–"
