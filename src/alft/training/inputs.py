"""What decides a run beside chance: its configuration, questions and model. A resumed run must have the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alft.config import RunConfig
from alft.config_file import load_config
from alft.defaults import resolve
from alft.errors import ConfigError, Problem
from alft.plan import Plan
from alft.training.checkpoint import sha256
from alft.training.models import model_digest
from alft.user_code import code_path, names_code

FREE = ("output.", "training.checkpoint_every", "training.keep_checkpoints", "training.report_to")
"""Settings that change nothing that is computed."""
REMEDY = "change it back, or start anew with --overwrite or another output.name"


def digests(plan: Plan) -> dict[str, str]:
    """Digests of the questions (with their answers, in their order), of the model, and of the user's own code."""
    asked = repr((plan.train, plan.held_out)).encode("utf-8", "backslashreplace")
    found = {"data": hashlib.sha256(asked).hexdigest(), "model": model_digest(plan.config.model)}
    return found | {path: sha256(Path(path)) for path in code_files(plan.config)}


def check_unchanged(plan: Plan, now: Mapping[str, str]) -> None:
    """Raise ConfigError if the run in the plan's directory had another configuration, other data or another model.

    `now` are the plan's digests. All differences are told, each by name.
    """
    config, saved = plan.directory / "config.yaml", _saved(plan.directory)
    problems = list(_changes(resolve(load_config(config)), plan.config, str(config)))
    names = {"data": f"data.path ({plan.config.data.path})", "model": f"model.path ({plan.config.model.path})"}
    problems += [
        Problem(names.get(kind, kind), "was changed since this run was started", REMEDY)
        for kind in now
        if saved.get(kind) != now[kind]
    ]
    if problems:
        raise ConfigError(problems)


def code_files(config: RunConfig) -> list[str]:
    """Python files that a configuration names, as `path.py:name`: games and constraints of the user's own."""
    named = [*(term.game for term in config.game.terms), *(each.function or "" for each in config.constraints)]
    return sorted({str(code_path(text)) for text in named if names_code(text)})


def _changes(earlier: RunConfig, now: RunConfig, where: str) -> Iterator[Problem]:
    before, after = flat(earlier.model_dump(mode="json")), flat(now.model_dump(mode="json"))
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old != new and not name.startswith(FREE):
            yield Problem(f"{where}: {name}", f"this run has {old!r}, and {new!r} is asked for", REMEDY)


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as one mapping of dotted names.

    >>> flat({"a": {"b": 1}, "c": [2]})
    {'a.b': 1, 'c': [2]}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def _saved(directory: Path) -> dict[str, str]:
    """The digests that a run started with; {} if they can't be read, which then differ from any."""
    try:
        found = json.loads((directory / "inputs.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
