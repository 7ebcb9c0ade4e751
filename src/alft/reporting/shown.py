"""What a page says of one run that has results: its names, its numbers in reading order, how to run it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
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
from alft.text import Number, interval, number, short

HEADLINE = {
    "agreement_greedy": "Views agree",
    "incoherence_corrected": "Incoherence (nats, less its bias)",
    "entropy": "Answer entropy (nats)",
}
"""Shown first where there are no gold answers."""
MOST_LIMITS = 2  # that are shown first
ACCURACIES = (("accuracy_sampled", "sampled accuracy"), ("accuracy_greedy", "greedy accuracy"))
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
        for metric, label in ACCURACIES:
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
        chosen = {"agreement_greedy": "Views agree"} if gold else HEADLINE
        single: list[Headline] = [
            (title, before[key], after[key], change[key], interval(change["intervals"].get(key), sign=True))
            for key, title in chosen.items()
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


NAME = 40
MOST = 3  # views that are named one by one


def story(results: Mapping[str, Any]) -> str:
    """The content of results.json in words; a change counts where its paired 95 % interval leaves out 0."""
    parts = [_accuracy(results), _agreement(results)]
    return " ".join(part for part in parts if part)


def vote_story(results: Mapping[str, Any]) -> str:
    """What a vote over the views costs nothing to reach, in words; empty without gold answers."""
    vote = results["before"]["consensus"]["vote_greedy"]["mean"]
    if vote is None:
        return ""
    return (
        "What costs no training: a vote over the greedy answers of all views of the model before training "
        f"is right on {number(vote)} of the questions."
    )


def _accuracy(results: Mapping[str, Any]) -> str:
    change = results["difference"]["accuracy_sampled"]
    if change["mean"] is None:
        return ""
    bounds = change["interval_by_view"]
    fell = [view for view in bounds if _side(bounds[view]) < 0]
    rose = [view for view in bounds if _side(bounds[view]) > 0]
    if not fell and len(rose) == len(bounds):
        return "Every way of asking became more accurate." if len(rose) > 1 else "It became more accurate."
    if not fell and not rose:
        return "No way of asking changed clearly in accuracy."
    if not fell:
        return f"{len(rose)} of {len(bounds)} ways of asking became more accurate, none clearly less."
    lost = ", ".join(_lost(results, view) for view in fell[:MOST]) + (", …" if len(fell) > MOST else "")
    gained = f"; {len(rose)} of {len(bounds)} ways of asking became more accurate" if rose else ""
    return f"Accuracy was lost in {lost}{gained}."


def _lost(results: Mapping[str, Any], view: str) -> str:
    before, after = (results[part]["accuracy_sampled"]["by_view"][view] for part in ("before", "after"))
    return f"“{short(view, NAME)}” ({number(before)} → {number(after)})"


def _agreement(results: Mapping[str, Any]) -> str:
    side = _side(results["difference"]["intervals"].get("agreement_greedy"))
    before, after = (results[part]["agreement_greedy"] for part in ("before", "after"))
    if before is None or after is None:
        return ""
    word = {1: "more", -1: "less", 0: "about as"}[side]
    than = "as before" if side == 0 else "than before"
    return f"Its views agree {word} often {than} ({number(before)} → {number(after)})."


def _side(bounds: Sequence[Number] | None) -> int:
    """1 or −1 where the interval lies on that side of 0, else 0."""
    if bounds is None or bounds[0] <= 0 <= bounds[1]:
        return 0
    return 1 if bounds[0] > 0 else -1
