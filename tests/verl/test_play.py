"""A question's completions, gathered with asyncio alone: shares equal to the scorer's, lost ones, hostile rows."""

import asyncio
import logging
import math
import random
import time

import numpy as np
import pytest

from alft import Question, Scoring, View, games
from alft.completions import Completion
from alft.config.load import load_config
from alft.errors import ConfigError, DataError, EndpointError
from alft.rewards.scorer import Scorer
from alft.verl.play import Asked, Player, player_of, unplayable
from alft.verl.rows import to_rows

VIEWS, SAMPLES = 3, 4
SIZE = VIEWS * SAMPLES
GAMES = {
    "coherence": games.Coherence("geometric"),
    "agreement": games.Agreement(),
    "sum": games.Sum((1.0, games.Correctness()), (0.3, games.Diversity("gini"))),
}


def completions(question, seed=0):
    """Completions by session: session s asks view s modulo VIEWS."""
    answers = np.random.default_rng([seed, question]).integers(0, 4, SIZE)
    return [
        Completion(
            f"#### {key}", question=f"q{question}", place=s % VIEWS, key=str(key) if key else None, gold=GOLD
        )
        for s, key in enumerate(answers)
    ]


GOLD = frozenset({"1"})


async def answered(one, wait):
    await asyncio.sleep(wait)
    if isinstance(one, Exception):
        raise one
    return one


def shares_of(player, questions, *, seed=0):
    """Shares by question and session, everything at once, in any order; an exception where one is raised."""

    order = random.Random(seed)

    async def all_at_once():
        waits = {(q, s): order.random() * 0.05 for q, own in enumerate(questions) for s in range(len(own))}
        places = sorted(waits, key=lambda place: order.random())
        made = [player.share(f"u{q}", s, answered(questions[q][s], waits[q, s])) for q, s in places]
        return dict(zip(places, await asyncio.gather(*made, return_exceptions=True), strict=True))

    return asyncio.run(all_at_once())


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES.keys())
def test_shuffled_questions_get_the_scorers_advantages(game):
    questions = [completions(q) for q in range(5)]
    expected = Scorer(Scoring(game)).score([one for own in questions for one in own]).advantages
    found = shares_of(Player(Scorer(Scoring(game)), SIZE), questions)
    assert [found[q, s].advantage for q in range(5) for s in range(SIZE)] == expected.tolist()
    assert all(share.lost == 0 for share in found.values())


def test_without_some_completions_a_question_is_scored_by_the_others(caplog):
    """One sample less of every view is the same question with fewer samples."""
    question = completions(0)
    left = question[:-VIEWS]
    expected = Scorer(Scoring(games.Agreement())).score(left).advantages
    failed = [OSError("connection reset"), ValueError("bad token"), OSError("connection reset")]
    player = Player(Scorer(Scoring(games.Agreement())), SIZE)
    with caplog.at_level(logging.WARNING):
        found = shares_of(player, [[*left, *failed]])
    assert [found[0, s].advantage for s in range(len(left))] == expected.tolist()
    assert [found[0, s] for s in range(len(left), SIZE)] == [None] * VIEWS
    assert {found[0, s].lost for s in range(len(left))} == {VIEWS}
    assert (player.lost, player.asked) == (VIEWS, SIZE)
    (message,) = caplog.messages
    assert "3 of 12 completions are lost" in message
    assert "OSError: connection reset; ValueError: bad token" in message


def test_a_view_with_fewer_samples_is_counted_with_its_own_number():
    """Agreement, two views: an answer's reward is its share among the other view's samples, however many."""
    keys = {0: ["a", "a", "b"], 1: ["a", "b"]}
    rows = [Completion("", question="q", place=v, key=key) for v, own in keys.items() for key in own]
    scoring = Scoring(games.Agreement(), baseline="none")
    batch = Scorer(scoring).score(rows, ragged=True)
    share = {v: {key: own.count(key) / len(own) for key in own} for v, own in keys.items()}
    # F is the mean over pairs of <ν_u, ν_v>, so r_v(a) = (1/w_v)·∂F/∂ν_v(a) = 2·ν_u(a) with weights of 1/2
    expected = [2 * share[1 - v][key] for v, own in keys.items() for key in own]
    assert batch.rewards == pytest.approx(expected)
    assert batch.advantages == pytest.approx(expected)


