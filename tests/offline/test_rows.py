"""Samples solved by pieces of whole questions: the same as in one piece, in whatever files they are."""

import json
import sys
from dataclasses import asdict, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alft import games
from alft.errors import DataError
from alft.offline import SolveSettings, read_samples, sample, solve_samples
from alft.offline.parts import open_samples
from alft.offline.samples import pieces
from alft.offline.solve import solve_source
from alft.questions import Question, View
from alft.storage.files import plain
from tests.offline.made import Scripted, request

SPACES = [None, {"A": "B", "B": "A"}]


@pytest.fixture(scope="module")
def ragged(tmp_path_factory):
    """40 questions with 1 to 4 views each, some with answers in another order, some without gold, some unread."""
    rng = np.random.default_rng(3)
    asked = []
    for number in range(40):
        names = rng.permutation(4)[: rng.integers(1, 5)]
        views = tuple(View(f"q{number}/{v}", f"view {v}", SPACES[v % 2]) for v in names)
        asked.append(Question(f"q{number}", views, str(rng.choice(list("ABCD"))) if number % 5 else None))

    def answers(prompt, sampling):
        common = np.random.default_rng(int(prompt[1:].split("/")[0])).dirichlet(np.full(5, 0.7))
        return [
            f"So #### {a}" if a else "?" for a in rng.choice(["A", "B", "C", "D", ""], sampling.samples, p=common)
        ]

    path = tmp_path_factory.mktemp("ragged") / "s.parquet"
    sample(request(asked, 6, batch_size=24), Scripted(answers), path)
    return path


@pytest.fixture(scope="module")
def labeled(ragged, tmp_path_factory):
    """Those of them that have gold."""
    path = tmp_path_factory.mktemp("labeled") / "s.parquet"
    table = pq.read_table(ragged)
    pq.write_table(table.filter(table.column("gold").is_valid()), path, row_group_size=50)
    return path


SETTINGS = {
    "limit": SolveSettings(games.GeometricCoherence()),
    "own completions only": SolveSettings(games.GeometricCoherence(), borrow=False),
    "frequencies": SolveSettings(games.ArithmeticCoherence(), 0.1, 0.0),
    "shrunk and sharpened": SolveSettings(games.ArithmeticCoherence(), 0.1, 2.0, power=4.0),
    "diversity": SolveSettings(games.ShannonDiversity(), 0.3),
}


def close(found, wanted, at="", within=1e-12):
    """Equal, but numbers only nearly."""
    if isinstance(wanted, dict):
        assert list(found) == list(wanted), at
        for key in wanted:
            close(found[key], wanted[key], f"{at}.{key}", within)
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), at
        for index, each in enumerate(wanted):
            close(found[index], each, f"{at}[{index}]", within)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=within, abs=within), at
    else:
        assert found == wanted, at


def same(path, settings, tmp_path, rows, scores=None, within=1e-12):
    """Solve by pieces and at once, and compare all that is found and written; returns the number of pieces."""
    at_once = solve_samples(read_samples(path), settings, "own", scores)
    at_once.write(tmp_path / "once.parquet")
    sizes = []

    def score(piece):
        sizes.append(len(piece))
        return scores[piece.rows.start : piece.rows.stop]

    found = solve_source(
        open_samples(path), settings, "own", tmp_path / "pieces.parquet", None if scores is None else score, rows
    )
    close(plain(found.summary()), plain(at_once.summary()), within=within)
    written, wanted = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("pieces", "once"))
    metadata = [{**each.schema.metadata} for each in (written, wanted)]
    close(*(json.loads(each.pop(b"alft")) for each in metadata), within=within)
    assert metadata[0] == metadata[1]
    assert written.schema.equals(wanted.schema)
    assert written.drop_columns(["weight", "lent"]).equals(wanted.drop_columns(["weight", "lent"]))
    close(
        *({name: t.column(name).to_pylist() for name in ("weight", "lent")} for t in (written, wanted)),
        within=within,
    )
    assert sum(sizes) in (0, len(wanted))
    return len(list(pieces(open_samples(path), rows)))


@pytest.mark.parametrize("name", SETTINGS)
def test_pieces_are_solved_as_the_whole(ragged, tmp_path, name):
    assert same(ragged, SETTINGS[name], tmp_path, 100) > 4


def test_what_newton_searches_is_the_same_within_the_gap(ragged, tmp_path):
    """Its first scale depends on the questions that are solved together, so 1e-10 of gap leaves 1e-5 of weight."""
    game = games.Sum((1.0, games.GeometricCoherence()), (2.0, games.JeffreysCoherence()))
    assert same(ragged, SolveSettings(game, 0.2), tmp_path, 100, within=1e-3) > 4


def test_every_question_may_be_a_piece(ragged, tmp_path):
    assert same(ragged, SETTINGS["limit"], tmp_path, 1) == 40


def test_pieces_are_cut_within_row_groups_that_are_large(labeled, tmp_path):
    pq.write_table(pq.read_table(labeled), tmp_path / "large.parquet")
    assert same(tmp_path / "large.parquet", SETTINGS["limit"], tmp_path, 70) > 4


