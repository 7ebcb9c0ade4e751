"""One self-contained HTML page about one or several runs: no script, no network, inert whatever a model said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pydantic import ValidationError

from alft.config import BUILT_IN
from alft.evaluation.tables import CONSENSUS, worst_view
from alft.evaluation.text import METRICS, Number, interval, number, short, signed, visible
from alft.game_spec import GameSpec
from alft.report.answers import disagreements, pictures
from alft.report.plots import GREEDY, RUN_COLOURS, SAMPLED, before_after_svg, curves_svg
from alft.report.runs import Run, load_runs
from alft.report.story import story, vote_story

CURVES = {
    "accuracy": "Accuracy on training questions",
    "incoherence_corrected": "Incoherence (nats, less its bias)",
    "incoherence": "Incoherence (nats)",
    "agreement": "Agreement between views",
    "entropy": "Answer entropy (nats)",
    "dominant_share": "Share of the commonest answer",
    "unread": "Unread answers",
    "gap": "Gap to equilibrium",
    "parity": "Difference between groups (nats)",
}
MEMORY = {"cost": "Cost: {}", "multiplier": "Multiplier: {}"}
"""Metrics of games on all questions together, by the start of their name."""
HEADLINE = {
    "agreement_greedy": "Views agree",
    "incoherence_corrected": "Incoherence (nats, less its bias)",
    "entropy": "Answer entropy (nats)",
}
"""Shown first where there are no gold answers."""
NAME = 80  # characters of a name that are shown
COMPLETION = 4000  # characters of a completion that are shown
MOST_PICTURED = 3  # runs whose answers are shown side by side
DISAGREEMENTS = 5


@dataclass(frozen=True)
class Shown:
    """What the page says of one run that has results."""

    run: Run
    colour: str
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
        path = str((self.run.config.get("model") or {}).get("path", "a model"))
        return "The built-in starter model" if path == BUILT_IN else path

    @property
    def story(self) -> str:
        """What it bought, in words."""
        return story(self.results)

    @property
    def training(self) -> Mapping[str, Any]:
        """Facts about the training."""
        return self.results.get("training") or {}

    @property
    def labels(self) -> str:
        """Whether the game used gold answers, in words; empty for a game of the user's own."""
        labels = None if self.spec is None else self.spec.uses_labels
        return "" if labels is None else "with labels" if labels else "without labels"

    @property
    def numbers(self) -> list[tuple[str, Any, Any, Any, Any]]:
        """Rows (name, before, after, change, interval of the change) of the table of all numbers."""
        before, after, change = (self.results[name] for name in ("before", "after", "difference"))
        rows = []
        for metric, label in (("accuracy_sampled", "sampled accuracy"), ("accuracy_greedy", "greedy accuracy")):
            parts = before[metric], after[metric], change[metric]
            for view in after["views"]:
                values = [part["by_view"].get(view) for part in parts]
                rows.append((f"{label}, {view}", *values, parts[2]["interval_by_view"].get(view)))
            rows.append((f"{label}, mean", *[part["mean"] for part in parts], parts[2]["interval"]))
        rows += [
            (label, before[key], after[key], change[key], change["intervals"][key])
            for key, label in METRICS.items()
            if all(key in part for part in (before, after, change))
        ]
        for key, label in CONSENSUS.items():
            parts = [part["consensus"][key] for part in (before, after, change)]
            rows.append((label, *[part["mean"] for part in parts], parts[2]["interval"]))
        return [row for row in rows if row[1:4] != (None, None, None)]

    @property
    def headline(self) -> list[tuple[str, Any, Any, Any, str]]:
        """What matters most: rows (title, before, after, change, interval or other words)."""
        before, after, change = (self.results[name] for name in ("before", "after", "difference"))
        chosen = HEADLINE if after["accuracy_sampled"]["mean"] is None else {"agreement_greedy": "Views agree"}
        single = [
            (title, before[key], after[key], change[key], interval(change["intervals"][key], sign=True))
            for key, title in chosen.items()
            if key in before
        ]
        if chosen is HEADLINE:
            return single
        was, now, by = (part["accuracy_sampled"] for part in (before, after, change))
        low, new = worst_view(before), worst_view(after)
        rise = None if low is None or new is None else new - low
        names = " → ".join(dict.fromkeys(str(worst_name(part)) for part in (before, after)))
        return [
            ("Accuracy", was["mean"], now["mean"], by["mean"], interval(by["interval"], sign=True)),
            ("Worst view", low, new, rise, names),
            *single,
        ]


