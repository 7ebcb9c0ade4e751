"""`alft solve PROBLEM.json`: what it reads, writes and refuses."""

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from alft.cli.offline import solve
from alft.errors import DataError
from alft.games import TsallisDiversity
from alft.offline.problem import load_problem
from alft.tabular import gap
from alft.tabular.problem import solve_problem
from alft.tabular.show import gaps_by_round

GOOD = {
    "game": "coherence_arithmetic",
    "beta": 0.1,
    "questions": [
        {"id": "q1", "answers": ["7", "8"], "reference": [[0.9, 0.1], [0.4, 0.6]]},
        {"id": "q2", "answers": ["a", "b", "[bold]c"], "counts": [[5, 3, 0], [8, 0, 0], [1, 1, 1]]},
    ],
}
app = typer.Typer()
app.command()(solve)


def written(tmp_path, content):
    path = tmp_path / "problem.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_equilibrium_table_json_and_plot(tmp_path):
    path, out, plot = written(tmp_path, GOOD), tmp_path / "out.json", tmp_path / "plot.png"
    result = CliRunner().invoke(app, [str(path), "--output", str(out), "--plot", str(plot)])
    assert result.exit_code == 0, result.output
    assert "0.900 → " in result.output
    assert "[bold]c" in result.output
    found = json.loads(out.read_text())["questions"]
    assert [row["gap"] <= 1e-10 for row in found] == [True, True]
    weights = np.array(found[0]["weights"])
    assert weights * np.array(GOOD["questions"][0]["reference"]) == pytest.approx(
        np.array(found[0]["equilibrium"])
    )
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_counts_are_smoothed_by_half_a_sample(tmp_path):
    problem = load_problem(written(tmp_path, GOOD))
    assert problem.questions[1].reference[1].tolist() == pytest.approx([8.5 / 9.5, 0.5 / 9.5, 0.5 / 9.5])


def test_a_list_of_games_is_their_weighted_sum(tmp_path):
    terms = [{"game": "correctness", "weight": 1.0}, {"game": "diversity", "weight": 0.5}]
    questions = [{"answers": ["x", "y"], "reference": [[0.5, 0.5]], "gold": "x"}]
    problem = load_problem(written(tmp_path, {"game": terms, "beta": 1.0, "questions": questions}))
    nu = solve_problem(problem)[0].equilibrium.nu
    assert nu[0, 0] / nu[0, 1] == pytest.approx(np.exp(1 / 1.5))


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        ("{", ["problem.json:1:2", "bad JSON"]),
        ("", ["bad JSON"]),
        ('{"game": NaN}', ["NaN is not JSON"]),
        ("[" * 100_000, ["nested too deep"]),
        ('{"beta": 0.1, "beta": 1}', ["the field 'beta' appears twice"]),
        ('{"beta": 1} {}', ["more text after the object"]),
        ([1], ["not a JSON object"]),
        ({**GOOD, "beta": -1, "extra": 1}, ["beta: must be a number of at least 0, not -1", "extra: unknown key"]),
        ({**GOOD, "beta": True}, ["beta: must be a number"]),
        (json.dumps(GOOD).replace("0.1,", "9" * 5000 + ",", 1), ["beta: must be a number"]),
        (json.dumps(GOOD).replace("0.9", "9" * 5000), ["negative or not finite"]),
        ({**GOOD, "game": [{"game": ["x"]}]}, ["game.0.game: Input should be a valid string"]),
        ({**GOOD, "game": None}, ["a game is a name"]),
        (json.dumps({**GOOD, "game": 0}).replace("0", "[" * 900 + "]" * 900, 1), ["game"]),
        ({**GOOD, "game": [{"game": "diversity", "wieght": 3}]}, ["game.wieght: diversity has no such parameter"]),
        ({**GOOD, "game": [{"game": "diversity", "weight": -1}]}, ["game.weight: must be at least 0"]),
        ({**GOOD, "game": [{"game": "diversity", "log": "plugin"}]}, ["game.log: chooses an estimator"]),
        ({**GOOD, "game": "my.py:Game"}, ["game: a problem file runs no code — name it on", "--game my.py:Game"]),
        ({**GOOD, "game": [{"game": "diversity_tsallis", "alpha": 1}]}, ["alpha must be positive"]),
        ({**GOOD, "game": "target_match"}, ["questions[0].target: target_match needs the wanted"]),
        ({**GOOD, "questions": [GOOD["questions"][0]] * 2}, ["questions[1].id: 'q1' is the id of questions[0]"]),
        (
            {**GOOD, "questions": [{**GOOD["questions"][0], "weights": [1], "target": [0.5, 0.6]}]},
            ["weights: must be a list of 2 numbers", "target: must sum to 1, not 1.1"],
        ),
        ({**GOOD, "questions": [{**GOOD["questions"][0], "weights": [0, 0]}]}, ["at least 0, not all 0"]),
        (
            {**GOOD, "limits": [{"costs": {"7": "x"}, "at_most": 1}, 3]},
            ["limits[0]: must be", "limits[1]: must be"],
        ),
        ({**GOOD, "beta": 0, "limits": [{"costs": {"7": 1}, "at_most": 1}]}, ["need a beta above 0"]),
        (
            {**GOOD, "limits": [{"costs": {"7": 1, "Seven": 1}, "at_most": 1}]},
            ["limits[0].costs: 'Seven' is no question's answer", "known: 7, 8"],
        ),
        (
            {**GOOD, "game": "coherance", "beta": None},
            ["no game is called 'coherance' — did you mean 'coherence'", "beta: must be a number"],
        ),
        ({**GOOD, "game": "majority"}, ["'majority' is not concave"]),
        ({**GOOD, "game": "correctness"}, ["questions[0].gold: the game is played on gold answers"]),
        ({**GOOD, "questions": []}, ["at least one question"]),
        (
            {**GOOD, "questions": [{"answers": ["a", "a"], "reference": [[0.5, 0.6]]}, {"answers": ["a"]}, 3]},
            ["names an answer twice", "must sum to 1, not [1.1]", "needs either reference", "questions[2]"],
        ),
        (
            {**GOOD, "questions": [{"answers": ["a", "b"], "counts": [[1, -1], [1, 1]], "gold": "c"}]},
            ["negative or not finite", "'c' is none of the answers"],
        ),
        ({**GOOD, "questions": [{"answers": ["a", "b"], "reference": [[1.0, 0.0]]}]}, ["at least 2 views"]),
        ({**GOOD, "questions": [{"answers": ["a", "b"], "counts": [[1, 2], [1]]}]}, ["one list of 2 numbers"]),
        ({**GOOD, "questions": [{"answers": ["a"], "counts": [[True], ["1"]]}]}, ["one list of 1 numbers"]),
    ],
)
def test_everything_wrong_is_said_at_once(tmp_path, content, messages):
    with pytest.raises(DataError) as error:
        load_problem(written(tmp_path, content))
    for message in messages:
        assert message in str(error.value)


