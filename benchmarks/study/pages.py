"""The study's tables where people read them: docs/study.md and EXPERIMENTS.md, between invisible marks."""

from __future__ import annotations

from pathlib import Path

from benchmarks.study.protocol import Rows
from benchmarks.study.tables import markdown, short_table

BEGIN, END = "<!-- by `python -m benchmarks.study tables` -->\n", "\n<!-- -->"
PAGES = {"docs/study.md": short_table, "EXPERIMENTS.md": markdown}


def fill(rows: Rows, folder: Path) -> None:
    """Write the tables of these rows into the pages of a folder."""
    for name in PAGES:
        page = folder / name
        page.write_text(filled(page.read_text(), PAGES[name](rows)))


def filled(page: str, tables: str) -> str:
    """The page with these tables between its marks. Raises ValueError if a mark is missing."""
    before, _, rest = page.partition(BEGIN)
    if END not in rest:
        raise ValueError(f"the page has no {BEGIN.strip()} with {END.strip()} after it")
    return before + BEGIN + tables + rest[rest.index(END) :]
