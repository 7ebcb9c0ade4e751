"""A user's own Python that fails: which line, and what helps."""

import pytest

from alft.errors import ConfigError
from alft.user_code import load_code


def failure(tmp_path, text):
    path = tmp_path / "own.py"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_code(f"{path}:Own", "game")
    (problem,) = error.value.problems
    return problem.what.removeprefix(str(tmp_path) + "/"), problem.remedy


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\n\nclass Own(:\n    pass\n", "own.py:3 fails: SyntaxError: invalid syntax"),
        ("class Own:\n    def f(self):\n  pass\n", "own.py:3 fails: IndentationError: unindent does not match"),
        ("x = 1\nimport nunpy\n", "own.py:2 fails: ModuleNotFoundError: No module named 'nunpy'"),
        ("x = '\0'\n", "own.py fails: "),
        ("import sys\nsys.exit(0)\n", "own.py:2 fails: SystemExit: 0"),
        ("import json\n\n\njson.loads('{')\n", "own.py:4 fails: JSONDecodeError"),
    ],
)
def test_a_failure_has_the_line_of_the_file(tmp_path, text, told):
    what, remedy = failure(tmp_path, text)
    assert what.startswith(told)
    assert remedy == "fix the file"


def test_a_neighbour_is_not_found_and_the_remedy_works(tmp_path, monkeypatch):
    (tmp_path / "costs_beside.py").write_text("Own = int\n")
    what, remedy = failure(tmp_path, "from costs_beside import Own\n")
    assert what.startswith("own.py:1 fails: ModuleNotFoundError: No module named 'costs_beside'")
    assert remedy.endswith(f"put both in one, or set PYTHONPATH={tmp_path}")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_code(f"{tmp_path / 'own.py'}:Own", "game") is int


def test_an_error_in_a_neighbour_is_told_at_its_own_line(tmp_path, monkeypatch):
    (tmp_path / "broken_beside.py").write_text("x = 1\ny = (\n")
    monkeypatch.syspath_prepend(tmp_path)
    what, _ = failure(tmp_path, "import broken_beside\n")
    assert what.startswith("own.py:1 fails: SyntaxError: '(' was never closed (broken_beside.py, line 2)")
