"""What the check of a user's game finds: each fault in a game that is sound but for it."""

from typing import Any

import numpy as np
import pytest

from alft import AlftError, check_game, games, simplex
from alft.marginals import mean_of_others
from alft.rewards.check import problems_of
from examples.own_game import QuadraticPairs


class Silent(games.TangentGame):
    """F = −Σ_v w_v ‖ν_v‖²/2."""

    def objective(self, nu, weights):
        return -(weights * (nu**2).sum(axis=-1)).sum(axis=-1) / 2

    def answer_reward(self, marginals):
        return -marginals.own()


class Gini(Silent):
    concave = True


class WrongSign(Gini):
    def answer_reward(self, marginals):
        return marginals.own()


class Unweighed(games.TangentGame):
    """The mean over views whatever their weights, and a reward that is its slope at equal weights only."""

    concave = True

    def objective(self, nu, weights):
        return -(nu**2).sum(axis=-1).mean(axis=-1) / 2

    def answer_reward(self, marginals):
        return -marginals.own()


class Divided(Unweighed):
    def answer_reward(self, marginals):
        return -marginals.own() / (marginals.own().shape[-2] * marginals.weights[..., None])


class Peeks(Gini):
    def answer_reward(self, marginals):
        return -marginals.nu


class Counts(Gini):
    def answer_reward(self, marginals):
        return -marginals.counts


class Undeclared(Gini):
    """Works offline, where gold answers are always told, and fails in training, where they are not."""

    def given(self, facts: Any):
        facts.gold.sum()
        return self


class Declared(Undeclared):
    sees_gold = True


class Priced(games.TangentGame):
    """Costs by answer position."""

    concave = True
    costs = np.array([0.0, 1.0, 2.0, 3.0])

    def objective(self, nu, weights):
        return -(weights * (nu @ self.costs)).sum(axis=-1)

    def answer_reward(self, marginals):
        return np.broadcast_to(-self.costs, marginals.own().shape)


class TwoNamedViews(games.TangentGame):
    """Two views that are always there: none of weight 0 to leave out."""

    concave, needs_views, only_agreement = True, 2, True

    def objective(self, nu, weights):
        return -((nu[..., 0, :] - nu[..., 1, :]) ** 2).sum(axis=-1)

    def answer_reward(self, marginals):
        return 4 * simplex.inverse_shares(marginals.weights)[..., None] * (marginals.others() - marginals.own())

    def made_for(self):
        return 2, None


class MadeForFour(Priced):
    def made_for(self):
        return None, 4


class FirstIsDear(Priced):
    """A position that every number of answers has."""

    def objective(self, nu, weights):
        return -(weights * nu[..., 0]).sum(axis=-1)

    def answer_reward(self, marginals):
        paid = np.zeros(marginals.own().shape)
        paid[..., 0] = -1
        return paid


class FirstAxis(Gini):
    def objective(self, nu, weights):
        return -(weights * (nu**2).sum(axis=2)).sum(axis=-1) / 2


class FewWeights(Gini):
    def objective(self, nu, weights):
        return -np.einsum("v,...va->...", weights, nu**2) / 2


class NoZero(games.TangentGame):
    concave = True

    def objective(self, nu, weights):
        return -(weights * (nu * np.log(nu)).sum(axis=-1)).sum(axis=-1)

    def answer_reward(self, marginals):
        return -marginals.log_own()


class NoZeroReward(games.ArithmeticCoherence):
    def answer_reward(self, marginals):
        return marginals.log_mean() - marginals.log_own()


class Worded(Gini):
    needs_views: Any = "two"


class Leaves(Gini):
    def made_for(self):
        raise SystemExit(0)


class Inverse(games.GeometricCoherence):
    def answer_reward(self, marginals):
        return marginals.geometric() / np.maximum(marginals.own(), 0)


class Cheap(games.ShannonDiversity):
    def payoff(self, nu, target, weights):
        return super().payoff(nu, target, weights) - 1


class Bowl(Gini):
    def objective(self, nu, weights):
        return -super().objective(nu, weights)

    def answer_reward(self, marginals):
        return marginals.own()


class Agrees(Gini):
    only_agreement = True


class Clipped(games.ShannonDiversity):
    """Right but for rare answers."""

    def answer_reward(self, marginals):
        return -np.maximum(marginals.log_own(), -4.0)


class FirstOfTies(games.Majority):
    """Pays the first of answers that are as common as each other, as samples often are."""

    def answer_reward(self, marginals):
        own = marginals.own()
        return (np.arange(own.shape[-1]) == own.argmax(axis=-1)[..., None]).astype(float)


