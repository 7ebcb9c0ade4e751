"""Exact play on the answer simplex, with a certificate for any answer marginals (theory.md 1.4, 5)."""

from alft.tabular.certificate import GapWarning, best_response, drift, gap, value
from alft.tabular.constrained import ConstrainedEquilibrium, constrained_gap, solve_constrained
from alft.tabular.dynamics import Trajectory, mirror_ascent, no_regret
from alft.tabular.hard import hard_equilibrium, has_limit
from alft.tabular.solver import Equilibrium, NoEquilibriumError, solve

__all__ = [
    "ConstrainedEquilibrium",
    "Equilibrium",
    "GapWarning",
    "NoEquilibriumError",
    "Trajectory",
    "best_response",
    "constrained_gap",
    "drift",
    "gap",
    "hard_equilibrium",
    "has_limit",
    "mirror_ascent",
    "no_regret",
    "solve",
    "solve_constrained",
    "value",
]
