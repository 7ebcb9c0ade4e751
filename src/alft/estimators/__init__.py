"""From K sampled answers per view to the quantities a reward is made of (theory.md 3)."""

from alft.estimators.base import PRIOR, Estimator, SampledMarginals
from alft.estimators.log_tables import (
    LOG_KINDS,
    LogKind,
    log_table,
    minimax,
    subset_log_table,
    weighted_bias,
    weighted_variance,
)

__all__ = [
    "LOG_KINDS",
    "PRIOR",
    "Estimator",
    "LogKind",
    "SampledMarginals",
    "log_table",
    "minimax",
    "subset_log_table",
    "weighted_bias",
    "weighted_variance",
]
