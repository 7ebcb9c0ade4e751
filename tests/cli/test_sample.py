"""`alft sample`: which questions are asked."""

import json

from alft.offline import read_samples
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
