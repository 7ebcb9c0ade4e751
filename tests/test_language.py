"""Messages, help and docstrings are in plain English: words of the old dialect do not come back."""

import ast
import re
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "alft"
DIALECT = re.compile(
    r"\btold\b|\btells? of\b|\bmend(?:s|ed|ing)?\b|\b(?:go|goes|going|went) on\b|\b(?:no|a) say\b|\bso often\b"
    r"|\bwhom\b|\bcomes? to numbers\b|\banew\b",
    re.IGNORECASE,
)


def texts(path: Path) -> list[tuple[int, str]]:
    """Every string of a module with its line: messages, help, docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        (n.lineno, n.value) for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]


def dialect(path: Path) -> list[str]:
    return [f"{path.name}:{line}: …{found[0]}…" for line, text in texts(path) for found in DIALECT.finditer(text)]


LEFT = 0
"""Places that still hold a word of the dialect. The number only falls; at 0 the test asks for none."""


def test_words_of_the_dialect_only_become_fewer():
    found = [place for path in sorted(SOURCE.rglob("*.py")) for place in dialect(path)]
    assert len(found) <= LEFT, "\n".join(found)


def test_the_test_can_fail(tmp_path):
    (tmp_path / "x.py").write_text('raise ValueError("it goes on")')
    assert dialect(tmp_path / "x.py") == ["x.py:1: …goes on…"]