def test_labels_are_played_by_pieces(labeled, tmp_path):
    assert same(labeled, SolveSettings(games.Correctness(), 0.1), tmp_path, 60) > 4


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_scores_of_pieces_serve_as_those_of_the_whole(ragged, tmp_path, power):
    scores = np.random.default_rng(1).normal(-20, 3, (len(read_samples(ragged)), 4))
    assert same(ragged, SolveSettings(games.GeometricCoherence(), power=power), tmp_path, 100, scores) > 4


def test_weights_of_what_is_read_in_one_piece_are_the_same_to_the_bit(ragged, tmp_path):
    same(ragged, SETTINGS["limit"], tmp_path, 10**6)
    assert (tmp_path / "pieces.parquet").read_bytes() == (tmp_path / "once.parquet").read_bytes()


def test_errors_name_the_questions_of_all_pieces(ragged, tmp_path):
    for settings in (SolveSettings(games.Correctness(), 0.1), SolveSettings(games.JeffreysCoherence(), 0.1, 0.0)):
        with pytest.raises(DataError) as at_once:
            solve_samples(read_samples(ragged), settings, "own")
        with pytest.raises(DataError) as by_pieces:
            solve_source(open_samples(ragged), settings, "own", tmp_path / "w.parquet", rows=100)
        assert str(by_pieces.value) == str(at_once.value)
        assert "q5" in str(at_once.value)
    assert list(tmp_path.iterdir()) == []


def test_where_no_question_can_be_helped_nothing_is_written(ragged, tmp_path):
    table = pq.read_table(ragged)
    unread = table.set_column(table.column_names.index("key"), "key", pa.nulls(len(table), pa.string()))
    pq.write_table(unread, tmp_path / "s.parquet")
    with pytest.raises(DataError, match="no question can be helped"):
        solve_source(
            open_samples(tmp_path / "s.parquet"), SETTINGS["limit"], "own", tmp_path / "w.parquet", rows=50
        )
    assert [each.name for each in tmp_path.iterdir()] == ["s.parquet"]


@pytest.fixture
def shuffled(ragged, tmp_path):
    """The rows in another order, and the first row (from 1) where a question comes back."""
    table = pq.read_table(ragged)
    table = table.take(np.random.default_rng(0).permutation(len(table)))
    pq.write_table(table, tmp_path / "shuffled.parquet", row_group_size=40)
    names = table.column("question_id").to_pylist()
    back = next(i for i in range(1, len(names)) if names[i] != names[i - 1] and names[i] in names[:i])
    return tmp_path / "shuffled.parquet", back + 1


def test_unsorted_rows_in_one_piece_are_solved_as_they_are(ragged, shuffled):
    path, _ = shuffled
    found, wanted = (solve_samples(read_samples(each), SETTINGS["limit"], "own") for each in (path, ragged))
    assert found.weights.sum() == pytest.approx(wanted.weights.sum())


def test_too_many_unsorted_rows_are_refused_by_the_first_that_comes_back(shuffled, monkeypatch):
    path, back = shuffled
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(DataError, match=rf"shuffled\.parquet: row {back}: question .* comes back .* pip install"):
        solve_source(open_samples(path), SETTINGS["limit"], "own", rows=100)


def test_duckdb_sorts_too_many_unsorted_rows(shuffled, tmp_path):
    pytest.importorskip("duckdb")
    path, _ = shuffled
    table = pq.read_table(path)
    names = table.column("question_id").to_pylist()
    order = sorted(range(len(names)), key=lambda row: (names.index(names[row]), row))
    pq.write_table(table.take(order), tmp_path / "sorted.parquet")
    wanted = solve_samples(read_samples(tmp_path / "sorted.parquet"), SETTINGS["limit"], "own")
    found = solve_source(open_samples(path), SETTINGS["limit"], "own", tmp_path / "w.parquet", rows=100)
    close(plain(found.summary()), plain(wanted.summary()))
    written = read_samples(tmp_path / "w.parquet")
    assert written.weight == pytest.approx(wanted.weights, abs=1e-12)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["shuffled.parquet", "sorted.parquet", "w.parquet"]


def test_texts_are_those_of_the_rows(labeled):
    source, table = open_samples(labeled), pq.read_table(labeled)
    for rows in (range(0, 1), range(49, 51), range(50, 100), range(3, 249), range(source.rows)):
        found = pa.concat_tables(source.texts(rows))
        assert found.equals(table.slice(rows.start, len(rows)))


def test_a_repeated_sample_is_named_by_its_row_in_the_file(labeled, tmp_path):
    table = pq.read_table(labeled)
    again = pa.concat_tables([table, table.slice(len(table) - 1)])
    pq.write_table(again, tmp_path / "s.parquet")
    with pytest.raises(DataError, match=rf"row {len(again)}: sample 5 of view .* again"):
        list(pieces(open_samples(tmp_path / "s.parquet"), 60))


def test_the_provenance_of_pieces_is_that_of_the_file(ragged):
    source = open_samples(ragged)
    found = list(pieces(source, 50))
    assert [asdict(each.provenance) for each in found] == [asdict(source.provenance)] * len(found)
    assert [each.rows.start for each in found[1:]] == [each.rows.stop for each in found[:-1]]
    whole = read_samples(ragged)
    assert replace(whole, provenance=source.provenance).questions == tuple(
        q for each in found for q in each.questions
    )
