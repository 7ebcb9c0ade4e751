"""Games whose rewards are no polynomial: the expected update against the estimator's own mean (theory.md 4.4)."""

import numpy as np
import pytest

from alft import games
from alft.estimators import Estimator, LogKind, log_table, weighted_bias
from alft.rewards import Scoring
from tests.reference import expected_update, policy_gradient

NU = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])
WEIGHTS = np.array([0.5, 0.5])
SAMPLES = 4
KINDS = ["plugin", "digamma", "minimax", "variance_optimal"]


def update(game, kind: LogKind = "plugin", samples=SAMPLES):
    scoring = Scoring(game, Estimator(log=kind, cap=100.0), unread_penalty=0.0)
    return expected_update(NU, WEIGHTS, samples, scoring)


def felt(table, nu=NU):
    """R(p) = E[g(N')], N' ~ Bin(K−1, p): the log that the policy feels."""
    n, last = np.arange(len(table)), len(table) - 1
    ways = np.cumprod(np.concatenate([[1.0], (last - n[:-1]) / (n[:-1] + 1)]))
    return (ways * nu[..., None] ** n * (1 - nu[..., None]) ** (last - n)) @ table


@pytest.mark.parametrize("kind", KINDS)
def test_entropy_is_played_as_the_estimators_own_log(kind):
    """The policy feels R(p) = E[g(N')] alone; the baseline, of K − 1 samples, only takes noise."""
    expected = policy_gradient(NU, -felt(log_table(SAMPLES, kind)))
    assert update(games.Diversity("shannon"), kind) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("game", [games.Diversity("shannon")])
def test_log_games_are_off_by_no_more_than_the_stated_bias(game, kind):
    """|update − ∇F| ≤ weighted bias of R itself, and of its mean under ν: max_p p|R − log p|·(1 + |A|·ν)."""
    exact = policy_gradient(NU, game.reward(NU, WEIGHTS))
    bound = weighted_bias(log_table(SAMPLES, kind)) * (1 + NU.shape[-1] * NU)
    assert (np.abs(update(game, kind) - exact) <= bound + 1e-12).all()


@pytest.mark.parametrize(
    ("game", "expected"),
    [
        (games.Coherence("geometric"), 0.1067),
        (games.Coherence("arithmetic"), 0.0700),
        (games.JeffreysCoherence(), 0.7622),
    ],
    ids=["geometric", "arithmetic", "Jeffreys"],
)
def test_measured_bias_of_games_that_are_no_function_of_one_count(game, expected):
    """No theorem here: the largest error of the expected update at K = 4, measured, so that a change is seen.

    It falls slowly: geometric .107, .071, .053 at K = 4, 6, 8, of .25 (benchmarks/estimators.py).
    """
    exact = policy_gradient(NU, game.reward(NU, WEIGHTS))
    assert np.abs(update(game) - exact).max() == pytest.approx(expected, rel=0.01)
