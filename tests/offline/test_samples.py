"""The samples file: strict reading, and parts that survive a kill."""

import json

import pyarrow.parquet as pq
import pytest

from alft.completions import Completion
from alft.errors import DataError, RunExistsError
from alft.offline import read_samples, sample
from alft.offline.parts import is_samples
from alft.offline.samples import questions_of
from alft.questions import Question, View
from tests.offline.made import Scripted, drawn, questions, request


def numbered(prompt, sampling):
    return [f"{prompt} #### {sampling.seed % 1000 + i}" for i in range(sampling.samples)]


def test_a_file_holds_every_completion_with_its_key_and_where_it_came_from(tmp_path):
    chat = View(({"role": "user", "content": "x?"},), "chat", {"A": "C"})
    asked = [Question("q", (View("y?", "plain"), chat), "C", aliases=("D",))]
    told = {"y?": ["#### C", "none", "#### D"], str(chat.text): ["#### A", "#### B", "\ud800 #### A"]}
    backend = Scripted(lambda prompt, sampling: told[str(prompt)])
    samples = read_samples(sample(request(asked, 3), backend, tmp_path / "s.parquet"))
    keys = [None if k < 0 else samples.keys[k] for k in samples.key]
    assert keys == ["C", None, "D", "C", "B", "C"]
    assert samples.right.tolist() == [1, 0, 1, 1, 0, 1]
    assert samples.views == ("plain", "chat")
    assert samples.provenance.model["backend"] == "scripted"
    assert samples.provenance.sampling["samples"] == 3
    rows = [row for batch in samples.texts() for row in batch.to_pylist()]
    assert rows[5]["completion"] == "\\ud800 #### A"
    assert (rows[0]["chat"], rows[3]["chat"]) == (False, True)
    assert rows[3]["prompt"] == '[{"role": "user", "content": "x?"}]'


def test_without_gold_nothing_is_right_or_wrong(tmp_path):
    samples = drawn(tmp_path / "s.parquet", [[[1.0], [1.0]]], 2, answer=None)
    assert all(value != value for value in samples.right)


def test_questions_come_back_as_they_were_asked(tmp_path):
    asked = [Question("q", (View("x?", "a"), View("y?", "b", {"A": "B"})), "1", "north", aliases=("2",))]
    path = sample(request(asked, 2), Scripted(numbered), tmp_path / "s.parquet")
    assert questions_of(read_samples(path)) == asked


class Refusing(Scripted):
    """Refuses every prompt of q1."""

    def complete(self, prompts, sampling, progress=None):
        told = super().complete(prompts, sampling, progress)
        refused = [Completion("", refusal="400: too long")] * sampling.samples
        return [refused if str(p).startswith("q1") else own for p, own in zip(prompts, told, strict=True)]


def test_refused_prompts_are_rows_that_say_why(tmp_path):
    samples = read_samples(sample(request(questions(3), 2), Refusing(numbered), tmp_path / "s.parquet"))
    assert samples.refused() == {("q1", "view 0"): "400: too long", ("q1", "view 1"): "400: too long"}
    assert (samples.key[samples.refusal >= 0] == -1).all()
    assert len(samples) == 12


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_a_killed_run_goes_on_to_the_same_file(tmp_path, parts):
    asked = questions(3)
    whole = sample(request(asked, 2), Scripted(numbered), tmp_path / "whole.parquet")
    path, backend = tmp_path / "killed.parquet", Scripted(numbered, fail_at=parts)
    with pytest.raises(KeyboardInterrupt):
        sample(request(asked, 2), backend, path)
    assert not path.exists()
    again = Scripted(numbered)
    sample(request(asked, 2), again, path)
    assert again.calls == 6 - (parts - 1)
    assert pq.read_table(path).equals(pq.read_table(whole))
    assert [each.name for each in tmp_path.iterdir() if "killed" in each.name] == ["killed.parquet"]


def test_a_torn_part_is_made_again(tmp_path):
    path = tmp_path / "s.parquet"
    with pytest.raises(KeyboardInterrupt):
        sample(request(questions(2), 2), Scripted(numbered, fail_at=3), path)
    (tmp_path / "s.parquet.parts" / "00001.parquet").write_bytes(b"PAR1")
    again = Scripted(numbered)
    sample(request(questions(2), 2), again, path)
    assert again.calls == 3


