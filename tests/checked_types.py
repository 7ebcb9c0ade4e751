"""Annotations are checked at run time: by beartype, and with their shapes where a module names any.

A check of shapes binds the arguments of every call anew, at sixty times the cost of a check of types: it is for
the modules alone whose annotations name a shape, or a name that only a type checker imports.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from beartype import BeartypeConf
from beartype.claw import beartype_package
from jaxtyping import install_import_hook

ALIAS = re.compile(r"^(\w+) = (?:Bool|Float|Int|UInt8)\[", re.MULTILINE)
IMPORT = re.compile(r"^from alft\S* import (\([^)]*\)|.*)", re.MULTILINE)


def shaped(root: Path) -> list[str]:
    """The modules of a package's folder that name shapes, an alias of one, or what only a type checker imports."""
    texts = {path: path.read_text() for path in root.rglob("*.py")}
    aliases = {name for text in texts.values() if "jaxtyping" in text for name in ALIAS.findall(text)}

    def named(text: str) -> bool:
        imported = {name for names in IMPORT.findall(text) for name in re.findall(r"\w+", names)}
        return "jaxtyping" in text or "TYPE_CHECKING" in text or bool(imported & aliases)

    found = [path for path, text in texts.items() if path.stem != "__init__" and named(text)]
    return [".".join(path.relative_to(root.parent).with_suffix("").parts) for path in found]


def check_types(package: str) -> None:
    """Check the annotations of a package from here on, which is not imported yet."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    beartype_package(package, conf=BeartypeConf(claw_is_pep526=False))
    install_import_hook(shaped(Path(spec.submodule_search_locations[0])), "beartype.beartype")
