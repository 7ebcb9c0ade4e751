"""Limits and parity over all questions: dual ascent by hand, the group reward against the game, memory as JSON."""

import json

import numpy as np
import pytest

from alft.completions import Completion
from alft.games import Parity, Random
from alft.rewards.populations import Coins, DualSettings, GroupParity, Limit


def said(*keys, group=None, question="q"):
    return [Completion(key, question=question, key=key, group=group) for key in keys]


def bad(told):
    return float("nan") if told.key is None else float(told.key == "bad")


PLAIN = DualSettings(rate=4.0, damping=0.0, decay=0.0, largest=3.0)


def test_the_multiplier_climbs_by_rate_times_excess_and_stays_in_its_bounds():
    limit = Limit("b", bad, 0.25, PLAIN)
    batch = said("bad", "good", "bad", None)
    assert limit.rewards(batch).tolist()[:3] == [0, 0, 0]
    limit.learn(batch)  # two thirds of the readable ones
    assert limit.multiplier == pytest.approx(4 * (2 / 3 - 1 / 4))
    assert limit.rewards(batch)[:3] == pytest.approx([-5 / 3, 0, -5 / 3])
    assert np.isnan(limit.rewards(batch)[3])
    for _ in range(5):
        limit.learn(batch)
    assert limit.multiplier == 3.0
    for _ in range(5):
        limit.learn(said("good"))
    assert limit.multiplier == 0.0


def test_a_batch_without_any_say_changes_nothing():
    limit = Limit("b", bad, 0.25)
    limit.learn(said("bad", "good"))
    before = limit.state_dict()
    limit.learn(said(None, None))
    assert limit.state_dict() == before


def test_dual_ascent_with_damping_settles_where_the_limit_binds():
    """A two-answer softmax policy that follows its exact reward."""

    limit, logit, costs = Limit("b", bad, 0.1, DualSettings(rate=0.5, damping=10.0, decay=0.5)), 1.0, []
    for _ in range(400):
        cost = 1 / (1 + np.exp(-logit))
        bad_ones = round(1000 * cost)
        limit.learn(said("bad") * bad_ones + said("ok") * (1000 - bad_ones))
        logit += (0.5 - limit.played) * cost * (1 - cost)  # bad pays 0.5 more, less the multiplier
        costs.append(cost)
    assert costs[-50:] == pytest.approx([0.1] * 50, abs=0.01)
    assert limit.played == pytest.approx(0.5, abs=0.05)  # what bad is worth otherwise


def test_parity_pays_the_game_on_what_was_seen_before():
    parity = GroupParity(weight=2.0, decay=0.5, prior=0.0)
    old = said("yes", "yes", "yes", "no", group="old", question="a")
    young = said("no", "no", "no", "yes", group="young", question="b")
    batch = [*old, *young, *said("yes", "no")]
    assert parity.rewards(batch).tolist() == [0.0] * 10
    parity.learn(batch)
    nu = np.array([[0.25, 0.75], [0.75, 0.25]])  # no, yes
    wanted = 2.0 * Parity(["old", "young"]).reward(nu, np.array([0.5, 0.5]))
    rewards = parity.rewards(batch)
    assert rewards[[3, 0, 4, 7]] == pytest.approx(wanted.ravel())
    assert rewards[8:].tolist() == [0, 0]  # without a group
    assert parity.metrics()["parity"] == pytest.approx(
        -float(Parity(["o", "y"]).objective(nu, np.array([0.5, 0.5])))
    )


def test_the_weight_of_parity_is_exact_whatever_the_cap():
    batch = [*said(*"xxxxxxxxxy", group="a"), *said(*"yyyyyyyyyx", group="b", question="r")]
    paid = {}
    for weight in (1.0, 20.0):
        parity = GroupParity(weight, cap=0.5)
        parity.learn(batch)
        paid[weight] = parity.rewards(batch)
    assert np.abs(paid[1.0]).max() == 0.5
    assert paid[20.0] == pytest.approx(20 * paid[1.0])


def test_parity_weighs_groups_by_their_share_of_the_population():
    """Three questions of one group, one of another: w_g/share_g is 2/3 and 2, as in one game over all of them."""
    parity = GroupParity(decay=0.0, prior=0.0)
    big = [one for q in "abc" for one in said("x", "y", group="big", question=q)]
    small = said("x", "x", "x", "y", group="small", question="d")
    parity.learn([*big, *small])
    nu = np.array([[0.5, 0.5]] * 3 + [[0.75, 0.25]])
    wanted = Parity(["big"] * 3 + ["small"]).reward(nu, np.full(4, 0.25))
    assert parity.rewards(said("x", "y", group="big")) == pytest.approx(wanted[0])
    assert parity.rewards(said("x", "y", group="small")) == pytest.approx(wanted[3])


def test_what_was_seen_before_fades():
    parity = GroupParity(decay=0.5, prior=0.0)
    for key in ("x", "y"):
        parity.learn([*said(key, group="a", question="1"), *said("y", group="b", question="2")])
    assert parity.state_dict() == {"mass": {"a": {"x": 0.5, "y": 1.0}, "b": {"y": 1.5}}}


MAKERS = {
    "limit": lambda: Limit("b", bad, 0.1),
    "parity": lambda: GroupParity(),
    "coins": lambda: Coins.of(Random())["random"],
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_memory_survives_json(make):
    first, second = make(), make()
    batch = [*said("bad", "good", None, group="a"), *said("good", group="b", question="r")]
    first.learn(batch)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert second.rewards(batch) == pytest.approx(first.rewards(batch), nan_ok=True)
    assert second.metrics() == first.metrics()


def test_rare_answers_count_as_one_and_do_not_drown_the_rest():
    """Groups that keep answering alike keep their divergence, whatever they add of answers never seen before."""
    yes_no = np.array([[0.2, 0.5, 0.3], [0.5, 0.2, 0.3]])  # yes, no, one that nobody gave before
    parity, logged, fresh = GroupParity(), [], iter(range(10**6))
    for step in range(200):
        batch = []
        for row, group in zip(yes_no, ("a", "b"), strict=True):
            for question in range(4):
                keys = ["yes"] * round(10 * row[0]) + ["no"] * round(10 * row[1])
                keys += [f"new {next(fresh)}" for _ in range(10 - len(keys))]
                batch += said(*keys, group=group, question=f"{step} {group} {question}")
        parity.learn(batch)
        logged.append(parity.metrics()["parity"])
    wanted = -float(Parity(["a", "b"]).objective(yes_no, np.array([0.5, 0.5])))
    assert logged[20:] == pytest.approx([wanted] * 180, rel=0.05)
    assert logged[-1] == pytest.approx(logged[100], rel=1e-3)
    assert len(parity.state_dict()["mass"]["a"]) < 4 * 3 * 150 + 2  # forgotten after some hundred batches
    assert parity.rewards(said("never seen", "yes", group="a"))[0] == pytest.approx(0.0, abs=1e-9)
