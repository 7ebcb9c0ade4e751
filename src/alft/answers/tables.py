"""Tables that are data: phrases by language, units, and how signs are written."""

import tomllib
from importlib import resources
from typing import Any


def table(name: str) -> dict[str, Any]:
    """The content of a TOML file beside this one."""
    return tomllib.loads(resources.files("alft.answers").joinpath(f"{name}.toml").read_text(encoding="utf-8"))
