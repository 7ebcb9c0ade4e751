"""What a user sees of mistakes: all of them, exit code 2, nothing written."""

import errno
import json
import os
import subprocess
import sys
import warnings
from importlib.metadata import version

import pytest
from rich.console import Console

from alft.cli.main import main
from alft.cli.options import data_warnings_as_notes


def alft(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["alft", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


def test_a_dry_run_checks_and_prints_the_configuration(monkeypatch, capsys, tmp_path):
    assert alft(monkeypatch, "train", "--dry-run", "--set", f"output.directory={tmp_path}") == 0
    shown = capsys.readouterr().out
    assert "learning_rate:" in shown
    assert (
        "480 questions × 4 views to train on, 128 held out; 60 steps, 256 completions in each batch"
        in " ".join(shown.split())
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["training.step=3"], ["training.step: unknown key", "did you mean 'steps'?"]),
        (["game=magority", "data.path=none.jsonl"], ["did you mean 'majority'?", "none.jsonl"]),
        (["training.micro_batch_size=100"], ["the nearest that do are 64 and 128"]),
    ],
)
def test_mistakes_exit_with_2(monkeypatch, capsys, tmp_path, settings, expected):
    options = [part for setting in settings for part in ("--set", setting)]
    assert alft(monkeypatch, "train", "--set", f"output.directory={tmp_path / 'runs'}", *options) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert all(part in told for part in expected)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("verb", [("train", "--set", "data.path={}"), ("validate", "{}")])
def test_an_error_is_one_line_however_long_its_path(monkeypatch, capsys, tmp_path, verb):
    path = tmp_path / ("long " * 30) / "q.jsonl"
    path.parent.mkdir()
    path.write_text("no JSON\n")
    assert alft(monkeypatch, *(part.format(path) for part in verb)) == 2
    assert f"error: {path}:1:1: bad JSON" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("sample s.parquet", "stopped — the same command continues\n"),
        ("distill -o d", "stopped — the same command continues\n"),
        ("views q.jsonl -o v.jsonl --paraphrase=1", "stopped — the same command continues\n"),
        ("views q.jsonl -o v.jsonl --make x", "stopped\n"),
        ("distill s.parquet --export e.jsonl", "stopped\n"),
        ("solve s.parquet", "stopped\n"),
        ("evaluate", "stopped\n"),
        ("train", "stopped\n"),
    ],
)
def test_ctrl_c_says_that_the_command_stopped_and_whether_it_continues(monkeypatch, capsys, command, told):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    for place in ("sample.sample", "distill.distill", "questions.views", "solve.solve", "evaluate.evaluate"):
        monkeypatch.setattr(f"alft.verbs.{place}", stopped)
    monkeypatch.setattr("alft.verbs.train.planned", stopped)
    assert alft(monkeypatch, *command.split()) == 130
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"id": "a", "question": "x?",}\n', ":1:"),
        ("", "0 rows"),
        ('{"id": "a"}\n', "question"),
        ('{"id": "a", "question": "x?"}\n' * 1, "only 1"),
    ],
)
def test_bad_question_files_exit_with_2(monkeypatch, capsys, tmp_path, content, expected):
    path = tmp_path / "q.jsonl"
    path.write_text(content)
    code = alft(
        monkeypatch, "train", "--set", f"data.path={path}", "--set", f"output.directory={tmp_path / 'runs'}"
    )
    assert code == 2
    assert expected in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "runs").exists()


def test_a_full_disk_is_one_error(monkeypatch, capsys, tmp_path):
    (tmp_path / "q.jsonl").write_text('{"question": "What is 1 + 1?", "answer": "2"}\n')

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    made = tmp_path / "v.jsonl"
    assert alft(monkeypatch, "views", tmp_path / "q.jsonl", "--make", "lower case", "-o", made) == 2
    assert f"{made} can't be written to (No space left on device) — make room" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["q.jsonl"]


@pytest.mark.parametrize("how", [["-m", "alft"], ["-c", "from alft.cli.main import main; main()"]])
def test_the_version_is_told_without_torch(how):
    code = [sys.executable, "-X", "importtime", *how, "--version"]
    told = subprocess.run(code, check=True, capture_output=True, text=True)
    assert told.stdout == f"alft {version('alft')}\n"
    assert "torch" not in told.stderr


