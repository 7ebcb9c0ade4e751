"""Questions whose equilibrium was not found, as their gap tells, and the warning that names them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from alft.simplex import Array

CERTIFIED = 1e-6
"""An equilibrium with a larger gap counts as not found: the solution may be worth so much more."""
SHOWN = 5
"""So many questions a message names."""


class GapWarning(UserWarning):
    """The equilibrium of some questions was not found."""


def not_found(gaps: Array) -> Array:
    """Positions of the questions whose gap is too large for an equilibrium, the largest first.

    >>> not_found(np.array([0.0, 0.5, np.nan, 2.0])).tolist()
    [3, 1]
    """
    order = np.argsort(-gaps, kind="stable")
    return order[gaps[order] > CERTIFIED]


def warn_of_gaps(names: Sequence[str], gaps: Array, place: str) -> None:
    """Warn where no equilibrium was found: of how many questions, and of the worst by name. nan is not told."""
    lost = not_found(gaps)
    if len(lost) > 0:
        worst = ", ".join(f"{names[index]} ({gaps[index]:.2g})" for index in lost[:SHOWN])
        more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
        many = f"{len(lost)} of {len(gaps)} questions"
        told = f"{place}: the equilibrium of {many} was NOT found, by gap: {worst}{more}"
        remedy = "what is told of them is not the solution: give a larger beta, or mend the game (alft.check_game)"
        warnings.warn(f"{told} — {remedy}", GapWarning, stacklevel=3)
