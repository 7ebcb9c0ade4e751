"""PAPER.md names what exists: files, tests, benchmarks."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [line for line in (ROOT / "PAPER.md").read_text().splitlines() if line.startswith("| ")][1:]
TESTS = set(
    re.findall(r"^def (test_\w+)", "\n".join(p.read_text() for p in ROOT.glob("tests/**/test_*.py")), re.M)
)
FILES = {str(path.relative_to(ROOT / "src" / "alft")) for path in ROOT.glob("src/alft/**/*.py")}
TEST_FILES = {path.name for path in ROOT.glob("tests/**/test_*.py")}


def missing(row: str) -> list[str]:
    """What a row names that is not there; a name cut short by … stands for every longer one."""
    where, tests, command = [cell.strip() for cell in row.strip("|").split("|")][1:4]
    named = [(f"src/alft/{path}", path in FILES) for path in re.findall(r"`([\w/]+\.py)", where)]
    named += [(path, False) for path in re.findall(r"`[^`]*\{[^`]*\.py", where)]
    named += [(path, path.split("/")[-1] in TEST_FILES) for path in re.findall(r"[\w/]*test_\w+\.py", tests)]
    functions = re.findall(r"(?<![\w/])(test_\w+)(…?)(?!\w*\.py)", tests)
    named += [(name, any(t.startswith(name) if cut else t == name for t in TESTS)) for name, cut in functions]
    for module in re.findall(r"-m (benchmarks\.\w+)", command):
        place = ROOT / module.replace(".", "/")
        named.append((module, place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()))
    return [name for name, there in named if not there]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_a_row_names_what_exists(row):
    assert missing(row) == []


def test_the_check_can_fail():
    row = "| 9 | `games/no.py`, `games/{a,b}.py` | test_games.py::test_nothing | python -m benchmarks.nothing |"
    assert missing(row) == [
        "src/alft/games/no.py",
        "`games/{a,b}.py",
        "test_nothing",
        "benchmarks.nothing",
    ]
