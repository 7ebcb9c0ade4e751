"""One self-contained HTML page about one or several runs: no script, no network, inert whatever a model said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from alft.reporting.answers import disagreements, pictures
from alft.reporting.plots import GREEDY, SAMPLED, Mark, before_after_svg, curves_svg, mark_of
from alft.reporting.runs import Run, load_runs
from alft.reporting.shown import Shown, command_again, config_text
from alft.reporting.tables import worst_view
from alft.reporting.terminal import vote_story
from alft.text import LABELS, Number, counted, heading, interval, number, short, signed, visible

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
MEMORY = ("cost", "multiplier")
"""Metrics of games on all questions together, by the start of their name."""
NAME = 80  # characters of a name that are shown
COMPLETION = 4000  # characters of a completion that are shown
WHOLE = 100_000  # of a configuration or a command
MOST_PICTURED = 3  # runs whose answers are shown side by side
DISAGREEMENTS = 5


def render_report(run_dirs: Sequence[Path]) -> str:
    """The page as text, which can be written as UTF-8. Raises DataError for what is no run directory."""
    return render_runs(load_runs(run_dirs))


def render_runs(runs: Sequence[Run]) -> str:
    """The page about runs that were read already."""
    marks = {run.name: mark_of(index) for index, run in enumerate(runs)}
    finished = [run for run in runs if run.results is not None]
    shown = [_shown(run, marks[run.name], index) for index, run in enumerate(finished)]
    pictured = shown[:MOST_PICTURED]
    page = (
        _environment()
        .get_template("page.html.j2")
        .render(
            runs=shown,
            all_runs=runs,
            unfinished=[run for run in runs if run.results is None],
            curves=_curves(runs, marks),
            marks=marks,
            pictured=[one.run.name for one in pictured],
            pictures=pictures([one.run for one in pictured]) if pictured else [],
            disagreements=[(one, found) for one in pictured if (found := disagreements(one.run, DISAGREEMENTS))],
            worst_view=worst_view,
            vote=next((told for one in shown if (told := vote_story(one.results))), ""),
        )
    )
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


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
    """The template's environment: everything is escaped, and what is missing by mistake is an error."""
    environment = Environment(
        loader=PackageLoader("alft.reporting", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "counted": counted,
        "signed": signed,
        "interval": interval,
        "change_interval": partial(interval, sign=True),
        "name": lambda text: short(str(text), NAME),
        "cut": _cut,
        "sentence": lambda text: visible(str(text), 600),
        "text": lambda text: visible(str(text), COMPLETION, lines=True),
        "whole": lambda text: visible(str(text), WHOLE, lines=True),
        "duration": duration,
        "again": command_again,
        "config": config_text,
    }
    return environment


def _cut(text: Any, limit: int = NAME) -> str:
    """A name, with all of it as the tip of an element where it is cut."""
    whole = str(text)
    if len(whole) <= limit:
        return visible(whole)
    return Markup('<span title="{}">{}</span>').format(escape(visible(whole, 600)), short(whole, limit))


def _shown(run: Run, mark: Mark, index: int) -> Shown:
    figures = {}
    for metric, title in ((SAMPLED, "sampled answers"), (GREEDY, "greedy answers")):
        figure = before_after_svg(run.results or {}, run.name, f"{metric}-{index}", metric)
        if figure is not None:
            figures[title] = figure
    return Shown(run, mark, figures)


def _curves(runs: Sequence[Run], marks: Mapping[str, Mark]) -> list[tuple[str, Markup]]:
    """Figures of the metrics that the runs logged; plug-in incoherence only where the corrected one is missing."""
    drawn = []
    logged = {name for run in runs for row in run.metrics for name in row}
    hidden = {"incoherence"} if "incoherence_corrected" in logged else set()
    own = {
        name: LABELS[name.split("/")[0]].format(name.partition("/")[2])
        for name in sorted(logged)
        if _of_memory(name)
    }
    for number_of, (key, label) in enumerate({**{key: LABELS[key] for key in CURVES}, **own}.items()):
        title = heading(label)
        series = [(marks[run.name], *run.curve(key)) for run in runs]
        figure = None if key in hidden else curves_svg(series, title, f"curve-{number_of}")
        if figure is not None:
            drawn.append((title, figure))
    probe = heading(LABELS["consensus_kept"])
    probed = [(marks[run.name], *run.consensus_kept) for run in runs]
    figure = curves_svg(probed, probe, "curve-probe")
    return drawn if figure is None else [*drawn, (probe, figure)]


def _of_memory(name: str) -> bool:
    """Whether a metric is that of a game on all questions together."""
    head, slash, _ = name.partition("/")
    return bool(slash) and head in MEMORY
