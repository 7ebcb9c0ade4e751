"""Exact play on the answer simplex, with a certificate for any answer marginals (theory.md 1.4, 5)."""

from __future__ import annotations

from alft.tabular.certificate import best_response, drift, gap, value
from alft.tabular.solver import Equilibrium, solve

__all__ = ["Equilibrium", "best_response", "drift", "gap", "solve", "value"]
