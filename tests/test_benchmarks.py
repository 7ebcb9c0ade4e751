"""The benchmarks still fit the package: they import, what they name exists, and the pages cite those there are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("alft", "benchmarks", "tests")
FILES = sorted((ROOT / "benchmarks").rglob("*.py"))
PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "Makefile")
CITED = re.compile(r"-m (benchmarks(?:\.\w+)+)")


def module_of(path: Path) -> str:
    """The dotted name of a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def stale(source: str) -> Iterator[str]:
    """What a source takes from our modules and is not there, and modules that it calls; in functions too."""
    tree, bound = ast.parse(source), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(each.asname or each.name.split(".")[0], each) for each in node.names]
            found = {
                name: import_module(each.name if each.asname else name) for name, each in names if _ours(each.name)
            }
            bound |= found
        elif isinstance(node, ast.ImportFrom) and _ours(node.module or ""):
            for each in node.names:
                taken = _taken(str(node.module), each.name)
                if taken is None:
                    yield f"line {node.lineno}: {node.module} has no {each.name}"
                elif isinstance(taken, ModuleType):
                    bound[each.asname or each.name] = taken
    for name in _assigned(tree):
        bound.pop(name, None)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in bound:
            module = bound[node.value.id]
            if not hasattr(module, node.attr):
                yield f"line {node.lineno}: {module.__name__} has no {node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in bound:
            yield f"line {node.lineno}: {bound[node.func.id].__name__} is a module and is called"


def _ours(module: str) -> bool:
    return module.split(".")[0] in OURS


def _taken(module: str, name: str) -> object | None:
    """What `from module import name` gives, None if it fails."""
    parent = import_module(module)
    if not hasattr(parent, name) and hasattr(parent, "__path__"):
        try:
            return import_module(f"{module}.{name}")
        except ModuleNotFoundError:
            return None
    return getattr(parent, name, None)


def _assigned(tree: ast.AST) -> Iterator[str]:
    """Names that mean something else somewhere in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_fits_the_package(path: Path) -> None:
    try:
        import_module(module_of(path))
        found = list(stale(path.read_text("utf-8")))
    except ModuleNotFoundError as error:
        if _ours(error.name or ""):
            raise
        pytest.skip(f"{error.name} is not installed")
    assert found == []


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("from alft.models import local\nlocal.pad_right()", ["line 2: alft.models.local has no pad_right"]),
        ("def run():\n    from alft.games import Chess", ["line 2: alft.games has no Chess"]),
        ("from alft.games import base as f\nf(4)", ["line 2: alft.games.base is a module and is called"]),
        ("import alft.games as games\ngames.Chess", ["line 2: alft.games has no Chess"]),
        ("import alft\nalft.play_chess()", ["line 2: alft has no play_chess"]),
        ("from alft.models import local\nlocal.pad_left([], None)", []),
        ("from alft import games\ndef run(games):\n    return games.first", []),
    ],
)
def test_stale_names_are_found(source: str, wrong: list[str]) -> None:
    assert list(stale(source)) == wrong


def test_pages_cite_benchmarks_that_exist() -> None:
    known = {module_of(path).removesuffix(".__main__") for path in FILES}
    cited = {(page.name, name) for page in PAGES for name in CITED.findall(page.read_text("utf-8"))}
    assert len(cited) > len(FILES) / 2
    assert [each for each in sorted(cited) if each[1] not in known] == []


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_a_command_says_how_it_is_run(path: Path) -> None:
    source, name = path.read_text("utf-8"), module_of(path).removesuffix(".__main__")
    if "__name__ ==" in source:
        assert f"python -m {name}" in (ast.get_docstring(ast.parse(source)) or "")
