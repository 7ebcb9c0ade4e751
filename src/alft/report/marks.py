"""How runs are told apart in figures and lists: by colour, and beyond as many as there are colours, by line."""

from __future__ import annotations

from dataclasses import dataclass

RUN_COLOURS = {
    "run1": "#2a8a6b",
    "run2": "#9a5b9f",
    "run3": "#b8860f",
    "run4": "#5d6068",
    "run5": "#3b95c4",
    "run6": "#d57166",
    "run7": "#1d6aac",
    "run8": "#c34f1e",
}
"""CSS variable → its colour on a light page. Blue and orange come last: in figures they say better and worse."""
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
