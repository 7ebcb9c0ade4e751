"""`alft sample`: which questions are asked."""

import json

import pyarrow.parquet as pq
import pytest

from alft.errors import ConfigError
from alft.offline import read_samples
from alft.offline.outlook import Overview
from alft.storage.files import plain
from alft.verbs.sample import Draw, sample
from alft.verbs.solve import SolveFiles, solve
from tests.cli.test_cli import alft


def test_what_is_held_out_is_what_training_holds_out(monkeypatch, tmp_path):
    """One in five of a plain file, the last ones; the others are sampled to train on."""
    questions = tmp_path / "q.jsonl"
    rows = [{"id": f"q{n}", "question": f"Start with {n}, add 2.", "answer": str(n + 2)} for n in range(10)]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def asked(name, *options):
        path = tmp_path / name
        assert alft(monkeypatch, "sample", path, "-n", "1", "--set", f"data.path={questions}", *options) == 0
        return set(read_samples(path).questions)

    assert asked("held-out.parquet", "--held-out") == {"q8", "q9"}
    assert asked("train.parquet") == {f"q{n}" for n in range(8)}


def test_much_that_is_unread_is_said_with_its_cause_and_examples(monkeypatch, tmp_path, capsys):
    short = ["--set", "data.size=2", "--set", "training.max_new_tokens=2", "-n", "2"]
    assert alft(monkeypatch, "sample", tmp_path / "s.parquet", *short) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "100 % of the completions are unread and 100 % cut off: raise training.max_new_tokens" in said
    assert "unread, cut off" in said


SMALL = {"data": {"size": 4, "held_out": 1}, "evaluation": {"batch_size": 8}, "training": {"max_new_tokens": 40}}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """What two machines sampled, and what one samples."""
    place = tmp_path_factory.mktemp("parts")
    for part in ("2/2", "1/2"):
        sample(place / "parts", SMALL, draw=Draw(2, part=part))
    sample(place / "whole.parquet", SMALL, draw=Draw(2))
    return place


def test_a_configuration_says_how_many_completions_a_view_has(tmp_path):
    settings = {**SMALL, "offline": {"samples": 3}, "training": {"max_new_tokens": 4}}
    asked = [sample(tmp_path / f"{n}.parquet", settings, draw=Draw(n, questions=1)) for n in (None, 2)]
    assert [made.completions for made in asked] == [4 * 3, 4 * 2]


def test_the_parts_that_machines_sample_are_what_one_samples(parts):
    folder, whole = parts / "parts", pq.read_table(parts / "whole.parquet")
    names = ["part-1-of-2.parquet", "part-2-of-2.parquet"]
    assert sorted(path.name for path in folder.iterdir()) == names
    rows = [row for name in names for row in pq.read_table(folder / name).to_pylist()]
    assert rows == whole.to_pylist()
    found = solve(folder, files=SolveFiles(parts / "folder.parquet"))
    solve(parts / "whole.parquet", files=SolveFiles(parts / "single.parquet"))
    written, wanted = (pq.read_table(parts / f"{name}.parquet") for name in ("folder", "single"))
    assert written.equals(wanted)
    assert written.schema.metadata == wanted.schema.metadata
    assert solve([folder / name for name in names]).summary() == found.summary()


def test_large_samples_are_solved_by_pieces(parts, monkeypatch, tmp_path):
    wanted = solve(parts / "whole.parquet", files=SolveFiles(tmp_path / "once.parquet")).summary()
    monkeypatch.setattr("alft.verbs.solve.PIECE", 8)
    found = solve(parts / "whole.parquet", files=SolveFiles(tmp_path / "w.parquet", tmp_path / "s.json"))
    assert isinstance(found, Overview)
    assert json.loads((tmp_path / "s.json").read_text()) == plain(wanted)
    assert pq.read_table(tmp_path / "w.parquet").equals(pq.read_table(tmp_path / "once.parquet"))


def test_the_command_samples_a_part_and_solves_the_folder(parts, monkeypatch, tmp_path, capsys):
    said = [f"{section}={json.dumps(value)}" for section, value in SMALL.items()]
    settings = [part for setting in said for part in ("--set", setting)]
    for part in ("1/2", "2/2"):
        assert alft(monkeypatch, "sample", tmp_path / "p", "-n", "2", "--part", part, *settings) == 0
    assert alft(monkeypatch, "solve", tmp_path / "p", "-o", tmp_path / "w.parquet") == 0
    assert "alft distill" in capsys.readouterr().out
    assert read_samples(tmp_path / "w.parquet").key.tolist() == read_samples(parts / "whole.parquet").key.tolist()


@pytest.mark.parametrize("part", ["0/2", "3/2", "2", "a/b"])
def test_a_part_is_written_as_i_of_n(tmp_path, part):
    with pytest.raises(ConfigError, match=r"--part: must be I/N"):
        sample(tmp_path / "p", SMALL, draw=Draw(2, part=part))
