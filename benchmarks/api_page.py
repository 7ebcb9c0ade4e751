"""docs/api.md from docstrings: every public name of `alft` and of its public packages, with its signature.

python -m benchmarks.api_page > docs/api.md
"""

import importlib
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from types import ModuleType
from typing import Any

PACKAGES = ("alft", "alft.games", "alft.estimators", "alft.tabular", "alft.answers", "alft.questions")
HEAD = """# Python API

Every public name, with its signature and docstring. `python -m benchmarks.api_page > docs/api.md` writes it.
Numbers such as "theory.md 2.1" refer to [theory.md](theory.md).
"""


class Shown(str):
    """A default as the page shows it."""

    __repr__ = str.__str__


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([HEAD, *(line for name in PACKAGES for line in of_package(name))])


def of_package(name: str) -> Iterator[str]:
    """Heading and docstring of a package, and all of its public names."""
    package = importlib.import_module(name)
    yield f"## `{name}`\n\n{prose(package)}\n"
    for public in sorted(package.__all__, key=str.lower):
        yield from of_member(public, inspect.unwrap(getattr(package, public)))  # a cached function is a function


def of_member(name: str, member: Any) -> Iterator[str]:
    """Heading and docstring of a public name; of a class also its public methods."""
    if isinstance(member, ModuleType):
        yield f"### `{name}`\n\nA package of its own, below.\n"
    elif isinstance(member, dict):
        yield f"### `{name}`\n\nA dictionary with the keys {', '.join(f'`{key}`' for key in member)}.\n"
    elif not (inspect.isclass(member) or inspect.isfunction(member)):
        yield f"### `{name}`\n\nA constant or type: `{type(member).__name__}`.\n"
    else:
        yield f"### `{name}{signature(member)}`\n\n{prose(member)}\n"
        of_class = vars(member).items() if inspect.isclass(member) else ()
        methods = [(key, of) for key, of in of_class if key[0] != "_" and inspect.isfunction(of) and of.__doc__]
        for key, of in methods:
            yield f"- `.{key}{signature(of)}`: {' '.join(prose(of).split(chr(10) * 2)[0].split())}"
        yield from [""] if methods else []


def signature(member: Any) -> str:
    """Parameters with their defaults, without annotations and `self`: the page stays readable."""
    if inspect.isclass(member) and (issubclass(member, Enum) or not inspect.isfunction(member.__init__)):
        return ""
    shown = []
    for each in inspect.signature(member).parameters.values():
        written = repr(each.default)
        short = written if len(written) < 40 and "<" not in written else "…"
        default = each.empty if each.default is each.empty else Shown(short)
        shown.append(each.replace(annotation=each.empty, default=default))
    return str(inspect.Signature([each for each in shown if each.name not in ("self", "cls")]))


def prose(member: Any) -> str:
    """The docstring, with its doctests as code."""
    text = (inspect.getdoc(member) or "") + "\n"
    examples = r"(?m)\n?(^>>> (?:.+\n)+)"
    return re.sub(examples, r"\n```pycon\n\1```\n", text).strip()


if __name__ == "__main__":
    print(page(), end="")