def test_parts_of_another_request_are_refused_by_name(tmp_path):
    path = tmp_path / "s.parquet"
    with pytest.raises(KeyboardInterrupt):
        sample(request(questions(2), 2), Scripted(numbered, fail_at=2), path)
    with pytest.raises(DataError, match=r"sampling\.seed: was begun with 0, and is now 1") as caught:
        sample(request(questions(2, answer="2"), 2, seed=1), Scripted(numbered), path)
    assert "data.digest" in str(caught.value)


def test_a_file_that_is_there_is_never_written_over(tmp_path):
    drawn(tmp_path / "s.parquet", [[[1.0], [1.0]]], 2)
    with pytest.raises(RunExistsError):
        sample(request(questions(1), 2), Scripted(numbered), tmp_path / "s.parquet")


def with_column(table, name, values):
    return table.set_column(table.column_names.index(name), name, values)


def recorded(table, **changed):
    metadata = table.schema.metadata
    provenance = json.loads(metadata[b"alft"]) | changed
    return table.replace_schema_metadata({**metadata, b"alft": json.dumps(provenance)})


def broken(path, change):
    table = pq.read_table(path)
    pq.write_table(change(table), path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.drop_columns(["key"]), "key: the column is missing"),
        (lambda t: with_column(t, "sample", t.column("sample").cast("string")), "sample: .* not int64"),
        (lambda t: t.replace_schema_metadata({}), "no provenance"),
        (lambda t: t.slice(0, 0), "0 completions"),
        (lambda t: t.append_column("weight", [[-1.0] * len(t)]), "negative or not finite"),
        (lambda t: with_column(t, "view", [["view 0"] * len(t)]), "sample 0 of view 'view 0' .* again"),
        (lambda t: with_column(t, "sample", [[-1 - n for n in range(len(t))]]), "sample: a number is negative"),
        (lambda t: t.append_column("weight", [["x"] * len(t)]), "weight: is not double"),
        (lambda t: t.append_column("lent", [["x"] * len(t)]), "lent: is not list"),
        (lambda t: with_column(t, "gold", [["19"] * len(t)]), "gold: '19' can't be read"),
        (lambda t: with_column(t, "answer_map", [["x"] * len(t)]), "answer_map: 'x' can't be read"),
        (lambda t: recorded(t, format="3"), "has format '3'"),
        (lambda t: recorded(t, model=None), "metadata: model: "),
        (lambda t: recorded(t, sampling={"samples": "4"}), "sampling.samples: "),
        (lambda t: recorded(t, solution={}), "solution.beta: "),
        (lambda t: recorded(t, data={"source": "x", "answers": {"keys": {"new": 1}}}), "'new'"),
        (lambda t: recorded(t, data={"answers": {"keys": {"percent": "?"}}}), "(?s)keys: .*reading: "),
        (lambda t: recorded(t, new=1), "unexpected keyword argument 'new'"),
        (lambda t: with_column(t, "completion", [[None] * len(t)]).cast(t.schema), "completion"),
    ],
)  # fmt: skip
def test_what_is_no_samples_file_is_told(tmp_path, change, told):
    path = tmp_path / "s.parquet"
    drawn(path, [[[0.5, 0.5], [0.5, 0.5]]], 4)
    broken(path, change)
    with pytest.raises(DataError, match=told):
        read_samples(path)


def test_a_bad_prompt_is_one_error(tmp_path):
    drawn(tmp_path / "s.parquet", [[[0.5, 0.5]]], 4)
    broken(tmp_path / "s.parquet", lambda t: with_column(t, "chat", [[True] * len(t)]))
    with pytest.raises(DataError, match=r"s\.parquet: prompt: .* can't be read"):
        questions_of(read_samples(tmp_path / "s.parquet"))


def test_files_that_are_not_parquet_are_told(tmp_path):
    (tmp_path / "x").write_text("PAR1 nonsense")
    (tmp_path / "empty.parquet").touch()
    assert is_samples(tmp_path / "empty.parquet")
    for path in (tmp_path / "x", tmp_path / "none", tmp_path / "empty.parquet"):
        with pytest.raises(DataError, match=str(path)):
            read_samples(path)
