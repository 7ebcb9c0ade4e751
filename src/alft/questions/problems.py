"""Everything wrong with a file, collected: five places of each kind of mistake, and how many more."""

from __future__ import annotations

import warnings
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from alft.errors import DataError, Problem
from alft.questions.model import DataWarning

SHOWN_PER_KIND: Final = 5
SHOWN_KINDS: Final = 40


class Problems:
    """Mistakes found in the file `source`; `raise_any` raises them all at once."""

    def __init__(self, source: str | Path) -> None:
        self.source = str(source)
        self._found: dict[str, list[Problem]] = {}
        self._count: dict[str, int] = {}
        self._notes: dict[str, list[str]] = {}

    def add(self, kind: str, where: str, what: str, remedy: str = "") -> None:
        """Note one mistake; `kind` groups those that are the same mistake in other places."""
        shown = self._found.setdefault(kind, [])
        self._count[kind] = self._count.get(kind, 0) + 1
        if len(shown) < SHOWN_PER_KIND:
            shown.append(Problem(where, what, remedy))

    def note(self, what: str, where: str) -> None:
        """Note what is no mistake, and yet may not be what was meant."""
        self._notes.setdefault(what, []).append(where)

    def warn(self) -> None:
        """Warn once of each thing noted: of its first place, and how many there are."""
        for what, places in self._notes.items():
            more = f" ({len(places)} in all)" if len(places) > 1 else ""
            warnings.warn(f"{places[0]}: {what}{more}", DataWarning, stacklevel=3)

    def take(self, other: Problems) -> None:
        """Note the mistakes of another collection as well, each at its own place."""
        for kind, shown in other._found.items():
            self._found.setdefault(kind, []).extend(shown[: SHOWN_PER_KIND - len(self._found.get(kind, ()))])
            self._count[kind] = self._count.get(kind, 0) + other._count[kind]

    def __len__(self) -> int:
        return sum(self._count.values())

    def raise_any(self) -> None:
        """Raise DataError with what was collected, if anything was."""
        if not self._found:
            return
        shown: list[Problem] = []
        for kind, problems in list(self._found.items())[:SHOWN_KINDS]:
            shown.extend(problems)
            if (more := self._count[kind] - len(problems)) > 0:
                shown.append(Problem(self.source, f"and {more} more: {kind} ({self._count[kind]} in all)"))
        if (kinds := len(self._found) - SHOWN_KINDS) > 0:
            shown.append(Problem(self.source, f"and {kinds} more kinds of mistake", "mend these first"))
        raise DataError(shown)


def did_you_mean(name: str, known: list[str]) -> str:
    """Remedy for an unknown name.

    >>> did_you_mean("anwser", ["question", "answer"]), did_you_mean("x", ["question", "answer"])
    ("did you mean 'answer'?", 'known: question, answer')
    """
    close = get_close_matches(name, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"
