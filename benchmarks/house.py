"""Measures the source tree: size, import chains and circles; imports inside functions and for types count too.

    python -m benchmarks.house [SOURCE]

A package's `__init__.py` that only hands names on is looked through: `from alft.games import Sum` is an import of
the module that defines `Sum`. The tests hold the limits (`tests/test_house.py`).
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = "alft"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE
Graph = Mapping[str, Iterable[str]]


def circles(graph: Graph) -> list[list[str]]:
    """Groups of nodes that reach each other (strongly connected, more than one node), by Tarjan's algorithm.

    >>> circles({"a": ["b"], "b": ["a", "c"], "c": []})
    [['a', 'b']]
    """
    return [sorted(group) for group in _components(graph) if len(group) > 1]


def longest_chain(graph: Graph) -> list[str]:
    """The longest path; a circle counts as one node.

    >>> longest_chain({"a": ["b", "c"], "b": ["c"], "c": []})
    ['a', 'b', 'c']
    """
    groups = _components(graph)  # what is imported comes before what imports it
    number = {node: index for index, group in enumerate(groups) for node in group}
    best: list[list[str]] = []
    for index, group in enumerate(groups):
        below = {number[other] for node in group for other in graph.get(node, ())} - {index}
        best.append([group[0], *max((best[other] for other in below), key=len, default=[])])
    return max(best, key=len, default=[])


def _components(graph: Graph) -> list[list[str]]:
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            place = stack.index(node)
            found.append(stack[place:])
            del stack[place:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


@dataclass(frozen=True)
class House:
    """The source tree in a folder."""

    source: Path = SOURCE

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Every module by its dotted name."""
        return {self._name(path): path for path in sorted(self.source.rglob("*.py"))}

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        """Every module, parsed."""
        return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in self.modules.items()}

    @property
    def lines(self) -> int:
        """Lines of all modules."""
        return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in self.modules.values())

    @property
    def top(self) -> list[str]:
        """Modules at the top of the package."""
        return [path.stem for path in sorted(self.source.glob("*.py")) if path.name != "__init__.py"]

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """The modules that each module imports from the package."""
        found: dict[str, set[str]] = {name: set() for name in self.modules}
        for name, tree in self.trees.items():
            if not self._hands_on(name):
                found[name] = {self._defined(*one) for one in _imported(tree)} & self.modules.keys() - {name}
        return found

    @cached_property
    def folders(self) -> dict[str, set[str]]:
        """The folders (and modules at the top) that each of them imports; the package itself left out."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for name, others in self.imports.items():
            if name != PACKAGE:
                found[_folder(name)] |= {_folder(other) for other in others} - {_folder(name), PACKAGE}
        return dict(found)

    def _name(self, path: Path) -> str:
        parts = path.relative_to(self.source.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def _hands_on(self, name: str) -> bool:
        """Whether a module is an `__init__.py` that defines nothing itself."""
        own = (ast.FunctionDef, ast.ClassDef)
        return self.modules[name].name == "__init__.py" and not any(
            isinstance(n, own) for n in self.trees[name].body
        )

    def _defined(self, module: str, name: str) -> str:
        """The module that defines `name`, which is imported from `module`."""
        if f"{module}.{name}" in self.modules:
            return f"{module}.{name}"
        if module in self.modules and self.modules[module].name == "__init__.py":
            for origin, item in _imported(self.trees[module]):
                if item == name and origin != module:
                    return self._defined(origin, item)
        return module


def _imported(tree: ast.Module) -> list[tuple[str, str]]:
    """Each import of the package as (module, name)."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            found += [(str(node.module), alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names if alias.name.split(".")[0] == PACKAGE]
    return found


def _folder(name: str) -> str:
    return name.split(".")[1] if "." in name else name


def main(source: Path = SOURCE) -> None:
    """Print every figure."""
    house = House(source)
    chain = longest_chain(house.imports)
    print(f"lines               {house.lines:,}")
    print(f"files               {len(house.modules)}")
    print(f"modules at the top  {len(house.top)}: {', '.join(house.top)}")
    print(f"longest chain       {len(chain)}: {' → '.join(name.removeprefix(PACKAGE + '.') for name in chain)}")
    print(f"module circles      {circles(house.imports) or 'none'}")
    print(f"folder circles      {circles(house.folders) or 'none'}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
