"""The random control: fair coins by a completion's name, never by its text, and their weights offline."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from alft import games
from alft.completions import Completion
from alft.errors import ConfigError
from alft.offline.reweight import SolveSettings, reweight, tossed
from alft.offline.samples import read_samples
from alft.offline.solve import settings_of, solve_samples
from alft.rewards import Scoring
from alft.rewards.populations import Coins
from alft.rewards.scorer import Scorer
from tests.offline.made import drawn
from tests.offline.test_borrowing import random_tallies, reached


def batch(texts, question="q", gold=None):
    """Two views of a question that were answered with these keys each."""
    return [Completion(str(key), question=question, place=v, key=key, gold=gold) for v in (0, 1) for key in texts]


def coins(seed=0, **asked):
    return Scorer(Scoring(games.Random(seed))).score(batch([*"abcdabcd"], **asked)).rewards


def test_coins_are_fair_and_independent():
    rng, game = range(20_000), games.Random(5)
    tossed_ = np.array([game.heads("q", 0, number) for number in rng])
    noise = 0.5 / np.sqrt(len(rng))
    assert abs(tossed_.mean() - 0.5) < 4 * noise
    twice = Counter(pairwise(tossed_.tolist()))
    assert max(abs(count / len(rng) - 0.25) for count in twice.values()) < 4 * noise


def test_a_coin_knows_the_completions_name_and_nothing_of_its_text():
    scorer, other = Scorer(Scoring(games.Random(1))), Scorer(Scoring(games.Random(1)))
    both = [*batch([*"aabb"], "first"), *batch([*"cccc"], "second")]
    turned = [*batch([*"xyzx"], "second"), *batch([*"dddd"], "first")]  # other texts, questions in another order
    for _ in range(3):
        rewards = scorer.score(both).rewards
        assert set(rewards) == {0.0, 1.0}
        assert other.score(turned).rewards.tolist() == [*rewards[8:], *rewards[:8]]
    assert len({tuple(coins(seed)) for seed in range(8)}) == 8


def test_each_batch_that_is_learnt_from_is_tossed_anew_and_measuring_is_not():
    scorer = Scorer(Scoring(games.Random()))
    rewards = [scorer.score(batch([*"abcdabcd"]), learn=learn).rewards.tolist() for learn in (False, True, True)]
    assert rewards[0] == rewards[1] != rewards[2]


def test_an_unread_completion_has_its_penalty_and_no_coin():
    scores = Scorer(Scoring(games.Random(), unread_penalty=0.0)).score(batch(["7", None, "8", "7", None, "7"]))
    unread = np.isnan(scores.rewards)
    assert unread.sum() == 4
    assert (scores.advantages[unread] == 0).all()
    assert scores.advantages.reshape(2, 6).sum(axis=1) == pytest.approx([0, 0])


def test_coins_beside_a_game_have_their_weight_and_their_questions():
    apart = games.Sum((0.25, games.Where(games.Random(), answered=True)), (1.0, games.Agreement()))
    for gold, weight in ((frozenset("a"), 0.25), (None, 0.0)):
        mixed = Scorer(Scoring(apart)).score(batch([*"abcdabcd"], gold=gold)).rewards
        alone = Scorer(Scoring(games.Agreement())).score(batch([*"abcdabcd"])).rewards
        assert mixed - alone == pytest.approx(weight * coins())
    assert Coins.of(games.Agreement()) == {}


@pytest.mark.parametrize("beta", [0.0, 0.5])
@pytest.mark.parametrize("power", [1.0, 3.0])
def test_offline_heads_win_completion_by_completion(beta, power):
    """The optimum of E[coin] − β·KL by hand: weights times e^{coin/β}, each view's total as it was."""
    tallies, chosen = random_tallies(0), SolveSettings(games.Random(), beta, shrinkage=1.0, power=power)
    plain = reweight(tallies, chosen)
    heads = np.random.default_rng(1).random(len(tallies.question)) < 0.3
    found = tossed(plain, tallies, heads, beta)
    weight = np.concatenate([plain.weights, plain.loans.weight])
    place = np.concatenate([tallies.place, plain.loans.view])
    lucky = np.concatenate([heads, heads[plain.loans.completion]])
    told = np.concatenate([found.weights, found.loans.weight])
    assert len(plain.loans.weight) > 0
    for view in range(len(tallies.space)):
        here = place == view
        tilted = weight[here] * (np.exp(lucky[here] / beta) if beta > 0 else lucky[here])
        expected = tilted * weight[here].sum() / tilted.sum() if tilted.any() else weight[here]
        assert told[here] == pytest.approx(expected, abs=1e-12)
    table = reached(tallies, found)
    for part in found.solved:
        rows = tallies.starts[part.batch.questions][:, None] + np.arange(part.batch.shape[1])
        mass = table[rows][..., : part.batch.shape[2]]
        some = mass.sum(axis=-1) > 0
        assert part.nu[some][:, : mass.shape[-1]] == pytest.approx(
            (mass / np.maximum(mass.sum(axis=-1, keepdims=True), 1e-12))[some]
        )


def test_a_samples_file_is_tossed_by_its_names_and_its_seed(tmp_path):
    drawn(tmp_path / "a.parquet", [[[0.5, 0.5], [0.5, 0.5]]] * 6, 8)
    samples = read_samples(tmp_path / "a.parquet")
    one, again, other = (
        solve_samples(samples, settings_of(game, 0.0, None), game).weights
        for game in ("random", "{game: random, seed: 0}", "{game: random, seed: 1}")
    )
    assert (one == again).all()
    assert (one != other).any()
    assert set(np.unique(one > 0)) == {False, True}
    assert np.bincount(samples.question * 2 + samples.view, one) == pytest.approx(8)


def test_offline_coins_are_tossed_alone():
    for game in ("{correctness: 1, random: 1}", "{random: 2}", "[{game: random, where: answered}]"):
        with pytest.raises(ConfigError, match="played as the only game"):
            settings_of(game, 0.1, None)
