"""Reports: one or several run directories → one self-contained HTML page, a terminal table, a picture.

What draws is imported on first use, so that a bar of progress does not load it.
"""

from importlib import import_module
from typing import Any

_FROM = {"render_report": "page", "save_picture": "plots", "terminal_runs": "terminal"}


def __getattr__(name: str) -> Any:
    if name not in _FROM:
        raise AttributeError(f"module 'alft.reporting' has no attribute {name!r}")
    return getattr(import_module(f"alft.reporting.{_FROM[name]}"), name)
