"""`alft report runs/*`: what is no run is left out with a notice, and the page is written for the others."""

from tests.cli.test_cli import alft
from tests.report.runs import write_run


def test_what_is_no_run_is_left_out_with_a_notice(monkeypatch, capsys, tmp_path):
    write_run(tmp_path / "run")
    for name, file in (("offline", "distill.json"), ("measured", "results.json"), ("empty", None)):
        (tmp_path / name).mkdir()
        if file is not None:
            (tmp_path / name / file).write_text('{"measured": {}}')
    (tmp_path / "notes.txt").touch()
    page = tmp_path / "report.html"
    names = ("run", "offline", "measured", "empty", "notes.txt")
    assert alft(monkeypatch, "report", *(tmp_path / name for name in names), "-o", page) == 0
    told = capsys.readouterr().out
    assert f"left out: {tmp_path}/offline: was made by `alft distill`, and is no run" in told
    assert f"left out: {tmp_path}/measured: is a measurement without training, no run" in told
    assert told.count("is no run directory") == 2
    assert "run" in page.read_text()


def test_without_a_run_it_is_an_error(monkeypatch, capsys, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert alft(monkeypatch, "report", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "report.html") == 2
    assert capsys.readouterr().err.count("is no run directory") == 2
    assert not (tmp_path / "report.html").exists()


def test_a_run_that_can_not_be_read_is_an_error_beside_others(monkeypatch, capsys, tmp_path):
    for name in "ab":
        write_run(tmp_path / name)
    (tmp_path / "b" / "results.json").write_text("{")
    assert alft(monkeypatch, "report", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "report.html") == 2
    assert "results.json: is not JSON" in capsys.readouterr().err
