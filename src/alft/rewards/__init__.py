"""Rewards: counts + game + estimator → one reward per completion, with exact baselines (theory.md 1.3, 3, 4.1)."""

from alft.rewards.scoring import (
    BASELINES,
    Baseline,
    Compared,
    PerSample,
    Scores,
    Scoring,
    Tally,
    default_log,
    independent_advantages,
    leave_one_out,
    leave_two_out,
    needs_facts,
    reward_table,
    score,
)

__all__ = [
    "BASELINES",
    "Baseline",
    "Compared",
    "PerSample",
    "Scores",
    "Scoring",
    "Tally",
    "default_log",
    "independent_advantages",
    "leave_one_out",
    "leave_two_out",
    "needs_facts",
    "reward_table",
    "score",
]
