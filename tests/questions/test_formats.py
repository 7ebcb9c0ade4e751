"""CSV, Parquet and packed files hold the same questions as JSONL, with nothing converted."""

import datetime
import gzip
from decimal import Decimal
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from alft.errors import DataError
from alft.questions import Question, View, load_questions

JSONL = '{"id": "007", "question": "a, b?", "answer": "1,234"}\n{"id": "8", "question": "NA", "answer": "NA"}\n'
CSV = 'id,question,answer\r\n007,"a, b?","1,234"\r\n8,NA,NA\r\n'
EXPECTED = [
    Question("007", (View("a, b?", "view 1"),), "1,234"),
    Question("8", (View("NA", "view 1"),), "NA"),
]


def packed(content: bytes) -> bytes:
    """Gzip without the time, so that two processes see the same test."""
    return gzip.compress(content, mtime=0)


def problems(path: Path, **options) -> list[str]:
    with pytest.raises(DataError) as caught:
        load_questions(path, **options)
    return [str(problem).replace(str(path), "F") for problem in caught.value.problems]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.jsonl", JSONL.encode()),
        ("q.csv", CSV.encode()),
        ("q.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("q.tsv", b"id\tquestion\tanswer\n007\ta, b?\t1,234\n8\tNA\tNA\n"),
        ("q.jsonl.gz", packed(JSONL.encode())),
        ("q.csv.gz", packed(CSV.encode())),
        ("q.jsonl", packed(JSONL.encode())),
        ("q.csv", JSONL.encode()),
        ("q.parquet", JSONL.encode()),
    ],
)
def test_content_decides_and_nothing_is_converted(tmp_path: Path, name: str, content: bytes) -> None:
    assert load_questions(write(tmp_path / name, content)) == EXPECTED


def test_csv_cells_with_json_and_empty_cells(tmp_path: Path) -> None:
    content = (
        'question,views,group,answer\na?,"[""b?"", {""text"": ""c?"", ""name"": ""z""}]",,1\n"d\ne?",,g,2\n\n'
    )
    first, second = load_questions(write(tmp_path / "q.csv", content))
    assert first == Question("q1", (View("a?", "view 1"), View("b?", "view 2"), View("c?", "z")), "1")
    assert second == Question("q2", (View("d\ne?", "view 1"),), "2", "g")


@pytest.mark.parametrize(
    ("content", "start"),
    [
        ("question,answer\na?,1,2\n", "F:2: 3 cells under 2 columns"),
        ('question,answer\n"a\nb?",1\nc?\n', "F:4: 1 cells under 2 columns"),
        ('question,answer\n"a?,1\n', "F:2: bad CSV: unexpected end of data"),
        ('question,answer\n"a"?,1\n', "F:2: bad CSV"),
        ("question;answer\na?;1\n", "F:1: the columns are separated by semicolons"),
        ("question,answer,answer\na?,1,1\n", "F:1: two columns are named 'answer'"),
        ("question,,answer\na?,1,1\n", "F:1: column 2 has no name"),
        ("question,views\na?,[b\n", "F:2 views: this is not JSON"),
        ("question,answer\na?,\n", "F:2: 'answer' is empty"),
        ("question,answer\na\0?,1\n", "F:2: a text contains the NUL character"),
        ("questoin,answer\na?,1\n", "F: no row has the field 'question'; fields found: answer, questoin"),
        (b"question,answer\ncaf\xe9?,1\n", "F:2:4: byte 0xe9 at offset 19 is not UTF-8"),
        ("question,answer\n", "F: 0 rows"),
        ("", "F: 0 rows"),
        ("question,answer\na?,1\n".encode("utf-16"), "F: the file looks like UTF-16"),
    ],
)
def test_csv_mistakes(tmp_path: Path, content: str | bytes, start: str) -> None:
    assert problems(write(tmp_path / "q.csv", content))[0].startswith(start)


def test_every_bad_row_of_a_csv_file_is_named(tmp_path: Path) -> None:
    content = b"question,answer,views\na?,1\nb?,2,{{\nc?,3,\nd?\0,4,\ne?,5\nf?,6,[\n\xff?,7,\n\xfe?,8,\ng?,9\n"
    told = " ".join(problems(write(tmp_path / "q.csv", content)))
    for place in ("F:2, 6: 2 cells", "F:3, 7", "F:5", "F:8:1: byte 0xff", "F:9:1: byte 0xfe"):
        assert place in told


@pytest.mark.parametrize(
    ("name", "content", "start"),
    [
        ("q.jsonl.gz", packed(JSONL.encode())[:-9], "F: the gzip file is damaged"),
        ("q.jsonl.gz", b"\x1f\x8b\x08\x00broken", "F: the gzip file is damaged"),
        ("q.jsonl", b"PK\x03\x04rest", "F: the file is compressed by zip"),
        ("q.jsonl", b"\x28\xb5\x2f\xfdrest", "F: the file is compressed by zstd"),
        ("q.parquet", b"question,answer\n", "F: the file is not Parquet"),
        ("q.parquet", b"PAR1broken", "F: bad Parquet"),
        ("q.jsonl.gz", packed(b"PAR1rest"), "F: this is Parquet inside gzip"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, content: bytes, start: str) -> None:
    assert problems(write(tmp_path / name, content))[0].startswith(start)


def table(path: Path, **columns) -> Path:
    parquet.write_table(pyarrow.table(columns), path)
    return path


def test_parquet_keeps_exact_numbers_and_structures(tmp_path: Path) -> None:
    path = table(
        tmp_path / "q.bin",
        question=[[{"role": "user", "content": "a?"}], [{"role": "user", "content": "b?"}]],
        answer=pyarrow.array([9007199254740993, 2]),
        views=[[{"text": "c?", "name": "z"}, {"text": "d?", "name": None}], None],
        group=["g", None],
    )
    first, second = load_questions(path)
    assert first.answer == "9007199254740993"
    assert [(view.text, view.name) for view in first.views[1:]] == [("c?", "z"), ("d?", "view 3")]
    assert first.views[0].text == ({"role": "user", "content": "a?"},)
    assert (first.group, second.group, len(second.views)) == ("g", None, 1)
    exact = table(tmp_path / "d.parquet", question=["a?"], answer=[Decimal("1.50")])
    assert load_questions(exact)[0].answer == "1.50"


def test_parquet_answer_maps(tmp_path: Path) -> None:
    maps = pyarrow.array([[("A", "C"), ("C", "A")], None], type=pyarrow.map_(pyarrow.string(), pyarrow.string()))
    path = table(tmp_path / "q.parquet", question=["a?", "b?"], answer_map=maps)
    assert [asked.views[0].answer_map for asked in load_questions(path)] == [{"A": "C", "C": "A"}, None]


@pytest.mark.parametrize(
    ("answers", "what"),
    [
        ([1.0, 2.5], "'answer' is a floating-point number"),
        ([datetime.date(2004, 1, 5)] * 2, "'answer' is date"),
        ([True, False], "set data.preset: short-answer"),
        (["1", None], "'answer' is null"),
        (["1", ""], "'answer' is empty"),
        (["1", "\0"], "a text contains the NUL character"),
    ],
)
def test_parquet_mistakes(tmp_path: Path, answers: list, what: str) -> None:
    path = table(tmp_path / "q.parquet", question=["a?", "b?"], answer=answers)
    assert any(what in text for text in problems(path))
    assert problems(table(tmp_path / "e.parquet", question=pyarrow.array([], pyarrow.string())))[0] == (
        'F: 0 rows — write one JSON object per line, like {"question": "…"}'
    )
