"""Tables that are data: phrases by language, units, and how signs are written."""

import tomllib
from importlib import resources
from typing import Any


def table(name: str) -> dict[str, Any]:
    """The content of a TOML file of the package, like `answers/phrases`."""
    return tomllib.loads(resources.files("alft").joinpath(f"{name}.toml").read_text(encoding="utf-8"))