def test_the_unread_penalty_is_shared_among_those_that_are_there():
    """Three of four are there, one of them unread: λ_⊥·(1 − 0) for it, −λ_⊥/2 of relief for each other one."""
    keys = [["a", "a", None], ["a", "a", "a", "a"]]
    rows = [Completion("", question="q", place=v, key=key) for v, own in enumerate(keys) for key in own]
    found = Scorer(Scoring(games.Agreement(), unread_penalty=0.5)).score(rows, ragged=True).advantages
    assert found == pytest.approx([0.25, 0.25, -0.5, 0, 0, 0, 0])


def test_a_batch_with_missing_completions_is_an_error_unless_it_is_expected():
    with pytest.raises(ValueError, match="same number of samples"):
        Scorer(Scoring(games.Agreement())).score(completions(0)[:-1])


def test_what_is_not_there_by_the_deadline_is_lost_and_blocks_nothing(caplog):
    question = completions(0)
    player = Player(Scorer(Scoring(games.Agreement())), SIZE, deadline=0.3)

    async def play():
        slow = dict.fromkeys(range(SIZE - VIEWS, SIZE), 60.0)
        made = [player.share("u", s, answered(one, slow.get(s, 0.0))) for s, one in enumerate(question)]
        return await asyncio.gather(*made)

    started = time.monotonic()
    with caplog.at_level(logging.WARNING):
        found = asyncio.run(play())
    assert time.monotonic() - started < 20
    expected = Scorer(Scoring(games.Agreement())).score(question[:-VIEWS]).advantages
    assert [share.advantage for share in found[:-VIEWS]] == expected.tolist()
    assert found[-VIEWS:] == [None] * VIEWS
    assert "not there after 0.3 s" in caplog.text


def test_a_session_that_never_starts_blocks_nothing():
    question = completions(0)
    player = Player(Scorer(Scoring(games.Agreement())), SIZE, deadline=0.2)
    found = shares_of(player, [question[:-1]])
    assert all(share.lost == 1 for share in found.values())
    expected = Scorer(Scoring(games.Agreement())).score(question[:-1], ragged=True).advantages
    assert [found[0, s].advantage for s in range(SIZE - 1)] == expected.tolist()
    assert player._open == {}


def test_what_ignores_its_cancellation_is_left_behind():
    question = completions(0)
    player = Player(Scorer(Scoring(games.Agreement())), SIZE, deadline=0.2)

    async def stubborn():
        for _ in range(5):
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                continue

    async def play():
        made = [player.share("u", s, answered(one, 0.0)) for s, one in enumerate(question[:-1])]
        started = time.monotonic()
        found = await asyncio.gather(*made, player.share("u", SIZE - 1, stubborn()))
        return found, time.monotonic() - started

    found, took = asyncio.run(play())
    assert found[-1] is None
    assert took < 1
    assert {share.lost for share in found[:-1]} == {1}


def test_a_cancelled_session_is_lost_to_the_others():
    question = completions(0)
    player = Player(Scorer(Scoring(games.Agreement())), SIZE)

    async def play():
        cancelled = asyncio.create_task(player.share("u", 0, answered(question[0], 60.0)))
        others = [asyncio.create_task(player.share("u", s, answered(question[s], 0.0))) for s in range(1, SIZE)]
        await asyncio.sleep(0.05)
        cancelled.cancel()
        return await asyncio.gather(*others)

    assert {share.lost for share in asyncio.run(play())} == {1}


def test_too_few_views_left_is_no_game():
    question = [one if s % VIEWS == 0 else OSError("down") for s, one in enumerate(completions(0))]
    found = shares_of(Player(Scorer(Scoring(games.Agreement())), SIZE), [question])
    assert {share.advantage for share in found.values() if share is not None} == {0.0}


