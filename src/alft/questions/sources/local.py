"""A file, or a folder in the layout of a dataset repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alft.questions.fields import Row
from alft.questions.formats import read_rows
from alft.questions.problems import Problems
from alft.questions.sources.base import Source, rows_of_files
from alft.questions.sources.repository import CARD, WHOLE, Part, data_files


@dataclass(frozen=True)
class LocalFile(Source):
    """A JSONL, CSV or Parquet file, packed by gzip or not."""

    path: Path

    @property
    def name(self) -> str:
        """The path, as given."""
        return str(self.path)

    def rows(self, problems: Problems) -> list[Row]:
        """Every row of the file."""
        return read_rows(self.path, problems)


@dataclass(frozen=True)
class LocalFolder(Source):
    """A copy of a dataset repository on disk: files by subset and split, with or without a README.md."""

    path: Path
    part: Part = WHOLE

    @property
    def name(self) -> str:
        """The path, as given."""
        return str(self.path)

    def rows(self, problems: Problems) -> list[Row]:
        """The rows of the chosen subset and split."""
        names = sorted(str(file.relative_to(self.path)) for file in self.path.rglob("*") if file.is_file())
        card = (self.path / CARD).read_text("utf-8", "replace") if CARD in names else None
        chosen = data_files(names, card, self.part, self.name)
        return rows_of_files([(f"{self.path}/{name}", self.path / name) for name in chosen], problems)