OWN = "examples/own_game.py:QuadraticPairs"


@pytest.mark.parametrize("content", [GOOD, {key: GOOD[key] for key in ("beta", "questions")}])
def test_a_game_of_ones_own_is_named_beside_the_file(tmp_path, content):
    """On two views it is −‖ν_1 − ν_2‖², four times the Euclidean game's −Σ_{u<v} w_u w_v ‖ν_u − ν_v‖²."""
    path, out = written(tmp_path, {**content, "questions": GOOD["questions"][:1]}), tmp_path / "out.json"
    result = CliRunner().invoke(app, [str(path), "--game", OWN, "-o", str(out)])
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())["questions"][0]
    known = solved(tmp_path, game={"coherence_euclidean": 4.0}, questions=GOOD["questions"][:1])[0]
    assert found["gap"] <= 1e-10
    assert np.array(found["equilibrium"]) == pytest.approx(known.equilibrium.nu, abs=1e-5)


def test_what_is_wrong_with_a_game_beside_the_file_is_told_as_of_there(tmp_path):
    path = written(tmp_path, {**GOOD, "beta": -1})
    for game, told in [
        ("majority", "is not concave"),
        ("no.py:Game", "there is no file"),
        ("x", "no game is called"),
    ]:
        error = CliRunner().invoke(app, [str(path), "--game", game]).exception
        assert isinstance(error, DataError)
        assert [one.where.split(":")[0] for one in error.problems] == ["--game", str(path)]
        assert told in error.problems[0].what
    refused = CliRunner().invoke(app, [str(path), "--beta", "1"]).exception
    assert isinstance(refused, DataError)
    assert "--beta: is for samples" in str(refused)


def test_a_game_without_an_equilibrium_on_this_support(tmp_path):
    questions = [{"id": "q9", "answers": ["a", "b"], "reference": [[1, 0], [0.5, 0.5]]}]
    problem = load_problem(written(tmp_path, {**GOOD, "game": "coherence_pairwise", "questions": questions}))
    with pytest.raises(DataError, match=r"question q9: the objective is −∞.*give counts"):
        solve_problem(problem)