def test_a_question_without_any_completion_is_an_error_of_every_session():
    found = shares_of(Player(Scorer(Scoring(games.Agreement())), SIZE), [[OSError("down")] * SIZE])
    assert {type(error) for error in found.values()} == {EndpointError}
    assert "all 12 completions of a question are lost: OSError: down" in str(found[0, 0])


def test_questions_that_are_asked_at_the_same_time_stay_apart():
    """More completions than a reward worker answers at a time: none waits for one that isn't started."""
    questions = [completions(q) for q in range(120)]
    found = shares_of(Player(Scorer(Scoring(games.Agreement())), SIZE, deadline=60.0), questions)
    assert len(found) == 120 * SIZE
    assert {share.lost for share in found.values()} == {0.0}


ASKED = Question(
    "a", (View("Where?\nA. Rome\nB. Paris", "view 1"), View("Where?\nA. Paris\nB. Rome", "view 2")), "B"
)


def row(**changes):
    (found,) = to_rows([ASKED], "train", 2).to_pylist()
    return found["extra_info"] | changes, found["reward_model"]["ground_truth"]


def test_a_row_is_read_as_training_reads_it():
    asked = Asked.of(*row())
    scorer = Scorer(Scoring(games.Agreement()))
    read = [asked.read("The answer is (A).", view, scorer, truncated=False) for view in (0, 1)]
    assert [(one.key, one.right, one.place) for one in read] == [("A", False, 0), ("B", True, 1)]
    assert asked.read("The answer is (A).", 0, scorer, truncated=True).key is None
    assert asked.trained
    assert not Asked.of(*row(split="test")).trained


HOSTILE = {
    "nothing": None,
    "a text": "x",
    "no views": row(views=None)[0],
    "empty views": row(views=[])[0],
    "a view that is a text": row(views=["x"])[0],
    "no messages": row(views=[{"prompt": [], "answer_map": None}])[0],
    "a number for a text": row(views=[{"prompt": [{"role": "user", "content": 3}], "answer_map": None}])[0],
    "a map that is no JSON": row(views=[{"prompt": [{"role": "user", "content": "x"}], "answer_map": "{"}])[0],
    "a map that is a list": row(views=[{"prompt": [{"role": "user", "content": "x"}], "answer_map": "[1]"}])[0],
    "no id": row(question_id=None)[0],
}


@pytest.mark.parametrize("info", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_row_that_is_not_ours_is_an_error_with_the_remedy(info):
    with pytest.raises(DataError, match=r"extra_info.*alft\.verl\.rows"):
        Asked.of(info, "B")


def test_the_game_of_a_section_is_the_configurations():
    player = player_of({"game": "agreement", "scoring": {"unread_penalty": 0.25}, "completions": 8})
    assert (player.size, player.scorer.scoring.unread_penalty) == (8, 0.25)
    assert isinstance(player.scorer.scoring.game, games.Agreement)
    assert player is player_of({"completions": 8, "scoring": {"unread_penalty": 0.25}, "game": "agreement"})


@pytest.mark.parametrize(
    ("section", "places"),
    [
        ({}, ["alft.completions"]),
        ({"completions": True, "deadline": 0}, ["alft.completions", "alft.deadline"]),
        ({"completions": 8, "deadline": math.nan}, ["alft.deadline"]),
        ({"completions": 8, "scoring": {"beta": 0.1}, "parity": {}}, ["parity", "scoring.beta"]),
        ({"completions": 8, "game": "coherence_fixed"}, ["game"]),
        ({"completions": 8, "game": "random"}, ["game: random"]),
        ({"completions": 8, "constraints": [{"key": "7", "at_most": 0.1}]}, ["constraints"]),
        ({"completions": 8, "gme": "agreement"}, ["configuration: gme"]),
    ],
)
def test_a_section_that_can_not_be_played_names_every_place(section, places):
    with pytest.raises(ConfigError) as caught:
        player_of(section)
    assert [problem.where for problem in caught.value.problems] == places


def test_a_plain_configuration_is_playable():
    config = load_config({"game": "agreement"})
    assert list(unplayable(config, config.game.build())) == []
