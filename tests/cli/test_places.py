"""A place that can't be written to is told before anything is read, solved or drawn."""

import pytest

from tests.cli.test_cli import alft

NO_FOLDER = "none/x.json: its folder does not exist — make it, or choose another name"
NO_SAMPLES = "exists already, and holds no samples — OUTPUT is where samples are written: choose another name"
NO_JSONL = "is no JSONL file by its name — end it in .jsonl"
NO_PICTURE = "x.xyz is no picture by its name — end it in .svg, .png, .pdf"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("solve p.json -o none/x.json", NO_FOLDER),
        ("solve p.json --plot none/x.json", NO_FOLDER),
        ("solve p.json --plot x.xyz", f"--plot: {NO_PICTURE}"),
        ("solve s.parquet -o none/x.json", NO_FOLDER),
        ("solve s.parquet --summary none/x.json", NO_FOLDER),
        ("distill s.parquet --export none/x.json", NO_FOLDER),
        ("report run -o none/x.json", NO_FOLDER),
        ("report run --picture x.xyz", f"--picture: {NO_PICTURE}"),
        ("views q.jsonl -o none/x.json", NO_FOLDER),
        ("views q.jsonl -o v.csv", f"--output: v.csv {NO_JSONL}"),
        ("views q.jsonl -o v.jsonl", "alft views: would write a copy: no views are asked for — give --make "),
        ("distill s.parquet --export e.csv", f"--export: e.csv {NO_JSONL}"),
        ("report run -o x.pdf", "--output: x.pdf is no web page by its name — end it in .html"),
        ("solve p.json -o p.json", "p.json: exists already"),
        ("solve s.parquet --summary p.json", "p.json: exists already"),
        ("distill s.parquet --export p.json", "p.json: exists already"),
        ("views q.jsonl -o p.json", "p.json: exists already"),
        ("sample p.json -c none.yaml", f"p.json: {NO_SAMPLES}"),
        ("sample p.json --part 1/2 -c none.yaml", f"p.json: {NO_SAMPLES}"),
        ("sample s.parquet -c none.yaml", "s.parquet: exists already — choose another name, or remove it"),
    ],
)
def test_a_place_that_can_not_be_is_told_before_anything_is_read(monkeypatch, capsys, tmp_path, arguments, told):
    """What is to be read is broken, or not there: that would be told next."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.json").write_text("{")
    (tmp_path / "s.parquet").write_bytes(b"PAR1")
    assert alft(monkeypatch, *arguments.split()) == 2
    assert f"error: {told}" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.json", "s.parquet"]