def test_missing_files_and_existing_outputs(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        load_problem(tmp_path / "none.json")
    path = written(tmp_path, GOOD)
    with pytest.raises(DataError, match="exists already"):
        solve([path], output=path)


def solved(tmp_path, **changes):
    return solve_problem(load_problem(written(tmp_path, {**GOOD, **changes})))


APART = [{"id": "q", "answers": ["a", "b"], "reference": [[1, 0], [0, 1]]}]


@pytest.mark.parametrize("game", ["diversity", "coherence_arithmetic", "coherence_euclidean"])
def test_views_without_a_common_answer_are_played_where_the_objective_is_finite(tmp_path, game):
    """F = −∞ is what makes a common answer necessary: then, and only then, it is asked for."""
    assert solved(tmp_path, game=game, questions=APART)[0].equilibrium.gap <= 1e-10


def test_every_question_without_an_equilibrium_is_named(tmp_path):
    two = [APART[0], {**APART[0], "id": "r"}]
    for beta in (0.1, 0):
        with pytest.raises(
            DataError, match=r"question q: (?s:.*)give counts(?s:.*)question r: (?s:.*)give counts"
        ):
            solved(tmp_path, game="coherence", beta=beta, questions=two)


def test_beta_zero_is_hard_coherence(tmp_path):
    nu = solved(tmp_path, game="coherence_geometric", beta=0)[0].equilibrium.nu
    root = np.sqrt([0.9 * 0.4, 0.1 * 0.6])
    assert nu == pytest.approx(np.tile(root / root.sum(), (2, 1)))
    with pytest.raises(DataError, match="above 0"):
        solve([written(tmp_path, {**GOOD, "beta": 0})], plot=tmp_path / "x.png")


def test_parameters_weights_and_targets_reach_the_game(tmp_path):
    asked = {**GOOD["questions"][0], "weights": [1, 3], "target": [0.25, 0.75]}
    reference = np.array(asked["reference"])
    fixed = [{"game": "coherence_fixed", "kind": "arithmetic"}]
    nu = solved(tmp_path, game=fixed, beta=0, questions=[asked])[0].equilibrium.nu
    assert nu == pytest.approx(np.tile(np.array([0.25, 0.75]) @ reference, (2, 1)))
    match = solved(tmp_path, game={"target_match": 2.0}, beta=1.0, questions=[asked])[0].equilibrium.nu
    wanted = np.array([0.25, 0.75]) ** (2 / 3) * reference ** (1 / 3)
    assert match == pytest.approx(wanted / wanted.sum(axis=-1, keepdims=True))
    steep = solved(tmp_path, game=[{"game": "diversity_tsallis", "alpha": 3}], questions=[asked])[0]
    assert isinstance(steep.game, TsallisDiversity)
    assert steep.game.alpha == 3.0


def test_limits_are_kept_with_their_multipliers(tmp_path):
    limits = [{"costs": {"8": 1, "a": 0.5}, "at_most": 0.1}]
    found = solved(tmp_path, limits=limits)
    assert found[0].equilibrium.nu[:, 1].mean() == pytest.approx(0.1, abs=1e-6)
    assert found[0].multipliers is not None
    assert found[0].multipliers > 0
    assert gap(found[0].game, found[0].equilibrium.nu, np.array(GOOD["questions"][0]["reference"]), 0.1) <= 1e-9


@pytest.mark.parametrize("game", ["coherence", "coherence_pairwise", "coherence_arithmetic"])
def test_the_plotted_dynamics_do_not_diverge(tmp_path, game):
    problem = load_problem(written(tmp_path, {**GOOD, "game": game}))
    found = solve_problem(problem)
    curves = gaps_by_round(problem, found)
    assert set(curves) == {"mirror ascent", "no-regret play", "solver"}
    assert curves["mirror ascent"][-1] < 1e-3 * curves["mirror ascent"][0]
    assert curves["solver"][-1] <= 1e-10


def test_a_sum_of_games_is_solved_under_limits(tmp_path):
    content = {**GOOD, "game": {"coherence_geometric": 1, "diversity_gini": 0.1}}
    content["limits"] = [{"costs": {"7": 1}, "at_most": 0.2}]
    found = solve_problem(load_problem(written(tmp_path, content)))[0].equilibrium
    assert found.nu[:, 0].mean() <= 0.2 + 1e-6
