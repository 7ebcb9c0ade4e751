"""How runs are told apart in figures and lists: by colour, and beyond as many as there are colours, by line."""

from __future__ import annotations

from dataclasses import dataclass

RUN_COLOURS = {
    "run1": "#1d6aac",
    "run2": "#c34f1e",
    "run3": "#2a8a6b",
    "run4": "#9a5b9f",
    "run5": "#b8860f",
    "run6": "#3b95c4",
    "run7": "#5d6068",
    "run8": "#d57166",
}
"""CSS variable → its colour on a light page."""
LINES = ("solid", "dashed", "dotted")


@dataclass(frozen=True)
class Mark:
    """The `colour` of a run, a key of RUN_COLOURS, and its `line`, one of LINES."""

    colour: str
    line: str


def mark_of(index: int) -> Mark:
    """The mark of the run at this place.

    >>> mark_of(0), mark_of(9)
    (Mark(colour='run1', line='solid'), Mark(colour='run2', line='dashed'))
    """
    names = list(RUN_COLOURS)
    return Mark(names[index % len(names)], LINES[index // len(names) % len(LINES)])
