"""Rewards: counts + game + estimator → one reward per completion, with exact baselines (theory.md 1.3, 3, 4.1)."""

from alft.rewards.scoring import (
    Baseline,
    Compared,
    Scores,
    Scoring,
    default_log,
    leave_one_out,
    needs_facts,
    score,
)

__all__ = [
    "Baseline",
    "Compared",
    "Scores",
    "Scoring",
    "default_log",
    "leave_one_out",
    "needs_facts",
    "score",
]
