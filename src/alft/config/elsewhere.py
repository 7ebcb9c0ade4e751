"""Where a setting is that other libraries have under another name, or in another place: elsewhere.toml."""

from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel

from alft.answers.phrases import table
from alft.config.section import section_in

_TABLE: Final = table("config/elsewhere")
_KNOWN: Final = {old: f"it is {new} here" for new, names in _TABLE["place"].items() for old in names.split()} | {
    old: what for names, what in _TABLE["instead"].items() for old in names.split()
}


def elsewhere(name: str, config: type[BaseModel]) -> str | None:
    """What to use instead of a key that is unknown in its section, None for a key that nobody knows.

    >>> from alft.config.schema import RunConfig
    >>> elsewhere("beta", RunConfig), elsewhere("num_generations", RunConfig)
    ('it is scoring.beta here', 'it is training.samples here')
    """
    places = [place for place in _places(config) if place.rpartition(".")[2] == name]
    return f"it is {' or '.join(places)} here" if places else _KNOWN.get(name)


def _places(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield prefix + name
        inner = section_in(field.annotation)
        if inner is not None and name != "game":
            yield from _places(inner, f"{prefix}{name}.")
