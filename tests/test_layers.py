"""Imports go down the page only (design: Layout), and heavy libraries stay in their rooms."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "alft"
HEAVY = {"torch", "transformers", "trl", "accelerate", "datasets", "verl", "peft", "tokenizers"}
HEAVY_ROOMS = ("training/", "models/", "offline/", "verbs/", "verl/", "reporting/progress.py")
ORDER = [  # a room may import itself and the rooms above it
    ("errors", "simplex", "consensus", "marginals", "games", "estimators", "tabular"),
    ("counts", "text", "user_code", "completions", "storage"),
    ("answers", "questions"),
    ("rewards", "config"),
    ("starter", "models"),
    ("evaluation",),
    ("plan", "reporting"),
    ("training", "offline"),
    ("verbs", "verl"),
    ("cli", "__main__"),
]
BANNED = {  # within the numbers: the theory's own order
    "games": {"estimators", "tabular", "counts"},
    "estimators": {"answers", "questions", "games"},
    "simplex": {"consensus", "games", "estimators"},
}


def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_of(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("alft.")}


def violations(room: str, place: str, names: set[str]) -> list[str]:
    level = {name: index for index, group in enumerate(ORDER) for name in group}
    found = [f"{place} imports {other}" for other in rooms_of(names) & level.keys() if level[other] > level[room]]
    found += [f"{place} imports {other}" for other in rooms_of(names) & BANNED.get(room, set())]
    heavy = {name.split(".")[0] for name in names} & HEAVY
    if heavy and not place.startswith(HEAVY_ROOMS):
        found.append(f"{place} imports {sorted(heavy)}")
    return found


FILES = sorted(path for path in SOURCE.rglob("*.py") if path.name != "__init__.py" or path.parent != SOURCE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down_only(path):
    place = str(path.relative_to(SOURCE))
    room = place.split("/")[0].removesuffix(".py")
    assert violations(room, place, imports_of(path)) == []


@pytest.mark.parametrize(
    ("room", "place", "names"),
    [
        ("games", "games/x.py", {"alft.estimators"}),
        ("simplex", "simplex.py", {"torch"}),
        ("rewards", "rewards/scoring.py", {"alft.training.trl"}),
        ("evaluation", "evaluation/metrics.py", {"torch.nn"}),
        ("training", "training/x.py", {"alft.cli.main"}),
    ],
)
def test_the_test_can_fail(room, place, names):
    assert violations(room, place, names)


def test_importing_alft_is_light():
    code = "import sys, alft; assert not {'torch', 'transformers', 'trl', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    first, last = body[0].lineno, body[-1].end_lineno or body[-1].lineno
    return sum(1 for line in lines[first - 1 : last] if line.strip() and not line.strip().startswith("#"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_and_functions_stay_small(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 350
    functions = [
        n for n in ast.walk(ast.parse("\n".join(lines))) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [f.name for f in functions if body_lines(f, lines) > 40] == []
