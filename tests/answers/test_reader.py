"""A reader of one's own: what it returns is the answer, errors are counted, and no file of data runs it."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from alft.answers import AnswerPolicy, ReadPolicy, Unread, answer_key, read
from alft.config.answers import AnswersConfig
from alft.config.load import load_config
from alft.errors import ConfigError
from alft.offline.samples import Provenance
from alft.rewards.scorer import read_completion
from alft.storage.checkpoint import sha256
from alft.training.callbacks import ScoringError
from alft.training.run import code_files
from tests.bad_inputs.test_training import silent, tiny_plan

CODE = """
def last_word(text):
    if "boom" in text:
        raise ValueError("boom")
    if "seven" in text:
        return 7
    words = text.split()
    return words[-1].rstrip(".") if words and words[-1] != "none" else None
"""


@pytest.fixture
def reader(tmp_path: Path) -> str:
    path = tmp_path / "own.py"
    path.write_text(CODE)
    return f"{path}:last_word"


def test_a_reader_replaces_the_marks(reader: str) -> None:
    policy = ReadPolicy(reader=reader)
    for text, answer in [("#### 4 then 0.50", "0.50"), (r"\boxed{4} <think> 5", "5"), ("so 1/2.", "1/2")]:
        found = read(text, policy)
        assert (found.answer, found.mark, found.error) == (answer, "reader", None)
    assert answer_key("it is 0.50", policy=AnswerPolicy(reading=policy)) == "1/2"
    assert answer_key("it is A", {"A": "C", "C": "A"}, AnswerPolicy(reading=policy)) == "C"
    assert read("none", policy).unread is Unread.NO_MARK
    assert read("", policy).unread is Unread.EMPTY
    assert read("so .", policy).unread is Unread.EMPTY_ANSWER
    assert read("so 5", policy, truncated=True).unread is Unread.TRUNCATED


@pytest.mark.parametrize(("text", "error"), [("boom 5", "ValueError: boom"), ("seven", "returned 7")])
def test_what_a_reader_raises_is_unread_and_kept(reader: str, text: str, error: str) -> None:
    found = read(text, ReadPolicy(reader=reader))
    assert (found.answer, found.unread) == (None, Unread.FAILED)
    assert found.error is not None
    assert error in found.error
    columns = {"question_id": "q", "view": 0}
    row = read_completion(columns, text, AnswersConfig(reader=reader).policy)
    assert row.key is None
    assert row.error == found.error
    assert read_completion(columns, "so 5", AnswersConfig(reader=reader).policy).key == "5"


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("def f(text): return len(text)", "neither text nor None"),
        ("def f(text): return text[0]", "IndexError"),
        ("def f(): return None", "TypeError"),
        ("f = 5", "not callable"),
        ("def g(text): return None", "defines no 'f'"),
        ("def f(text)", "fails: SyntaxError"),
        (None, "there is no file"),
    ],
)
def test_a_reader_that_does_not_work_is_an_error_before_the_run(
    tmp_path: Path, code: str | None, what: str
) -> None:
    path = tmp_path / f"own{abs(hash(code))}.py"
    if code is not None:
        path.write_text(code)
    config = AnswersConfig(reader=f"{path}:f")
    with pytest.raises(ConfigError, match=what) as error:
        _ = config.policy
    assert "answers.reader" in str(error.value)


def test_a_reader_has_a_form_and_no_file_is_run_before_it_is_needed(tmp_path: Path) -> None:
    ran, path = tmp_path / "ran", tmp_path / "evil.py"
    path.write_text(f"import pathlib\npathlib.Path({str(ran)!r}).touch()\ndef f(text): return None")
    with pytest.raises(ConfigError, match=r"path\.py:Name"):
        load_config(None, ["answers.reader=json.loads"])
    config = load_config(None, [f"answers.reader={path}:f"])
    assert code_files(config) == [str(path)]
    assert not ran.exists()
    assert config.answers.policy.reading.reader == f"{path}:f"
    assert ran.exists()


def test_provenance_with_and_without_the_field_is_read(reader: str) -> None:
    for policy in (AnswerPolicy(), AnswerPolicy(reading=ReadPolicy(reader=reader))):
        recorded = json.loads(json.dumps(policy.record()))
        assert ("reader" in recorded["reading"]) == (policy.reading.reader is not None)
        data = {"source": "s", "answers": recorded}
        assert Provenance(model={}, sampling={}, data=data, version="0").answers == policy


LENGTH = "def length(text):\n    if len(text) % 2:\n        {odd}\n    return str(len(text))\n"


def test_a_run_reads_by_it_and_records_its_digest(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(LENGTH.format(odd="return None"))
    plan = tiny_plan(tmp_path, tiny_model, f"answers.reader={path}:length", "answers.truncated=read")
    silent(plan)
    rows = pq.read_table(plan.directory / "completions.parquet").to_pylist()
    rows = [row for row in rows if row["completion"].strip()]
    assert {len(row["completion"]) % 2 for row in rows} == {0, 1}
    for row in rows:
        size = len(row["completion"])
        assert row["key"] == (None if size % 2 else str(size))
    assert json.loads((plan.directory / "inputs.json").read_text())[str(path)] == sha256(path)


def test_a_reader_that_fails_often_ends_the_run_and_its_errors_are_kept(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(LENGTH.format(odd="raise ValueError('odd')"))
    plan = tiny_plan(tmp_path, tiny_model, f"answers.reader={path}:length", "answers.truncated=read")
    with pytest.raises(ScoringError, match=r"reading failed on .* completions; now: ValueError: odd"):
        silent(plan)
    errors = list(map(json.loads, (plan.directory / "errors.jsonl").read_text().splitlines()))
    assert errors
    assert {error["error"] for error in errors} == {"ValueError: odd"}
    assert all(len(error["text"]) % 2 for error in errors)
