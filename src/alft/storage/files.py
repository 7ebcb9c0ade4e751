"""Where a verb is to write: what is wrong with a place is told before anything is read, solved or asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from alft.errors import Problem

PICTURES: Final = (".svg", ".png", ".pdf")


def new_problems(*files: Path | None) -> Iterator[Problem]:
    """Each file that is there already, or whose folder is not; None is no file."""
    for path in files:
        if path is not None and path.exists():
            yield Problem(str(path), "exists already", "choose another name")
    yield from folder_problems(*files)


def folder_problems(*files: Path | None) -> Iterator[Problem]:
    """Each file whose folder is not there; None is no file.

    >>> [str(problem) for problem in folder_problems(Path("none/x.json"), None, Path("x.json"))]
    ['none/x.json: its folder does not exist — make it, or choose another name']
    """
    for path in files:
        if path is not None and not path.absolute().parent.is_dir():
            yield Problem(str(path), "its folder does not exist", "make it, or choose another name")


def picture_problems(option: str, picture: Path | None) -> Iterator[Problem]:
    """A picture of no known kind, by its name."""
    if picture is not None and picture.suffix.lower() not in PICTURES:
        yield Problem(option, f"{picture} is no picture by its name", f"end it in {', '.join(PICTURES)}")
