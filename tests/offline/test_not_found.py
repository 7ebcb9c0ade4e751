"""Weights are those of an equilibrium: where none is, or none was found, a user hears of it."""

import io
import json

import numpy as np
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from alft import games
from alft.cli.offline import solve
from alft.cli.options import data_warnings_as_notes
from alft.errors import DataError
from alft.games.base import LinearEntropic
from alft.offline.reweight import SolveSettings
from alft.offline.solve import solve_samples
from alft.reporting.terminal import solution_table
from alft.tabular import GapWarning
from alft.tabular.problem import TabularProblem, TabularQuestion, solve_problem
from tests.offline.made import drawn

MARGINALS = [[[0.5, 0.3, 0.2], [0.2, 0.5, 0.3]], [[0.6, 0.4, 0.0], [0.3, 0.3, 0.4]], [[1.0, 0.0, 0.0]] * 2]


class Flat(games.TangentGame):
    """F = −10 Σ_v w_v max_a ν_v(a): concave, with a kink where answers are tied, which Newton can't reach."""

    concave = True

    def objective(self, nu, weights):
        return -10 * (weights * nu.max(axis=-1)).sum(axis=-1)

    def answer_reward(self, marginals):
        return -10 * marginals.own_mode()


class Naked(games.TangentGame):
    """Shannon diversity without `alft.simplex`: 0·log 0 is no number."""

    concave = True

    def objective(self, nu, weights):
        with np.errstate(all="ignore"):
            return -(weights * (nu * np.log(nu)).sum(axis=-1)).sum(axis=-1)

    def answer_reward(self, marginals):
        return -marginals.log_own()


def solved(tmp_path, game, beta=0.1, shrinkage=0.0):
    samples = drawn(tmp_path / "s.parquet", MARGINALS, 20)
    return solve_samples(samples, SolveSettings(game, beta, shrinkage), "own")


def test_questions_whose_equilibrium_was_not_found_are_named(tmp_path):
    with pytest.warns(
        GapWarning, match=r"of 2 of 3 questions was NOT found, by gap: q1 \(4.2\), q0 \(3.3\) .* beta"
    ):
        solution = solved(tmp_path, Flat())
    summary = solution.summary()
    assert sorted(summary["not_found"]) == ["q0", "q1"]
    assert summary["largest_gap"] > 2
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(solution_table(summary))
    assert "2 questions whose equilibrium was NOT found: q1, q0" in console.export_text()


def test_what_is_found_is_not_warned_of(tmp_path):
    assert solved(tmp_path, games.GiniDiversity()).summary()["not_found"] == []


def test_an_equilibrium_that_is_no_number_is_an_error_with_its_questions(tmp_path):
    with pytest.raises(DataError) as error:
        solved(tmp_path, Naked())
    (problem,) = error.value.problems
    assert problem.where.endswith("s.parquet")
    assert problem.what.startswith("own has no equilibrium on 2 questions (q0, q1): the game's objective is nan")
    assert "fix the game" in problem.remedy


def test_an_objective_of_minus_infinity_is_an_error_with_its_questions(tmp_path):
    with pytest.raises(
        DataError, match=r"no equilibrium on 1 question \(q1\): the objective is −∞.*--shrinkage 1"
    ):
        solved(tmp_path, games.JeffreysCoherence())


def test_a_limit_that_is_no_number_is_an_error_too(tmp_path):
    class Doubtful(games.Correctness):
        def closed_form(self):
            return LinearEntropic(np.full((1, 1), np.nan), 0.0)

    with pytest.raises(DataError, match=r"on 3 questions .*: the limit for β → 0 is nan"):
        solved(tmp_path, Doubtful(), beta=0.0)


@pytest.fixture
def run(tmp_path):
    app = typer.Typer()
    app.command()(solve)
    drawn(tmp_path / "s.parquet", MARGINALS, 20)
    return lambda *options: CliRunner().invoke(app, [str(tmp_path / "s.parquet"), *map(str, options)])


def test_no_weights_are_written_where_there_is_no_equilibrium(tmp_path, run):
    told = run("--game", "coherence_pairwise", "--beta", 0.1, "--shrinkage", 0, "-o", tmp_path / "w.parquet")
    assert isinstance(told.exception, DataError)
    assert not (tmp_path / "w.parquet").exists()


def test_the_summary_says_what_was_found(tmp_path, run):
    told = run("--game", "diversity", "--beta", 0.1, "--summary", tmp_path / "s.json")
    assert told.exit_code == 0
    assert json.loads((tmp_path / "s.json").read_text())["not_found"] == []


def test_a_problem_in_json_warns_too():
    facts, reference = games.Facts(), np.array([[0.6, 0.4]])
    question = TabularQuestion("q7", ("a", "b"), reference, facts)
    with pytest.warns(GapWarning, match=r"Flat: the equilibrium of 1 of 1 questions was NOT found, by gap: q7 \("):
        solve_problem(TabularProblem(Flat(), 0.1, (question,)))


def test_it_is_told_as_a_note_without_a_line_of_our_source(tmp_path):
    console = Console(width=300, file=io.StringIO(), record=True)
    question = TabularQuestion("q7", ("a", "b"), np.array([[0.6, 0.4]]), games.Facts())
    with data_warnings_as_notes(console):
        solve_problem(TabularProblem(Flat(), 0.1, (question,)), "p.json")
    assert console.export_text().startswith("look at: p.json: Flat: the equilibrium of 1 of 1 questions was NOT")
