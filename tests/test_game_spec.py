"""Which game a configuration asks for: every form, every mistake, and a user's own file."""

from typing import Any

import numpy as np
import pytest

from alft import games
from alft.config.game import GameSpec
from alft.config.load import dump_config, load_config
from alft.errors import ConfigError
from alft.estimators import Estimator
from alft.games import Facts
from alft.offline.solve import settings_of
from alft.rewards import Scoring, score

OWN = '''"""Answers should not be sure of themselves."""
import numpy as np
from alft.games import TangentGame


class Quiet(TangentGame):
    """F = −Σ_v w_v ‖ν_v‖²/2, by its strength."""

    concave = True

    def __init__(self, strength: float = 1.0):
        self.strength = strength

    def objective(self, nu, weights):
        return -0.5 * self.strength * (weights * np.einsum("...a,...a->...", nu, nu)).sum(axis=-1)

    def answer_reward(self, marginals):
        return -SIGN self.strength * marginals.own()
'''


def spec(value):
    return GameSpec.model_validate(value)


@pytest.fixture
def own(tmp_path):
    def write(sign="", **changes):
        text = OWN.replace("SIGN", sign)
        for old, new in changes.items():
            text = text.replace(old, new)
        path = tmp_path / "quiet.py"
        path.write_text(text)
        return f"{path}:Quiet"

    return write


def test_a_name():
    assert isinstance(spec("majority").build(), games.Majority)
    assert spec("majority").estimators(Estimator()) == ()


@pytest.mark.parametrize(
    "value",
    [
        {"correctness": 1.0, "diversity_tsallis": 0.2},
        [{"game": "correctness"}, {"game": "diversity_tsallis", "weight": 0.2}],
    ],
)
def test_sums(value):
    game = spec(value).build()
    assert isinstance(game, games.Sum)
    assert [(c, type(part)) for c, part in game.terms] == [(1.0, games.Correctness), (0.2, games.TsallisDiversity)]


def test_parameters_and_estimators_of_a_term():
    wanted = spec(
        [
            {"game": "diversity_tsallis", "alpha": 3, "log": "digamma"},
            {"game": "coherence_fixed", "kind": "arithmetic"},
        ]
    )
    game: Any = wanted.build()
    assert (game.terms[0][1].alpha, game.terms[1][1].kind) == (3.0, "arithmetic")
    assert [estimator.log for estimator in wanted.estimators(Estimator(log="minimax"))] == ["digamma", "minimax"]
    assert wanted.label == "diversity_tsallis-3_and_coherence_fixed-arithmetic"


def test_each_term_is_played_by_its_own_estimator():
    codes = np.array([[[0, 1, 1, 2, 0], [0, 0, 1, 2, 2]]])
    weights, shannon, free = np.full(2, 0.5), games.Diversity("shannon"), Estimator(cap=100.0)
    parts = [Estimator(log=kind, cap=100.0) for kind in ("plugin", "digamma")]
    both = score(
        codes, weights, Scoring(games.Sum((1.0, shannon), (2.0, shannon)), free, term_estimators=tuple(parts))
    )
    one, two = (score(codes, weights, Scoring(shannon, part)) for part in parts)
    assert both.advantages == pytest.approx(one.advantages + 2 * two.advantages)


@pytest.mark.parametrize(
    "value", ["majority", {"correctness": 2.0}, [{"game": "coherence_fixed", "kind": "arithmetic"}]]
)
def test_a_configuration_is_written_as_it_is_read(tmp_path, value):
    config = load_config(None).model_copy(update={"game": spec(value)})
    path = tmp_path / "run.yaml"
    path.write_text(dump_config(config))
    assert load_config(path) == config


def test_a_single_term_is_played_by_the_estimator_that_it_asks_for():
    codes = np.array([[[0, 1, 1, 2, 0]]])
    common = Estimator(cap=100.0)
    alone = spec([{"game": "diversity_shannon", "log": "digamma", "own": "plugin"}])
    chosen = Estimator(own="plugin", log="digamma", cap=100.0)
    assert alone.estimators(common) == (chosen,)
    seen = score(codes, np.ones(1), Scoring(alone.build(), common, term_estimators=alone.estimators(common)))
    wanted = score(codes, np.ones(1), Scoring(games.Diversity("shannon"), chosen))
    assert seen.advantages == pytest.approx(wanted.advantages)
    assert seen.advantages != pytest.approx(
        score(codes, np.ones(1), Scoring(games.Diversity("shannon"), common)).advantages
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("majorty", "no game is called 'majorty' — did you mean 'majority'?"),
        ({"correctness": 1.0, "x": 1.0}, "game[1]: no game is called 'x'"),
        (
            {"game": "diversity_tsallis", "beta": 1},
            "game.beta: diversity_tsallis has no such parameter — it has alpha",
        ),
        ({"game": "diversity_tsallis", "alpha": 1}, "can't be made: alpha must be positive"),
        ({"game": "coherence_fixed", "kind": "mode"}, "can't be made"),
        ("nowhere.py:Game", "there is no file 'nowhere.py'"),
        ("target_match", "game: target_match needs q — {game: target_match, q: {ANSWER: WEIGHT, …}}"),
        ({"game": "majority", "q": {"a": 1.0}}, "game.q: majority has no such parameter"),
        ({"game": "target_match", "q": {}}, "game[0].q: lists no answer"),
        ({"game": "target_match", "q": {"7": 1.0, "7.0": 1.0, "": 1.0, "8": -1.0}}, "'7.0' is listed twice"),
        ([{"game": "target_match", "q": {"7": 1.0}}] * 2, "more than one term has a q"),
    ],
)
def test_mistakes(value, told):
    with pytest.raises(ConfigError) as error:
        spec(value).build()
    assert told in str(error.value)


