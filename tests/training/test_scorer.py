"""The scorer: any order of rows, different views of each question, memory, mixed gold, a fixed Target."""

import json
from dataclasses import replace

import numpy as np
import pytest

from alft import games
from alft.completions import Completion
from alft.errors import ConfigError
from alft.rewards import Scoring, score
from alft.rewards.populations import DualSettings, GroupParity, Limit
from alft.rewards.scorer import Scorer, read_completion
from alft.rewards.target import ReferenceAnswers
from alft.training.callbacks import step_metrics


def rows(answers, *, gold=None, group=None, views=None):
    """Rows from answers with axes (question, view, sample)."""
    return [
        Completion(
            str(key),
            question=f"q{q}",
            place=(views or {}).get(q, range(9))[v],
            key=key,
            gold=(gold or {}).get(q),
            group=(group or {}).get(q),
        )
        for q, views_ in enumerate(answers)
        for v, samples in enumerate(views_)
        for key in samples
    ]


ANSWERS = [[["7", "7", None, "8"], ["7", "8", "8", "8"]], [["1", "2", "3", "1"], ["1", "1", "1", "2"]]]


def flag(told):
    return float("nan") if told.key is None else float(told.key == "8")


def test_the_order_of_rows_does_not_matter():
    asked = rows(ANSWERS)
    order = np.random.default_rng(0).permutation(len(asked))
    scorer = Scorer(Scoring(games.Coherence()))
    straight, mixed = scorer.score(asked), scorer.score([asked[i] for i in order])
    assert mixed.advantages == pytest.approx(straight.advantages[order])


def test_questions_may_be_asked_in_different_views():
    views = {0: [0, 2], 1: [1, 3]}
    scorer = Scorer(Scoring(games.Coherence()))
    drawn = scorer.score(rows(ANSWERS, views=views, gold={0: frozenset({"7"})}))
    assert drawn.views.tolist() == [[0, 2], [1, 3]]
    assert drawn.advantages == pytest.approx(scorer.score(rows(ANSWERS)).advantages)
    metrics = step_metrics(drawn)
    assert (metrics["accuracy/0"], metrics["accuracy/2"], metrics["accuracy/1"]) == (0.5, 0.25, None)


def test_a_limit_is_paid_beside_the_game_under_an_exact_baseline():
    limit = Limit("eight", flag, 0.1, DualSettings(rate=4.0, damping=0.0))
    limit.multiplier = 2.0
    alone = Scorer(Scoring(games.Coherence())).score(rows(ANSWERS))
    both = Scorer(Scoring(games.Coherence()), {"eight": limit}).score(rows(ANSWERS))
    paid = np.array([0, 0, 0, -2, 0, -2, -2, -2, *[0] * 8], dtype=float)
    # view 1: three readable of four, so mean of the others and a scale of 4/3; view 2: mean of three others
    wanted = [4 / 3, 4 / 3, 0, -2 * 4 / 3, 2, -2 / 3, -2 / 3, -2 / 3, *[0] * 8]
    assert np.nan_to_num(both.rewards) == pytest.approx(np.nan_to_num(alone.rewards) + paid)
    assert both.advantages - alone.advantages == pytest.approx(wanted)
    assert limit.multiplier == pytest.approx(2.0 + 4 * (4 / 15 - 0.1))
    assert both.memory == {"cost/eight": pytest.approx(4 / 15), "multiplier/eight": limit.multiplier}


def test_the_only_readable_completion_of_a_view_pays_nothing_for_a_limit():
    """Whether an answer costs more than others is not told by one: it is not pushed towards being unread."""
    limit = Limit("all", lambda told: float("nan") if told.key is None else 1.0, 0.0)
    limit.multiplier = 20.0
    few = rows([[["7", None, None, None], ["7", "8", None, None]]])
    both, alone = (
        Scorer(Scoring(games.Coherence()), memory).score(few).advantages for memory in ({"all": limit}, {})
    )
    assert both.tolist() == alone.tolist()


def test_a_users_cost_is_asked_once_for_each_completion():
    asked = []
    limit = Limit("mine", lambda told: asked.append(told) or 0.0, 0.5)
    Scorer(Scoring(games.Coherence()), {"mine": limit}).score(rows(ANSWERS))
    assert len(asked) == 16


@pytest.mark.parametrize(
    ("game", "batch", "told"),
    [
        (games.Agreement(), rows([[["7", "7", "8"]]]), "compares 2 views, and a question here has 1"),
        (games.Correctness(), rows(ANSWERS), "needs an answer to every question, and 'q0' has none"),
        (games.Coherence("fixed"), rows(ANSWERS), "made from the reference's answers, and none are known"),
    ],
    ids=["views", "gold", "reference"],
)
def test_a_batch_without_what_the_game_needs_is_refused(game, batch, told):
    with pytest.raises(ConfigError, match=told):
        Scorer(Scoring(game)).score(batch)