def test_python_m_alft_is_the_command():
    told = subprocess.run([sys.executable, "-m", "alft", "nothing"], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "Usage: alft " in told.stderr


def test_questions_that_are_left_out_are_a_note_like_others(monkeypatch, capsys, tmp_path):
    path = tmp_path / ("long " * 30) / "q.jsonl"
    path.parent.mkdir()
    rows = [{"question": f"{n}?", "views": [f"so {n}?"] * (n > 0)} for n in range(40)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    where = ("--set", f"data.path={path}", "--set", f"output.directory={tmp_path}")
    assert alft(monkeypatch, "train", "--dry-run", *where) == 0
    shown = capsys.readouterr()
    assert f"look at: {path}: 1 of 32 questions have fewer than 2 views: nothing to compare" in shown.out
    assert "DataWarning" not in shown.out + shown.err


def test_other_warnings_stay_warnings():
    with pytest.warns(UserWarning, match="other"), data_warnings_as_notes(Console()):
        warnings.warn("other", UserWarning, stacklevel=1)


def test_help_needs_no_torch():
    code = (
        "import sys; from alft.cli.main import app; from typer.testing import CliRunner; "
        "assert CliRunner().invoke(app, ['train', '--help']).exit_code == 0; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_validate_tells_all_and_exits_with_2(monkeypatch, capsys, tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "2 pens?", "answer": "5 or 6", "views": ["3 pens?"]}\n')
    assert alft(monkeypatch, "validate", path) == 2
    shown = capsys.readouterr()
    assert "several answers in the mark" in " ".join(shown.err.split())
    assert "3 instead of 2" in " ".join(shown.out.split())
    assert "views per question" in shown.out


def test_validate_speaks_json(monkeypatch, capsys, tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "a?", "answer": "1"}\n')
    assert alft(monkeypatch, "validate", "--json", path) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["good"], report["train"]["answers"]) == (True, {"number": 1})
    assert alft(monkeypatch, "validate", "--json", path, "--set", "data.split=test") == 2
    assert "'split' does not apply to this source" in json.loads(capsys.readouterr().out)["problems"][0]["what"]


def test_validate_speaks_json_alone_where_a_configuration_is_read_in_part(monkeypatch, capsys, tmp_path):
    """What warns of the questions is told beside the JSON."""
    monkeypatch.chdir(tmp_path)
    row = '{"id": "a", "question": "a?", "views": ["so a?"], "answer": "1"}\n'
    (tmp_path / "q.jsonl").write_text(row + row)
    (tmp_path / "bad.yaml").write_text("data: {path: q.jsonl}\ntraining: {stepz: 3}\n")
    assert alft(monkeypatch, "validate", "bad.yaml", "--json") == 2
    shown = capsys.readouterr()
    assert "did you mean 'steps'?" in json.loads(shown.out)["problems"][0]["remedy"]
    assert "look at: q.jsonl:2 question 'a': the same question" in shown.err


def test_validate_a_configuration(monkeypatch, capsys, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("training: {steps: 3, micro_batch_size: 100}\n")
    assert alft(monkeypatch, "validate", path, "--set", f"output.directory={tmp_path}") == 2
    assert "the nearest that do are 64 and 128" in " ".join(capsys.readouterr().err.split())
    path.write_text("training: {stepz: 3}\n")
    assert alft(monkeypatch, "validate", path) == 2
    assert "did you mean 'steps'?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["evaluate", "solve", "report"])
def test_a_name_that_is_too_long_is_an_error(monkeypatch, capsys, verb):
    assert alft(monkeypatch, verb, "x" * 300) == 2
    assert "the name is too long" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE"])
def test_what_a_launcher_sets_must_be_a_number(monkeypatch, capsys, name):
    monkeypatch.setenv(name, "x")
    assert alft(monkeypatch, "train", "--dry-run") == 2
    assert f"{name}: 'x' in the environment is not a number" in capsys.readouterr().err.replace("\n", " ")
