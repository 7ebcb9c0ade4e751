"""`alft solve PROBLEM.json`: what it reads, writes and refuses."""

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from alft.cli.solve import solve
from alft.errors import DataError
from alft.tabular.problem import load_problem, solve_problem

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
    nu = solve_problem(problem)[0].nu
    assert nu[0, 0] / nu[0, 1] == pytest.approx(np.exp(1 / 1.5))


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        ("{", ["problem.json:1:2", "is not JSON"]),
        ([1], ["is not a JSON object"]),
        ({**GOOD, "beta": 0, "extra": 1}, ["beta: must be a positive number, not 0", "extra: unknown key"]),
        (
            {**GOOD, "game": "coherance", "beta": None},
            ["there is no game 'coherance'", "beta: must be a positive"],
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
        (
            {**GOOD, "questions": [{"answers": ["a", "b"], "reference": [[1, 0], [0, 1]]}]},
            ["no answer has a chance in every view"],
        ),
        ({**GOOD, "questions": [{"answers": ["a", "b"], "counts": [[1, 2], [1]]}]}, ["one list of 2 numbers"]),
        ({**GOOD, "questions": [{"answers": ["a"], "counts": [[True], ["1"]]}]}, ["one list of 1 numbers"]),
    ],
)
def test_everything_wrong_is_said_at_once(tmp_path, content, messages):
    with pytest.raises(DataError) as error:
        load_problem(written(tmp_path, content))
    for message in messages:
        assert message in str(error.value)


def test_a_game_without_an_equilibrium_on_this_support(tmp_path):
    questions = [{"id": "q9", "answers": ["a", "b"], "reference": [[1, 0], [0.5, 0.5]]}]
    problem = load_problem(written(tmp_path, {**GOOD, "game": "coherence_pairwise", "questions": questions}))
    with pytest.raises(DataError, match=r"question q9: the objective is −∞.*give counts"):
        solve_problem(problem)


def test_missing_files_and_existing_outputs(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_problem(tmp_path / "none.json")
    path = written(tmp_path, GOOD)
    with pytest.raises(DataError, match="exists already"):
        solve(path, output=path)