@pytest.mark.parametrize(
    "game", [games.TargetMatch(np.array([0.9, 0.1])), games.Correctness(np.array([1.0, 0.0]))]
)
def test_a_game_that_numbers_its_answers_is_not_trained_on(game):
    """Each batch numbers its answers by their first appearance: such a game would pay by chance."""
    for told in (game, games.Sum((1.0, game), (1.0, games.Coherence()))):
        with pytest.raises(ConfigError, match="each batch renumbers its answers"):
            Scorer(Scoring(told))


GUESS = {"role": "assistant", "content": "My guess: #### 4"}
CUT_SHORT = (
    [{**GUESS, "tool_calls": [{"type": "function"}]}],
    [GUESS, {"role": "tool", "content": "#### 5"}],
)


@pytest.mark.parametrize(
    "completion",
    [[], [{"role": "assistant"}], [{"role": "assistant", "content": None}], [{"role": "tool"}], "", *CUT_SHORT],
)
def test_a_completion_without_text_is_unread(completion):
    row = read_completion({"question_id": "q", "view": 0}, completion)
    assert (row.key, row.text, row.error) == (None, "", None)


def test_memory_learns_only_when_told_and_survives_json():
    def make():
        return Scorer(Scoring(games.Coherence()), {"eight": Limit("eight", flag, 0.1), "parity": GroupParity()})

    first, second = make(), make()
    groups = {0: "a", 1: "b"}
    start = json.dumps(first.state_dict())
    first.score(rows(ANSWERS, group=groups), learn=False)
    assert json.dumps(first.state_dict()) == start
    first.score(rows(ANSWERS, group=groups))
    state = json.dumps(first.state_dict())
    assert state != start
    second.load_state_dict(json.loads(state))
    one, two = (scorer.score(rows(ANSWERS, group=groups)) for scorer in (first, second))
    assert one.advantages.tolist() == two.advantages.tolist()
    with pytest.raises(ValueError, match="the state is of a game that remembers"):
        Scorer(Scoring(games.Coherence())).load_state_dict(json.loads(state))


def test_mixed_gold_plays_each_question_by_its_own_game():
    game = games.Sum((1.0, games.Where(games.Correctness(), True)), (1.0, games.Where(games.Coherence(), False)))
    gold = {0: frozenset({"7"})}
    mixed = Scorer(Scoring(game)).score(rows(ANSWERS, gold=gold)).advantages
    coherent = Scorer(Scoring(games.Coherence())).score(rows(ANSWERS)).advantages
    right = Scorer(Scoring(games.Correctness())).score(rows(ANSWERS[:1], gold=gold)).advantages
    assert mixed == pytest.approx(np.concatenate([right, coherent[8:]]))


def test_traces_are_compared_as_whole_texts():
    said = [replace(row, text=f"trace {place % 3}") for place, row in enumerate(rows(ANSWERS))]
    own = [replace(row, key=None if row.key is None else row.text) for row in said]
    by_trace = Scorer(Scoring(games.Coherence(), compare="traces")).score(said)
    wanted = Scorer(Scoring(games.Coherence())).score(own)
    assert by_trace.advantages.tolist() == wanted.advantages.tolist()
    assert by_trace.names == Scorer(Scoring(games.Coherence())).score(said).names  # metrics stay those of answers
    for game in (games.Correctness(), games.Coherence("fixed"), games.Where(games.Coherence(), True)):
        with pytest.raises(ValueError, match="can't compare traces"):
            Scoring(game, compare="traces")


def test_a_fixed_target_is_the_consensus_of_what_the_reference_said():
    reference = ReferenceAnswers()
    reference.add(rows([[["7", "9"], ["7", "9"]], [["1", "1"], ["2", "2"]]]))
    scorer = Scorer(Scoring(games.Coherence("fixed")), reference=reference)
    batch = scorer.score(rows(ANSWERS))
    assert batch.names == [["7", "9", "8"], ["1", "2", "3"]]
    nu = np.array([[[1.5, 1.5, 0.5]] * 2, [[2.5, 0.5, 0.5], [0.5, 2.5, 0.5]]]) / 3.5
    facts = games.Facts(reference=nu)
    wanted = score(batch.codes, np.full(2, 0.5), Scoring(games.Coherence("fixed")), facts)
    assert batch.advantages.reshape(wanted.advantages.shape) == pytest.approx(wanted.advantages)
    assert scorer.state_dict()["reference"]["counts"]["q0"] == {"0": {"7": 1, "9": 1}, "1": {"7": 1, "9": 1}}
