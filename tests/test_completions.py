"""The record of a completion and its columns: written by every command, read from files of every version."""

import dataclasses
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alft import games
from alft.completions import READ, SCHEMA, VERSION, VERSION_KEY, Completion, from_row, to_row, upgraded
from alft.errors import DataError
from alft.evaluation.recorded import read_recorded
from alft.offline import read_samples
from alft.offline.reweight import SolveSettings
from alft.offline.samples import Provenance, evaluation_of, questions_of
from alft.offline.solve import solve_samples
from alft.training.rundir import RunDirectory

HOSTILE = ["", "\x00\x1b[31m", "\ud800 #### 7", "‮evil", "a\r\nb", "x" * 100_000, '{"key": null}', "<script>"]
IN_MEMORY = {"place", "gold"}
OLD_RUN = pa.schema(
    [
        ("phase", pa.string()),
        ("step", pa.int64()),
        ("question_id", pa.string()),
        ("view", pa.string()),
        ("kind", pa.string()),
        ("sample", pa.int64()),
        ("completion", pa.string()),
        ("key", pa.string()),
        ("right", pa.bool_()),
        ("truncated", pa.bool_()),
    ]
)
OLD_SAMPLES = pa.schema(
    [
        ("question_id", pa.string()),
        ("view", pa.string()),
        ("prompt", pa.string()),
        ("chat", pa.bool_()),
        ("answer_map", pa.string()),
        ("gold", pa.string()),
        ("group", pa.string()),
        ("sample", pa.int64()),
        ("completion", pa.string()),
        ("key", pa.string()),
        ("truncated", pa.bool_()),
        ("refusal", pa.string()),
    ]
)


def full(**changes):
    """A completion in which every field of a file differs from its default."""
    values = {"question": "q1", "view": "list", "kind": "greedy", "sample": 3, "key": "7", "right": True}
    more = {"group": "north", "refusal": "400: too long", "error": "RecursionError: too deep"}
    return dataclasses.replace(Completion("#### 7", True), **{**values, **more, **changes})


def written(path, completions, **columns):
    table = pa.Table.from_pylist([to_row(one, **columns) for one in completions], schema=SCHEMA)
    pq.write_table(table, path)
    return pq.read_table(path)


def test_a_completion_comes_back_from_parquet_in_every_field(tmp_path):
    default = Completion(None)
    for field in dataclasses.fields(Completion):
        assert field.name in IN_MEMORY or getattr(full(), field.name) != getattr(default, field.name)
    several = [full(), Completion("", question="q2", view="plain", right=False)]
    table = written(tmp_path / "c.parquet", several, phase="train", step=4)
    assert [from_row(row) for row in table.to_pylist()] == several
    assert set(table.column("phase").to_pylist()) == {"train"}
    assert table.schema.metadata[VERSION_KEY] == str(VERSION).encode()
    assert set(to_row(full())) == {"phase", "step", *READ}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_as_far_as_utf_8_can(tmp_path, text):
    one = full(key=text, refusal=text, error=text)
    (back,) = map(from_row, written(tmp_path / "c.parquet", [dataclasses.replace(one, text=text)]).to_pylist())
    expected = text.replace("\ud800", "\\ud800")
    assert {back.text, back.key, back.refusal, back.error} == {expected}


def test_a_completion_without_its_text_does_not_pass_for_an_empty_one():
    assert Completion("").full_text == ""
    with pytest.raises(ValueError, match="without its text"):
        print(Completion(None).full_text)


@pytest.mark.parametrize("missing", [[], ["truncated"]])
def test_a_run_of_an_older_version_is_read(tmp_path, missing):
    rows = [
        {"phase": "before", "question_id": "q1", "view": "list", "kind": kind, "sample": 0, "completion": "#### 7",
         "key": "7", "right": True, "truncated": True}
        for kind in ("sampled", "greedy")
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=OLD_RUN).drop_columns(missing)
    pq.write_table(table, tmp_path / "completions.parquet")
    expected = full(group=None, refusal=None, error=None, sample=0, truncated=not missing)
    for texts, text in ((True, "#### 7"), (False, None)):
        (before,) = read_recorded(tmp_path, texts=texts).evaluations.values()
        assert before.records[1] == dataclasses.replace(expected, text=text)


