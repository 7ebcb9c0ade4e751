"""Completions that one view lends to another (theory.md 6.1): every readable question helped, ν* met exactly."""

import json

import numpy as np
import pytest

from alft import games, simplex
from alft.errors import DataError
from alft.offline.reweight import LEAST_LOAN, SolveSettings, reweight
from alft.offline.samples import read_samples
from alft.offline.solve import solve_samples
from alft.offline.tallies import Tallies
from alft.offline.weighted import Export, export, weighted_of
from alft.questions import Question, View
from tests.offline.made import Scripted, drawn, request, sample

HARD = SolveSettings(games.GeometricCoherence())


def reached(tallies, found):
    """Weight by (view of a question, answer), own and borrowed, over the view's completions."""
    size = int(tallies.answer.max()) + 1
    table = np.zeros((int(tallies.views.sum()), size))
    read = tallies.answer >= 0
    np.add.at(table, (tallies.place[read], tallies.answer[read]), found.weights[read])
    loans = found.loans
    np.add.at(table, (loans.view, tallies.answer[loans.completion]), loans.weight)
    return table / np.bincount(tallies.place)[:, None]


def random_tallies(seed, spaces=None):
    rng = np.random.default_rng(seed)
    question, view = (part.ravel() for part in np.divmod(np.repeat(np.arange(18), 4), 3))
    key = rng.choice([-1, -1, 0, 1, 2, 3], size=len(view))
    return Tallies.of(question, view, key, np.full(len(view), np.nan), None if spaces is None else spaces[view])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("power", [1.0, 4.0])
def test_every_question_with_a_readable_answer_is_helped_and_its_solution_met(seed, power):
    tallies = random_tallies(seed)
    found = reweight(tallies, SolveSettings(games.GeometricCoherence(), power=power))
    table = reached(tallies, found)
    starts = np.concatenate([[0], np.cumsum(tallies.views)])
    for part in found.solved:
        read = (part.batch.counts > 0).any(axis=(1, 2))
        assert part.helped.tolist() == read.tolist()
        for question, nu in zip(part.batch.questions[read], part.nu[read], strict=True):
            here = table[starts[question] : starts[question + 1], : nu.shape[1]]
            least = LEAST_LOAN / 4  # of four completions a view; what is less is not borrowed
            assert np.abs(here - nu[:, : here.shape[1]]).max() < least
    assert found.loans.weight.size > 0


def test_what_a_view_gave_itself_is_not_borrowed():
    tallies = random_tallies(1)
    found, alone = (reweight(tallies, SolveSettings(HARD.game, borrow=borrow)) for borrow in (True, False))
    helped = np.concatenate([part.batch.questions[part.helped] for part in alone.solved])
    here = np.isin(tallies.question, helped)
    assert found.weights[here].tolist() == alone.weights[here].tolist()
    counts = reached(tallies, reweight(tallies, SolveSettings(games.Format())))
    assert (counts[found.loans.view, tallies.answer[found.loans.completion]] == 0).all()


def test_lenders_share_a_loan_alike_and_only_within_their_space_of_answers():
    question, view = np.zeros(8, int), np.array([0, 0, 1, 1, 2, 2, 2, 2])
    key = np.array([5, 5, 5, -1, -1, -1, -1, -1])
    right = np.full(8, np.nan)
    together = reweight(Tallies.of(question, view, key, right), HARD)
    assert together.loans.completion.tolist() == [0, 1, 2]
    assert together.loans.weight.tolist() == pytest.approx([4 / 3] * 3)
    apart = reweight(Tallies.of(question, view, key, right, np.array([1, 1, 0, 0, 0, 0, 0, 0])), HARD)
    assert apart.loans.completion.tolist() == [2]
    assert apart.loans.weight.tolist() == pytest.approx([4])


def test_loans_go_through_the_file_and_the_export_with_the_borrowers_prompt(tmp_path):
    samples = drawn(tmp_path / "s.parquet", [[[1.0, 0.0], [0.0, 1.0]]] * 3, 4)
    solution = solve_samples(samples, HARD, "coherence_geometric")
    solution.write(tmp_path / "w.parquet")
    read = weighted_of(read_samples(tmp_path / "w.parquet"))
    assert read.row_weights.tolist() == solution.weighted.row_weights.tolist()
    assert read.groups.tolist() == solution.weighted.groups.tolist()
    assert len(read.loans.weight) == 3 * 8
    for weighted in (read, solution.weighted):
        export(weighted, tmp_path / "out.jsonl", Export("prompt_completion", weighted=True))
        rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        total: dict[tuple[str, str], float] = {}
        for row in rows:
            place = row["prompt"], row["completion"]
            total[place] = total.get(place, 0.0) + row["weight"]
        expected = {(f"q{i}/{v}", f"So #### {a}"): 2.0 for i in range(3) for v in range(2) for a in range(2)}
        assert total == pytest.approx(expected)
    assert len(read.samples) == 24  # what is borrowed is no second completion
    again = solve_samples(read.samples, HARD, "coherence_geometric")
    assert again.weights.tolist() == solution.weights.tolist()


def test_a_loan_to_a_view_that_is_not_there_is_refused(tmp_path):
    import pyarrow.parquet as pq

    samples = drawn(tmp_path / "s.parquet", [[[1.0, 0.0], [0.0, 1.0]]], 4)
    solve_samples(samples, HARD, "coherence_geometric").write(tmp_path / "w.parquet")
    table = pq.read_table(tmp_path / "w.parquet")
    lists = [[{"view": "nobody", "weight": 1.0}]] * len(table)
    index = table.schema.get_field_index("lent")
    bad = table.set_column(index, table.schema.field(index), [lists])
    pq.write_table(bad, tmp_path / "bad.parquet")
    with pytest.raises(DataError, match="no view is called 'nobody'"):
        read_samples(tmp_path / "bad.parquet")


def test_nothing_to_help_is_an_error_with_cause_and_remedy(tmp_path):
    asked = [Question("q", (View("a", "view 0"), View("b", "view 1")), None)]
    sample(request(asked, 4), Scripted(lambda prompt, sampling: ["hm"] * sampling.samples), tmp_path / "s.parquet")
    with pytest.raises(DataError, match="100 % of the completions are unread and 0 % cut off") as error:
        solve_samples(read_samples(tmp_path / "s.parquet"), HARD, "coherence_geometric")
    assert "data.instruction" in str(error.value)


def test_the_format_control_weighs_every_readable_completion_alike():
    tallies = random_tallies(3)
    found = reweight(tallies, SolveSettings(games.Format()))
    read = tallies.answer >= 0
    share = np.bincount(tallies.place[read], minlength=18) / 4
    assert found.weights[read] == pytest.approx(1 / share[tallies.place[read]])
    assert found.loans.weight.size == 0


def test_sharper_solutions_are_surer():
    tallies = random_tallies(2)
    least = [
        np.concatenate(
            [simplex.entropy(part.nu[part.helped]).mean(axis=-1) for part in reweight(tallies, chosen).solved]
        )
        for chosen in (SolveSettings(HARD.game, power=power) for power in (1.0, 2.0, 8.0))
    ]
    assert (least[0] >= least[1] - 1e-12).all()
    assert (least[1] >= least[2] - 1e-12).all()
    assert least[0].mean() > least[2].mean() + 0.1
