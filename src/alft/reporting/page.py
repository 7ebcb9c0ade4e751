"""One self-contained HTML page about one or several runs: no script, no network, inert whatever a model said."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import yaml
from jinja2 import Environment
from markupsafe import Markup, escape
from pydantic import ValidationError

from alft.config.game import GameSpec
from alft.config.schema import RunConfig
from alft.evaluation.intervals import FEWEST
from alft.evaluation.results import Approach, Results, Training
from alft.evaluation.unread import unread_cause
from alft.reporting import tables
from alft.reporting.answers import disagreements, pictures
from alft.reporting.cards import templates
from alft.reporting.plots import GREEDY, SAMPLED, Mark, before_after_svg, curves_svg, mark_of
from alft.reporting.runs import Run, load_runs
from alft.reporting.terminal import story, vote_story
from alft.starter import STARTER
from alft.text import LABELS, Number, counted, encodable, heading, interval, number, short, visible

CURVES = (
    "accuracy",
    "incoherence_corrected",
    "incoherence",
    "agreement",
    "entropy",
    "dominant_share",
    "unread",
    "mean_length",
    "kl",
    "parity",
)
MEMORY = ("cost", "multiplier")  # metrics of games on all questions together, by the start of their name
NAME = 80  # characters of a name that are shown
COMPLETION = 4000  # characters of a completion that are shown
WHOLE = 100_000  # of a configuration or a command
MOST_PICTURED = 3  # runs whose answers are shown side by side
DISAGREEMENTS = 5
HEADLINE = ("agreement_greedy", "incoherence_corrected", "entropy")
"""Shown first where there are no gold answers."""
HEALTH = ("unread", "truncated")
"""Shown first always: completions without an answer that can be read, and those cut off."""
MOST_LIMITS = 2  # that are shown first
MUCH_UNREAD = 1 / 3  # after training: then the numbers are those of the format first
ACCURACIES = ("accuracy_sampled", "accuracy_greedy")
Headline = tuple[str, Any, Any, Any, str]  # title, before, after, change, and its interval or other words


@dataclass(frozen=True)
class Shown:
    """What the page says of one run that has results."""

    run: Run
    results: Results
    mark: Mark
    figures: Mapping[str, Markup]

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
    def model(self) -> str:
        """What was trained, as the start of a sentence."""
        section = self.run.config.get("model")
        path = str(section.get("path", "a model")) if isinstance(section, Mapping) else "a model"
        return "The built-in starter model" if path == STARTER else path

    @property
    def training(self) -> Training:
        """Facts about the training."""
        return self.results.get("training", {})

    @property
    def approach(self) -> Approach | None:
        """How near training came to the equilibrium; None where that has no estimate."""
        return self.results.get("approach")

    @property
    def labels(self) -> str:
        """Whether the game used gold answers, in words; empty for a game of the user's own."""
        labels = None if self.spec is None else self.spec.uses_labels
        return "" if labels is None else "with labels" if labels else "without labels"

    @property
    def numbers(self) -> list[tables.Change]:
        """Rows of the table of all numbers, of those that are defined."""
        before, after, change = self.results["before"], self.results["after"], self.results["difference"]
        rows: list[tables.Change] = []
        for metric in ACCURACIES:
            for view in [*after["views"], None]:
                was, now, by = (tables.of_view(part[metric], view) for part in (before, after, change))
                rows.append((f"{LABELS[metric]}, {view or 'mean'}", was[0], now[0], *by))
        for lines in (tables.readable, tables.at_k, tables.measures, tables.votes, tables.population):
            rows += tables.changes(lines, self.results)
        return [row for row in rows if row[1:4] != (None, None, None)]

    @property
    def headline(self) -> list[Headline]:
        """What matters most."""
        gold = self.results["after"]["accuracy_sampled"]["mean"] is not None
        rows = {row[0]: row for row in tables.changes(tables.measures, self.results)}
        single: list[Headline] = [
            (heading(label), *row[1:4], interval(row[4], sign=True) if row[4] else "")
            for key in (*(HEADLINE[:1] if gold else HEADLINE), *HEALTH)
            if (row := rows.get(label := LABELS[key])) is not None
        ]
        return [*(self._accuracy if gold else []), *single, *self._limits]

    @property
    def doubts(self) -> list[str]:
        """Reasons not to trust the numbers, in words."""
        asked, moved = self.results["after"]["questions"], any(row[1] != row[2] for row in self.numbers)
        few = f"only {counted(asked, 'question')} held out: too few to tell a change from chance"
        same = "every number is the same before and after: the weights hardly moved. Train longer or raise "
        still = not moved and self.training.get("restored_step") is None
        told = [few] if asked < FEWEST else []
        if (unread := self.results["after"]["unread"] or 0.0) > MUCH_UNREAD:
            cause = unread_cause(unread, self.results["after"].get("truncated") or 0.0, self._config)
            return [*told, f"after training, {': '.join(cause)}"]
        return [*told, f"{same}training.learning_rate"] if still else told

    @property
    def _config(self) -> RunConfig | None:
        try:
            return RunConfig.model_validate(self.run.config)
        except ValidationError:
            return None

    @property
    def _accuracy(self) -> list[Headline]:
        before, after, change = self.results["before"], self.results["after"], self.results["difference"]
        was, now, by = (part["accuracy_sampled"] for part in (before, after, change))
        (first, low), (last, new) = tables.worst_view(before), tables.worst_view(after)
        rise = None if low is None or new is None else new - low
        names = first if first == last else f"{first} → {last}"
        return [
            ("Accuracy", was["mean"], now["mean"], by["mean"], interval(by["interval"], sign=True)),
            ("Worst view", low, new, rise, names),
        ]

    @property
    def _limits(self) -> list[Headline]:
        before, after = self.results["before"].get("limits", {}), self.results["after"].get("limits", {})
        rows: list[Headline] = []
        for name, told in list(after.items())[:MOST_LIMITS]:
            was, now = before[name]["mean"] if name in before else None, told["mean"]
            change = None if was is None or now is None else now - was
            rows.append((tables.limit_label(name, told), was, now, change, f"after {interval(told['interval'])}"))
        return rows