def render_report(run_dirs: Sequence[Path]) -> str:
    """The page as text, which can be written as UTF-8. Raises DataError for what is no run directory."""
    return render_runs(load_runs(run_dirs))


def render_runs(runs: Sequence[Run]) -> str:
    """The page about runs that were read already."""
    finished = [run for run in runs if run.results is not None]
    shown = [_shown(run, index) for index, run in enumerate(finished)]
    environment = Environment(
        loader=PackageLoader("alft.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "signed": signed,
        "interval": interval,
        "change_interval": partial(interval, sign=True),
        "name": lambda text: short(str(text), NAME),
        "sentence": lambda text: visible(str(text), 600),
        "text": lambda text: visible(str(text), COMPLETION, lines=True),
        "duration": duration,
    }
    page = environment.get_template("page.html.j2").render(
        runs=shown,
        unfinished=[run for run in runs if run.results is None],
        curves=_curves(runs),
        colours={run.name: _colour(index) for index, run in enumerate(runs)},
        pictures=pictures(finished[:MOST_PICTURED]) if finished else [],
        disagreements=[
            (one, found) for one in shown[:MOST_PICTURED] if (found := disagreements(one.run, DISAGREEMENTS))
        ],
        worst_view=worst_view,
        vote=next((told for one in shown if (told := vote_story(one.results))), ""),
    )
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def worst_name(summary: Mapping[str, Any]) -> str | None:
    """Name of the view with the lowest sampled accuracy; None without gold answers."""
    known = {view: value for view, value in summary["accuracy_sampled"]["by_view"].items() if value is not None}
    return min(known, key=known.__getitem__, default=None)


def duration(seconds: Number | None) -> str:
    """A time in words.

    >>> duration(97.3), duration(3 * 3600 + 120), duration(8.04)
    ('1 min 37 s', '3 h 2 min', '8 s')
    """
    if seconds is None:
        return "an unknown time"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _shown(run: Run, index: int) -> Shown:
    figures = {}
    for metric, title in ((SAMPLED, "sampled answers"), (GREEDY, "greedy answers")):
        figure = before_after_svg(run.results or {}, run.name, f"{metric}-{index}", metric)
        if figure is not None:
            figures[title] = figure
    return Shown(run, _colour(index), figures)


def _curves(runs: Sequence[Run]) -> list[tuple[str, Markup]]:
    """Figures of the metrics that the runs logged; plug-in incoherence only where the corrected one is missing."""
    drawn = []
    logged = {name for run in runs for row in run.metrics for name in row}
    hidden = {"incoherence"} if "incoherence_corrected" in logged else set()
    own = {
        name: MEMORY[name.split("/")[0]].format(name.partition("/")[2])
        for name in sorted(logged)
        if _of_memory(name)
    }
    for number_of, (key, title) in enumerate({**CURVES, **own}.items()):
        series = [(_colour(index), *run.curve(key)) for index, run in enumerate(runs)]
        figure = None if key in hidden else curves_svg(series, title, f"curve-{number_of}")
        if figure is not None:
            drawn.append((title, figure))
    return drawn


def _of_memory(name: str) -> bool:
    """Whether a metric is that of a game on all questions together."""
    head, slash, _ = name.partition("/")
    return bool(slash) and head in MEMORY


def _colour(index: int) -> str:
    return RUN_COLOURS[index % len(RUN_COLOURS)]
