"""What a page says of one run that has results: its names, its numbers in reading order, how to run it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from markupsafe import Markup
from pydantic import ValidationError

from alft.config.game import GameSpec
from alft.config.schema import BUILT_IN
from alft.reporting.plots import Mark
from alft.reporting.runs import Run
from alft.reporting.tables import (
    Change,
    at_k,
    broken_limits,
    changes,
    limit_label,
    measures,
    population,
    votes,
    worst_view,
)
from alft.reporting.terminal import story
from alft.text import LABELS, heading, interval

HEADLINE = ("agreement_greedy", "incoherence_corrected", "entropy")
"""Shown first where there are no gold answers."""
MOST_LIMITS = 2  # that are shown first
ACCURACIES = ("accuracy_sampled", "accuracy_greedy")
Headline = tuple[str, Any, Any, Any, str]
"""Title, before, after, change, and its interval or other words."""


@dataclass(frozen=True)
class Shown:
    """What the page says of one run that has results."""

    run: Run
    mark: Mark
    figures: Mapping[str, Markup]

    @property
    def results(self) -> Mapping[str, Any]:
        """Content of results.json."""
        return self.run.results or {}

    @property
    def game(self) -> str:
        """The game's name in words."""
        spec = self.spec
        name = str(self.training.get("game") or "training") if spec is None else spec.label
        return name.replace("_", ", ", 1).replace("_", " ")

    @property
    def spec(self) -> GameSpec | None:
        """The game that the run's configuration names; None if it names none that can be read."""
        try:
            return GameSpec.model_validate(self.run.config.get("game"))
        except ValidationError:
            return None

    @property
    def title(self) -> str:
        """The game's name as a heading."""
        return self.game[:1].upper() + self.game[1:]

    @property
    def model(self) -> str:
        """What was trained, as the start of a sentence."""
        section = self.run.config.get("model")
        path = str(section.get("path", "a model")) if isinstance(section, Mapping) else "a model"
        return "The built-in starter model" if path == BUILT_IN else path[:1].upper() + path[1:]

    @property
    def story(self) -> str:
        """What it bought, in words."""
        return story(self.results)

    @property
    def training(self) -> Mapping[str, Any]:
        """Facts about the training."""
        return self.results.get("training") or {}

    @property
    def approach(self) -> Mapping[str, Any] | None:
        """How near training came to the equilibrium; None where that has no estimate."""
        return self.results.get("approach")

    @property
    def broken_limits(self) -> list[str]:
        """Limits that the trained model does not keep, in words."""
        return broken_limits(self.results["after"])

    @property
    def labels(self) -> str:
        """Whether the game used gold answers, in words; empty for a game of the user's own."""
        labels = None if self.spec is None else self.spec.uses_labels
        return "" if labels is None else "with labels" if labels else "without labels"

    @property
    def numbers(self) -> list[Change]:
        """Rows of the table of all numbers, of those that are defined."""
        before, after, change = (self.results[name] for name in ("before", "after", "difference"))
        rows: list[Change] = []
        for metric in ACCURACIES:
            label = LABELS[metric]
            parts = before[metric], after[metric], change[metric]
            for view in after["views"]:
                values = [part["by_view"].get(view) for part in parts]
                rows.append((f"{label}, {view}", *values, parts[2]["interval_by_view"].get(view)))
            rows.append((f"{label}, mean", *[part["mean"] for part in parts], parts[2]["interval"]))
        for lines in (at_k, measures, votes, population):
            rows += changes(lines, self.results)
        return [row for row in rows if row[1:4] != (None, None, None)]

    @property
    def headline(self) -> list[Headline]:
        """What matters most."""
        before, after, change = (self.results[name] for name in ("before", "after", "difference"))
        gold = after["accuracy_sampled"]["mean"] is not None
        chosen = HEADLINE[:1] if gold else HEADLINE
        single: list[Headline] = [
            (
                heading(LABELS[key]),
                before[key],
                after[key],
                change[key],
                interval(change["intervals"].get(key), sign=True),
            )
            for key in chosen
            if all(key in part for part in (before, after, change))
        ]
        return [*(self._accuracy if gold else []), *single, *self._limits]

    @property
    def _accuracy(self) -> list[Headline]:
        before, after, change = (self.results[name] for name in ("before", "after", "difference"))
        was, now, by = (part["accuracy_sampled"] for part in (before, after, change))
        low, new = worst_view(before), worst_view(after)
        rise = None if low is None or new is None else new - low
        names = " → ".join(dict.fromkeys(str(_worst_name(part)) for part in (before, after)))
        return [
            ("Accuracy", was["mean"], now["mean"], by["mean"], interval(by["interval"], sign=True)),
            ("Worst view", low, new, rise, names),
        ]

    @property
    def _limits(self) -> list[Headline]:
        before, after = (self.results[name].get("limits", {}) for name in ("before", "after"))
        rows: list[Headline] = []
        for name, told in list(after.items())[:MOST_LIMITS]:
            was, now = before.get(name, {}).get("mean"), told["mean"]
            change = None if was is None or now is None else now - was
            rows.append((limit_label(name, told), was, now, change, f"after {interval(told['interval'])}"))
        return rows


def command_again(run: Run) -> str:
    """The shell command that trains the same again, under a name that is free and that a run may have."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", run.name)[-80:].lstrip("._-") or "run"
    return f"alft train {shlex.quote(str(run.path / 'config.yaml'))} --set output.name={name}-again"


def config_text(run: Run) -> str:
    """The run's configuration as YAML."""
    return yaml.safe_dump(dict(run.config), sort_keys=False, allow_unicode=True)


def _worst_name(summary: Mapping[str, Any]) -> str | None:
    """Name of the view with the lowest sampled accuracy; None without gold answers."""
    known = {view: value for view, value in summary["accuracy_sampled"]["by_view"].items() if value is not None}
    return min(known, key=known.__getitem__, default=None)
