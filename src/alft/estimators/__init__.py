"""From K sampled answers per view to the quantities a reward is made of (theory.md 3)."""

from __future__ import annotations

from alft.estimators.base import Estimator, SampledMarginals
from alft.estimators.log_tables import log_table

__all__ = ["Estimator", "SampledMarginals", "log_table"]