def render_report(run_dirs: Sequence[Path]) -> str:
    """The page as text, which can be written as UTF-8. Raises DataError for what is no run directory."""
    return render_runs(load_runs(run_dirs))


def render_runs(runs: Sequence[Run]) -> str:
    """The page about runs that were read already."""
    marks = {run.name: mark_of(index) for index, run in enumerate(runs)}
    finished = [run for run in runs if run.results is not None]
    shown = [_shown(run, cast(Results, run.results), marks[run.name], i) for i, run in enumerate(finished)]
    pictured, rows = shown[:MOST_PICTURED], [row for one in shown for row in one.numbers]
    page = _environment().get_template("page.html.j2")
    text = page.render(
        runs=shown,
        all_runs=runs,
        unfinished=[run for run in runs if run.results is None],
        curves=_curves(runs, marks),
        marks=marks,
        pictured=[one.run.name for one in pictured],
        pictures=pictures([one.run for one in pictured]) if pictured else [],
        disagreements=[(one, found) for one in pictured if (found := disagreements(one.run, DISAGREEMENTS))],
        worst_view=tables.worst_view,
        paired=tables.paired,
        paired_note=tables.PAIRED if any("*" in tables.paired(*row[1:4]) for row in rows) else "",
        story=story,
        broken_limits=tables.broken_limits,
        fewest=FEWEST,
        vote=next((told for one in shown if (told := vote_story(one.results))), ""),
    )
    return encodable(text)


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


def _environment() -> Environment:
    """The template's environment: everything is escaped."""
    environment = templates(autoescape=True)
    environment.filters |= {
        "number": number,
        "counted": counted,
        "heading": heading,
        "interval": interval,
        "change_interval": partial(interval, sign=True),
        "name": lambda text: short(str(text), NAME),
        "cut": _cut,
        "sentence": lambda text: visible(str(text), 600),
        "text": lambda text: visible(str(text), COMPLETION, lines=True),
        "whole": lambda text: visible(str(text), WHOLE, lines=True),
        "duration": duration,
        "again": command_again,
        "config": lambda run: yaml.safe_dump(dict(run.config), sort_keys=False, allow_unicode=True),
    }
    return environment


def _cut(text: Any, limit: int = NAME) -> str:
    """A name, with all of it as the tip of an element where it is cut."""
    whole = str(text)
    if len(whole) <= limit:
        return visible(whole)
    return Markup('<span title="{}">{}</span>').format(escape(visible(whole, 600)), short(whole, limit))


def _shown(run: Run, results: Results, mark: Mark, index: int) -> Shown:
    drawn = {
        title: before_after_svg(results, run.name, f"{metric}-{index}", metric)
        for metric, title in ((SAMPLED, "sampled answers"), (GREEDY, "greedy answers"))
    }
    return Shown(run, results, mark, {title: figure for title, figure in drawn.items() if figure is not None})


def _curves(runs: Sequence[Run], marks: Mapping[str, Mark]) -> list[tuple[str, Markup]]:
    """Figures of the metrics that the runs logged; plug-in incoherence only where the corrected one is missing."""
    logged = {name for run in runs for row in run.metrics for name in row}
    hidden = {"incoherence"} if "incoherence_corrected" in logged else set()
    labels, curves = {key: LABELS[key] for key in CURVES}, list[tuple[str, str, Any]]()
    for name in sorted(logged):
        head, slash, rest = name.partition("/")
        if slash and head in MEMORY:
            labels[name] = LABELS[head].format(rest)
    for place, (name, label) in enumerate(labels.items()):
        if name not in hidden:
            curves.append((f"curve-{place}", label, [(marks[run.name], *run.curve(name)) for run in runs]))
    probed = [(marks[run.name], *run.consensus_kept) for run in runs]
    curves.append(("curve-probe", LABELS["consensus_kept"], probed))
    drawn = [(title := heading(label), curves_svg(series, title, key)) for key, label, series in curves]
    return [(title, figure) for title, figure in drawn if figure is not None]


def command_again(run: Run) -> str:
    """The shell command that trains the same again, under a name that is free and that a run may have."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", run.name)[-80:].lstrip("._-") or "run"
    return f"alft train {shlex.quote(str(run.path / 'config.yaml'))} --set output.name={name}-again"