class AgreesOnTwo(games.EuclideanCoherence):
    """Blind to the first view."""

    def objective(self, nu, weights):
        there = np.where(np.arange(weights.shape[-1]) > 0, weights, 0.0)
        return super().objective(nu, simplex.normalise(there))

    def answer_reward(self, marginals):
        return super().answer_reward(marginals)


class AgreesAlone(games.JeffreysCoherence):
    """Pays for disorder where there is nobody to agree with."""

    def objective(self, nu, weights):
        lone = (weights > 0).sum(axis=-1) == 1
        return super().objective(nu, weights) + lone * simplex.entropy(nu).max(axis=-1)


@pytest.mark.parametrize(
    ("game", "what", "remedy"),
    [
        (WrongSign(), "answer_reward is not (1/w_v) ∂F/∂ν_v(a) of its objective: F changes by", "fix one of"),
        (Silent(), "does not say concave", "say concave = True or concave = False"),
        (Unweighed(), "of its objective where view weights differ: F changes by", "alft.simplex.inverse_shares"),
        (Divided(), "answer_reward is -inf on a view of weight 0", "alft.simplex.inverse_shares"),
        (
            Peeks(),
            "fails on sampled answers, 6 of them: AttributeError",
            "may ask for weights, own, log_own, power",
        ),
        (Counts(), "fails on answer marginals: AttributeError", "may ask for weights, own"),
        (Undeclared(), "fails on answer marginals: AttributeError", "if the game says needs_gold or sees_gold"),
        (Priced(), "fails on sampled answers, 6 of them: ValueError", "knows no answer by its position"),
        (FirstIsDear(), "knows answers by their position", "renumbered in every batch"),
        (FirstAxis(), "fails on the answer marginals of one question", "count axes from the last"),
        (FewWeights(), "fails on view weights that differ by question", "weights have axes (question…, view)"),
        (NoZero(), "objective is nan on answers of probability 0", "log, power, kl, scale and subtract_logs"),
        (NoZeroReward(), "answer_reward is nan on answers of probability 0", "log, power, kl, scale and"),
        (Inverse(), "answer_reward is nan on answers of probability 0", "log, power, kl, scale and"),
        (Cheap(), "payoff pays", "payoff(ν, target(ν)) is objective(ν)"),
        (Worded(), "needs_views is 'two'", "it must be a whole number"),
        (Leaves(), "fails: SystemExit: 0", "answer_reward may ask for"),
        (Bowl(), "says concave = True, and its objective is not", "say concave = False"),
        (Clipped(), "for rare answers: F changes by", "fix one of the two"),
        (FirstOfTies(), "knows answers by their position", "renumbered in every batch"),
        (Agrees(), "says only_agreement = True, and F is -0.", "say only_agreement = False"),
        (AgreesOnTwo(), "says only_agreement = True, and F is", "where views differ, not below 0"),
        (AgreesAlone(), "where one view has all the weight, not 0", "nothing is compared there"),
        (AgreesAlone(), "where one view has all the weight, not 0", "objective must leave out views of weight 0"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, games.Game) else "",
)
def test_a_fault_is_named_with_its_remedy(game, what, remedy):
    told = [str(problem) for problem in problems_of(game, "game: own.py:Own")]
    assert any(what in line and remedy in line for line in told), told
    assert all(line.startswith("game: own.py:Own: ") for line in told)
    with pytest.raises(AlftError, match=type(game).__name__):
        check_game(game)


@pytest.mark.parametrize("name", games.NAMED)
def test_every_built_in_game_passes(name):
    check_game(games.NAMED[name]())


@pytest.mark.parametrize(
    "game",
    [
        Gini(),
        QuadraticPairs(),
        MadeForFour(),
        TwoNamedViews(),
        Declared(),
        games.TargetMatch(),
        games.TsallisDiversity(0.5),
        games.Parity(["old", "young", "young"]),
        games.Where(games.Correctness(), answered=True),
        games.Sum((1.0, games.FixedTargetCoherence()), (0.5, games.Diversity())),
    ],
    ids=lambda game: type(game).__name__,
)
def test_sound_games_pass(game):
    assert problems_of(game, "") == []


def test_the_example_is_the_mean_over_pairs_whatever_the_weights():
    rng = np.random.default_rng(0)
    nu = rng.dirichlet(np.ones(4), 3)
    pairs = [((nu[u] - nu[v]) ** 2).sum() for u, v in [(0, 1), (0, 2), (1, 2)]]
    weights = np.array([0.2, 0.3, 0.5])
    assert QuadraticPairs().objective(nu, weights) == pytest.approx(-np.mean(pairs))
    others = mean_of_others(nu)
    assert QuadraticPairs().reward(nu, weights) == pytest.approx(4 / (3 * weights[:, None]) * (others - nu))
    assert QuadraticPairs().objective(nu, np.array([0.0, 0.5, 0.5])) == pytest.approx(-pairs[2])