def test_a_run_that_an_older_version_began_is_completed(tmp_path):
    old = {"phase": "before", "step": None, "question_id": "q1", "view": "list", "kind": "greedy", "sample": 3}
    old |= {"completion": "#### 7", "key": "7", "right": True, "truncated": True}
    (tmp_path / "completions.jsonl").write_text(json.dumps(old) + "\n")
    run = RunDirectory(tmp_path)
    assert list(run.completions("before")) == [full(group=None, refusal=None, error=None)]
    run.log_completions([full()], "train", 5)
    run.close()
    table = pq.read_table(tmp_path / "completions.parquet")
    assert table.column("step").to_pylist() == [None, 5]
    assert from_row(table.to_pylist()[1]) == full()
    (error,) = map(json.loads, (tmp_path / "errors.jsonl").read_text().splitlines())
    assert error == {"step": 5, "question_id": "q1", "view": "list", "error": full().error, "text": "#### 7"}


def old_samples(path, form=2):
    provenance = Provenance({"backend": "made"}, {"samples": 2}, {"questions": 1}, "made", format=form)
    keys = {"a": ["1", "2"], "b": ["1", None]}
    rows = [
        {"question_id": "q", "view": view, "prompt": f"{view}?", "chat": False, "answer_map": None,
         "gold": '["1"]', "group": "north", "sample": sample, "completion": f"#### {key}",
         "key": key, "truncated": False, "refusal": None}
        for view, own in keys.items()
        for sample, key in enumerate(own)
    ]  # fmt: skip
    metadata = {b"alft": provenance.to_metadata()[b"alft"]}
    pq.write_table(pa.Table.from_pylist(rows, schema=OLD_SAMPLES.with_metadata(metadata)), path)
    return path


def test_a_samples_file_of_an_older_version_is_read_and_solved(tmp_path):
    samples = read_samples(old_samples(tmp_path / "old.parquet"))
    (question,) = questions_of(samples)
    assert ([view.name for view in question.views], question.group) == (["a", "b"], "north")
    told = [(one.view, one.text, one.key, one.right) for one in evaluation_of(samples, texts=True).records]
    assert told[0] == ("a", "#### 1", "1", True)
    assert told[3] == ("b", "#### None", None, False)
    solved = tmp_path / "solved.parquet"
    solve_samples(samples, SolveSettings(games.Coherence(), 0.1), "coherence_geometric").write(solved)
    again = read_samples(solved)
    assert pq.read_schema(solved).names == [*SCHEMA.names, "weight", "lent"]
    assert (again.provenance.format, again.provenance.solution is not None) == (VERSION, True)
    assert evaluation_of(again, texts=True).records == evaluation_of(samples, texts=True).records


def test_files_of_a_later_version_are_refused_by_number(tmp_path):
    later = VERSION + 1
    schema = SCHEMA.with_metadata({VERSION_KEY: str(later).encode()})
    pq.write_table(
        pa.Table.from_pylist([to_row(full(), phase="before")], schema=schema), tmp_path / "completions.parquet"
    )
    with pytest.raises(DataError, match=f"version {later}, and this alft reads up to {VERSION}"):
        read_recorded(tmp_path)
    with pytest.raises(DataError, match=f"format {later}, and this alft reads 2 to {VERSION}"):
        read_samples(old_samples(tmp_path / "later.parquet", later))


def test_an_upgraded_table_has_every_column_and_the_same_values(tmp_path):
    old = pq.read_table(old_samples(tmp_path / "old.parquet"))
    new = upgraded(old)
    assert (new.schema.names, new.schema.types) == (SCHEMA.names, SCHEMA.types)
    assert new.select(old.column_names).to_pylist() == old.to_pylist()
    assert new.column("phase").null_count == len(old)
