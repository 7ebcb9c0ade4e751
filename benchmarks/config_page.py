"""The configuration as a page: every section and field with what it takes, its default, and what it is.

`python -m benchmarks.config_page > docs/configuration.md` writes it; a test holds the file to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from alft.config.game import GameSpec, Term
from alft.config.schema import RunConfig
from alft.config.section import section_in

HEAD = """\
# Configuration

Every field of a configuration, by section; `python -m benchmarks.config_page > docs/configuration.md` writes this.
In a YAML file a section is a key and its fields are keys below it; `--set section.field=value` goes over the file.
Where the default is –, nothing is chosen, or what suits the model and the game: `alft train --dry-run` prints what
is run, and `config.yaml` of a run keeps it.

```yaml
game: {coherence_geometric: 1.0, diversity_shannon: 0.1}
data: {path: questions.jsonl}
training:
  steps: 100
```
"""
TYPES = {str: "text", int: "whole number", float: "number", bool: "`true`, `false`", dict: "keys with values"}
BOUNDS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}


def page() -> str:
    """The whole page, as Markdown."""
    top = {name: field for name, field in RunConfig.model_fields.items() if field.description is not None}
    parts = [HEAD, "## Without a section\n", _table(top)]
    for name, field in RunConfig.model_fields.items():
        parts += _described(name, field)
    return "\n".join(parts) + "\n"


def _described(name: str, field: FieldInfo) -> Iterator[str]:
    """Heading and table of the section that a field holds, if it holds one, and of those within it."""
    section = section_in(field.annotation)
    if section is None:
        return
    section = Term if section is GameSpec else section
    listed = " A list of these." if get_origin(field.annotation) is list else ""
    yield f"\n## `{name}`\n\n{' '.join((section.__doc__ or '').split())}{listed}\n"
    yield _table(section.model_fields)
    for inner, within in section.model_fields.items():
        yield from _described(f"{name}.{inner}", within)


def _table(fields: dict[str, FieldInfo]) -> str:
    rows = [
        f"| `{name}` | {_values(field)} | {_default(field)} | {field.description or ''} |".replace("\n", " ")
        for name, field in fields.items()
    ]
    return "\n".join(["| field | values | default | what it is |", "|---|---|---|---|", *rows])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "has to be given"
    default = field.default.model_dump(mode="json") if isinstance(field.default, BaseModel) else field.default
    return "–" if default is None else f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _values(field: FieldInfo) -> str:
    return _bounded(_type(field.annotation), field.metadata)


def _type(annotation: Any) -> str:
    """What a field takes, in words; None is what it is when left out."""
    origin, parts = get_origin(annotation), [part for part in get_args(annotation) if part is not NoneType]
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in parts)
    if origin is Annotated:
        return _bounded(
            _type(parts[0]), [each for part in parts[1:] for each in getattr(part, "metadata", [part])]
        )
    if origin in (Union, UnionType):
        return " or ".join(map(_type, parts))
    if origin is list:
        return f"list of {_type(parts[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "fields below"
    return TYPES[origin or annotation]


def _bounded(words: str, metadata: list[Any]) -> str:
    """The words with the bounds that a field's metadata sets.

    >>> from annotated_types import Ge, Lt
    >>> _bounded("number", [Ge(0), Lt(1)])
    'number ≥ 0, < 1'
    """
    known = [
        f"{sign} {getattr(part, name)}"
        for part in metadata
        for name, sign in BOUNDS.items()
        if hasattr(part, name)
    ]
    return f"{words} {', '.join(known)}" if known else words


if __name__ == "__main__":
    print(page(), end="")
