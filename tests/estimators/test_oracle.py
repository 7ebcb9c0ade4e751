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


WANTED = np.array([0.2, 0.3, 0.5])
OWN_LOG = {
    "Shannon": (games.Diversity("shannon"), 1.0, np.zeros(3)),
    "target match": (games.TargetMatch(WANTED), 1.0, np.log(WANTED)),
    "fixed": (games.FixedTargetCoherence(fixed=WANTED), 1.0, np.log(WANTED)),
    "sum": (games.Sum((2.0, games.KnownReward(WANTED[None])), (0.5, games.Diversity())), 0.5, 2 * WANTED),
    "where": (games.Where(games.Diversity(), answered=True, played=np.ones(1)), 1.0, np.zeros(3)),
}
"""Games with the log of the own marginal: the game, the coefficient of −log ν, and the rest of r."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("game", "share", "rest"), OWN_LOG.values(), ids=OWN_LOG.keys())
def test_log_games_are_played_as_their_log_table_within_its_stated_bias(game, share, rest, kind):
    """|update − ∇F| ≤ weighted bias of R itself, and of its mean under ν: max_p p|R − log p|·(1 + |A|·ν)."""
    found = update(game, kind)
    assert found == pytest.approx(policy_gradient(NU, rest - share * felt(log_table(SAMPLES, kind))), abs=1e-10)
    exact = policy_gradient(NU, rest - share * np.log(NU))
    bound = share * weighted_bias(log_table(SAMPLES, kind)) * (1 + NU.shape[-1] * NU)
    assert (np.abs(found - exact) <= bound + 1e-12).all()


@pytest.mark.parametrize("alpha", [0.5, 1.5])
def test_other_tsallis_orders_are_played_as_the_plug_in_power(alpha):
    """R(p) = E[((N'+1)/K)^{α−1}]; the measured weighted bias of √ν is .038 at K = 4 (profile.py)."""
    powers = felt((np.arange(1, SAMPLES + 1) / SAMPLES) ** (alpha - 1))
    expected = policy_gradient(NU, -alpha / (alpha - 1) * powers)
    assert update(games.Diversity(alpha)) == pytest.approx(expected, abs=1e-10)


def test_where_it_is_not_played_a_game_moves_nothing():
    game = games.Where(games.Diversity(), answered=True, played=np.zeros(1))
    assert update(game) == pytest.approx(np.zeros(NU.shape), abs=1e-12)


@pytest.mark.parametrize("kind", ["digamma", "minimax", "variance_optimal"])
@pytest.mark.parametrize(
    "game", [games.Coherence("arithmetic"), games.Parity(["a", "b"])], ids=["views", "groups"]
)
def test_views_that_agree_have_nothing_to_gain(game, kind, monkeypatch):
    """Arithmetic coherence and parity leave agreeing views where they are, at any K: bias makes no step there."""
    monkeypatch.setitem(globals(), "NU", np.array([[0.6, 0.3, 0.1]] * 2))
    assert update(game, kind) == pytest.approx(np.zeros((2, 3)), abs=1e-12)
    assert np.abs(update(game, "plugin")).max() > 0.01


MEASURED = {
    "geometric": (games.Coherence("geometric"), 0.1067, 0.1067),
    "arithmetic": (games.Coherence("arithmetic"), 0.0700, 0.0409),
    "Jeffreys": (games.JeffreysCoherence(), 0.3811, 0.3514),
    "parity": (games.Parity(["a", "b"]), 0.0700, 0.0409),
    "majority": (games.Majority(), 0.1732, 0.1732),
    "majority, pooled": (games.PooledMajority(), 0.1571, 0.1571),
    "Tsallis 0.5": (games.Diversity(0.5), 0.1186, 0.1186),
    "Tsallis 1.5": (games.Diversity(1.5), 0.0754, 0.0754),
    "sum of logs": (games.Sum((1.0, games.Diversity()), (0.5, games.Coherence("arithmetic"))), 0.1447, 0.0743),
}
"""The largest error of the expected update at K = 4, with the plug-in and with the variance-optimal log."""


@pytest.mark.parametrize(("game", "plugin", "variance_optimal"), MEASURED.values(), ids=MEASURED.keys())
def test_measured_bias_of_games_without_a_theorem(game, plugin, variance_optimal):
    """No theorem here: measured, so that a change is seen; benchmarks/estimators.py prints how it falls with K.

    It falls slowly: geometric .107, .071, .053 at K = 4, 6, 8, of .25.
    """
    exact = policy_gradient(NU, game.reward(NU, WEIGHTS))
    kinds: tuple[LogKind, ...] = ("plugin", "variance_optimal")
    found = [np.abs(update(game, kind) - exact).max() for kind in kinds]
    assert found == pytest.approx([plugin, variance_optimal], rel=0.01)