def test_target_match_wants_weights_by_answer():
    """Against the game on arrays; an answer that is not listed has a thousandth of their weight."""
    wanted = spec({"game": "target_match", "q": {"1,000": 3, "7": 1}, "weight": 2.0})
    q = wanted.wanted()
    assert q is not None
    table = q.table([["7", "1000"], ["1000", "9"]])
    assert table == pytest.approx(np.array([[0.25, 0.75], [0.75 / 0.751, 0.001 / 0.751]]))
    nu, weights = np.array([[[0.5, 0.5]], [[0.9, 0.1]]]), np.ones(1)
    told = wanted.build().given(Facts(wanted=table))
    assert told.objective(nu, weights) == pytest.approx(2 * games.TargetMatch(table).objective(nu, weights))
    assert spec("majority").wanted() is None
    assert load_config(None, ['game={game: target_match, q: {"7": 1}}']).game.terms[0].q == {"7": 1.0}


def test_a_name_keeps_the_size_and_the_sign_of_a_weight():
    assert spec({"agreement": 1_000_000}).label == "1e06agreement"
    assert spec({"agreement": -1, "majority": -2}).label == "minus-1agreement_and_-2majority"


def test_a_users_own_game(own):
    game = spec({"game": own(), "strength": 2.0}).build()
    assert game.concave
    nu = np.array([[0.5, 0.5]])
    assert game.reward(nu, np.ones(1)).tolist() == [[-1.0, -1.0]]
    assert spec(own()).label == "Quiet"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sign": "-"}, "answer_reward is not (1/w_v) ∂F/∂ν_v(a) of its objective"),
        ({"-0.5": "0.5", "sign": "-"}, "says concave = True, and its objective is not"),
        ({"import numpy": "import nunpy"}, "quiet.py:2 fails: ModuleNotFoundError"),
        ({"Quiet(": "Loud("}, "defines no 'Quiet'"),
        ({"TangentGame)": "object)"}, "is no subclass of alft.games.Game"),
        ({"def answer_reward": "def reward_of"}, "does not say answer_reward"),
        ({"marginals.own": "marginals.their"}, "fails on answer marginals"),
        ({"marginals.own()": "marginals.nu"}, "fails on sampled answers, 6 of them: AttributeError"),
        ({"concave = True": ""}, "quiet.py:Quiet: does not say concave"),
        ({"self.strength = strength": "1 / 0"}, "can't be made: division by zero"),
        ({".sum(axis=-1)": ""}, "objective has shape (5, 3)"),
    ],
)
def test_a_users_own_game_is_checked(own, changes, told):
    with pytest.raises(ConfigError) as error:
        spec(own(**changes)).build()
    assert told in str(error.value)


def test_where_plays_each_question_by_its_own_game():
    codes = np.array([[[0, 1, 1, 0], [0, 0, 1, 1]]] * 2)
    facts = Facts(gold=np.array([[1.0, 0.0], [0.0, 0.0]]), answered=np.array([1.0, 0.0]))
    game = spec(
        [{"game": "correctness", "where": "answered"}, {"game": "agreement", "where": "unanswered"}]
    ).build()
    assert not game.needs_gold
    assert game.sees_gold
    weights = np.full(2, 0.5)
    mixed = score(codes, weights, Scoring(game), facts).advantages
    assert mixed[0] == pytest.approx(score(codes, weights, Scoring(games.Correctness()), facts).advantages[0])
    assert mixed[1] == pytest.approx(score(codes, weights, Scoring(games.Agreement())).advantages[1])


def test_offline_target_match_is_told_to_be_unknown_there():
    """A samples file has answers by number, so q by answer has no place in it."""
    with pytest.raises(ConfigError, match="no game is called 'target_match'"):
        settings_of('{game: target_match, q: {"7": 1}}', 0.1, None)


def test_the_seed_of_a_run_is_for_named_games(own):
    seeded = own(
        **{"strength: float = 1.0": "strength: float = 1.0, seed: int = 7", "= strength": "= strength + seed"}
    )
    assert spec(seeded).build(seed=3).strength == 1 + 7
    assert spec({"game": seeded, "seed": 5}).build(seed=3).strength == 1 + 5
    named = spec("random").build(seed=3)
    assert isinstance(named, games.Random)
    assert named.seed == 3


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("bool", "no", "game.strength: must be true or false, not 'no'"),
        ("int", 2.7, "game.strength: must be a whole number, not 2.7"),
        ("float", True, "game.strength: must be a number, not True"),
        ("float", "hello", "game.strength: must be a number, not 'hello'"),
    ],
)
def test_a_parameter_is_of_the_type_that_init_says(own, kind, value, told):
    path = own(**{"strength: float = 1.0": f"strength: {kind} = 1.0"})
    assert spec({"game": path, "strength": {"float": 3, "bool": True, "int": 2}[kind]}).build()
    with pytest.raises(ConfigError) as error:
        spec({"game": path, "strength": value}).build()
    assert told in str(error.value)


@pytest.mark.parametrize(("name", "value"), [("weight", 2.0), ("log", "digamma"), ("own", "plugin")])
def test_a_parameter_that_the_term_would_take_is_refused(own, name, value):
    path = own(strength=name)
    assert spec(path).build()
    with pytest.raises(ConfigError, match=rf"game\.{name}: .* never reach it — rename the parameter"):
        spec({"game": path, name: value}).build()
