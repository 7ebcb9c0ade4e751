"""The figures: accuracy by view before and after, and curves over steps.

Figures are drawn in the colours of a light page. In an inline SVG each colour becomes a CSS variable, so that
one figure serves light and dark pages; text stays text.
"""

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from alft.reporting.tables import Told, of_view
from alft.text import LABELS, Number, number, short, visible

_RUNS = ("#2a8a6b", "#9a5b9f", "#b8860f", "#5d6068", "#3b95c4", "#d57166", "#1d6aac", "#c34f1e")
RUN_COLOURS = {f"run{number}": colour for number, colour in enumerate(_RUNS, start=1)}
"""CSS variable → its colour on a light page. Blue and orange come last: in figures they say better and worse."""
LINES = ("solid", "dashed", "dotted")


@dataclass(frozen=True)
class Mark:
    """The `colour` of a run, a key of RUN_COLOURS, and its `line`, one of LINES."""

    colour: str
    line: str


def mark_of(index: int) -> Mark:
    """The mark of the run at this place.

    >>> mark_of(0), mark_of(9)
    (Mark(colour='run1', line='solid'), Mark(colour='run2', line='dashed'))
    """
    names = list(RUN_COLOURS)
    return Mark(names[index % len(names)], LINES[index // len(names) % len(LINES)])


COLOURS = {
    "ink": "#1d2026",
    "muted": "#6a6f78",
    "rule": "#e3e0da",
    "before": "#8a9099",
    "rise": "#1c69ab",
    "fall": "#c24e1d",
    **RUN_COLOURS,
}
"""CSS variable → its colour on a light page. All differ, since their values set them apart."""

NAME_LENGTH = 17
SAMPLED = "accuracy_sampled"
GREEDY = "accuracy_greedy"
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "text.color": COLOURS["ink"],
    "grid.linewidth": 0.8,
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "axes.spines.left"), False),
    **dict.fromkeys(("axes.edgecolor", "grid.color"), COLOURS["rule"]),
    **dict.fromkeys(("axes.labelcolor", "xtick.color", "ytick.color"), COLOURS["muted"]),
    **dict.fromkeys(("xtick.major.size", "ytick.major.size"), 0),
}

Row = tuple[str, Told, Told]


def accuracy_rows(results: Mapping[str, Any], metric: str = SAMPLED) -> list[Row]:
    """Rows of the before/after figure: (view, (before, interval), (after, interval)), the mean last."""
    before, after = results["before"][metric], results["after"][metric]
    views = [*results["after"]["views"], None]
    return [(view or "mean", of_view(before, view), of_view(after, view)) for view in views]


def before_after_svg(results: Mapping[str, Any], label: str, key: str, metric: str = SAMPLED) -> Markup | None:
    """Accuracy by view as inline SVG; None without gold answers. `key` makes the ids in it unique."""
    rows = accuracy_rows(results, metric)
    if all(after[0] is None for _, _, after in rows):
        return None
    with _style():
        height = 0.36 * len(rows) + 0.4
        figure = Figure(figsize=(4.1, height))
        axes = figure.add_axes((0.27, 0.3 / height, 0.69, 1 - 0.35 / height))
        _dumbbells(axes, rows)
        words = "; ".join(f"{name} from {number(before[0])} to {number(after[0])}" for name, before, after in rows)
        return _svg(figure, f"{label}: {metric.replace('_', ' ')} by view, {words}", key)


def curves_svg(series: Sequence[tuple[Mark, list[float], list[float]]], label: str, key: str) -> Markup | None:
    """One metric over the steps of every run (mark, steps, values) as inline SVG; None if there is nothing."""
    drawn = [(mark, steps, values) for mark, steps, values in series if values]
    if not drawn:
        return None
    with _style():
        figure = Figure(figsize=(3.6, 1.9))
        axes = figure.add_axes((0.11, 0.16, 0.86, 0.78))
        for mark, steps, values in drawn:
            _curve(axes, mark, steps, values)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        low, high = axes.get_ylim()
        if min(min(values) for _, _, values in drawn) >= 0 and low < 0.3 * high:
            axes.set_ylim(0.0, high)
        ends = "; ".join(f"from {number(values[0])} to {number(values[-1])}" for _, _, values in drawn)
        return _svg(figure, f"{label} over training steps, {ends}", key)


def save_picture(
    results: Mapping[str, Mapping[str, Any]], metrics: Mapping[str, Sequence[Mapping[str, Any]]], path: Path
) -> None:
    """Accuracy by view before and after, one panel per run, as PNG or SVG by the name of `path`.

    `results` and `metrics` map a run's title to the content of its results.json and metrics.jsonl; with
    metrics, the incoherence of the runs over their steps is drawn beside. For a README.
    """
    rows = [accuracy_rows(result) for result in results.values()]
    curves = any(metrics.values())
    panels = len(rows) + (1 if curves else 0)
    with _style():
        layout = ConstrainedLayoutEngine(w_pad=0.2, wspace=0.06)
        figure = Figure(figsize=(4.0 * panels, 0.42 * max(map(len, rows)) + 1.3), layout=layout)
        axes = figure.subplots(1, panels, squeeze=False)[0]
        for ax, title, row in zip(axes, results, rows, strict=False):
            ax.set_title(short(title, 60), loc="left", fontsize=10, fontweight="bold")
            _dumbbells(ax, row)
            ax.set_xlabel("accuracy on held-out questions: ○ before  ● after, 95 % intervals", fontsize=8)
        if curves:
            _curves_panel(axes[-1], metrics)
        figure.savefig(path, dpi=200, facecolor="white")


def _curves_panel(axes: Axes, metrics: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Incoherence over the steps, bias-corrected where runs logged that: the plug-in estimate is mostly bias."""
    logged = {name for rows in metrics.values() for row in rows for name in row}
    key = "incoherence_corrected" if "incoherence_corrected" in logged else "incoherence"
    axes.set_title(LABELS[key], loc="left", fontsize=10, fontweight="bold")
    for index, (title, rows) in enumerate(metrics.items()):
        points = [(row["step"], row[key]) for row in rows if row.get(key) is not None]
        if points:
            steps, values = zip(*points, strict=True)
            _curve(axes, mark_of(index), steps, values, short(title, 60))
    axes.grid(axis="y")
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.set_xlabel("training step", fontsize=8)
    axes.legend(frameon=False, fontsize=8)


def _curve(
    axes: Axes, mark: Mark, steps: Sequence[Number], values: Sequence[Number], label: str | None = None
) -> None:
    axes.plot(steps, values, color=COLOURS[mark.colour], linewidth=0.8, alpha=0.3)
    axes.plot(steps, _smooth(values), color=COLOURS[mark.colour], linestyle=mark.line, linewidth=1.8, label=label)


def _dumbbells(axes: Axes, rows: Sequence[Row]) -> None:
    """One line per row from before (open) to after (full), with intervals; falls have a colour of their own."""
    places = [-place - (0.35 if place == len(rows) - 1 else 0) for place in range(len(rows))]
    for y, (_, (before, bounds), (after, after_bounds)) in zip(places, rows, strict=True):
        colour = COLOURS["fall" if after is not None and before is not None and after < before else "rise"]
        if before is not None and after is not None:
            axes.plot([before, after], [y, y], color=colour, linewidth=1.2, alpha=0.45, zorder=1)
        _dot(axes, (before, y), bounds, COLOURS["before"], full=False)
        _dot(axes, (after, y), after_bounds, colour, full=True)
    axes.set_yticks(places, [short(name, NAME_LENGTH) for name, _, _ in rows], color=COLOURS["ink"])
    axes.set_ylim(places[-1] - 0.6, 0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks(np.linspace(0, 1, 5), ["0", "0.25", "0.5", "0.75", "1"])
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.spines["bottom"].set_visible(False)


def _dot(
    axes: Axes, place: tuple[Number | None, Number], bounds: Sequence[Number] | None, colour: str, *, full: bool
) -> None:
    x, y = place
    if x is None:
        return
    if bounds is not None:
        axes.plot(bounds, [y, y], color=colour, linewidth=4.5, alpha=0.25, solid_capstyle="round", zorder=2)
    dot = {"marker": "o", "markersize": 6.5, "markerfacecolor": colour if full else "none"}
    axes.plot([x], [y], color=colour, markeredgewidth=1.6, zorder=3, **dot)


def _smooth(values: Sequence[Number]) -> np.ndarray:
    """Centred running mean over a tenth of the steps, narrower at the ends."""
    data = np.asarray(values, dtype=float)
    half = max(len(data) // 20, 1)
    total = np.concatenate([[0.0], np.cumsum(data)])
    at = np.arange(len(data))
    reach = np.minimum(half, np.minimum(at, len(data) - 1 - at))
    return (total[at + reach + 1] - total[at - reach]) / (2 * reach + 1)


@contextmanager
def _style() -> Iterator[None]:
    """Quiet axes. A glyph that the drawing font lacks is the page's font's business, not a warning."""
    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _svg(figure: Figure, label: str, key: str) -> Markup:
    """The figure as an inline SVG element with a text alternative, its colours as CSS variables."""
    file = io.StringIO()
    none = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.hashsalt": key}):
        figure.savefig(file, format="svg", transparent=True, metadata=none)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<[^<>]+>", lambda tag: _themed(tag[0], key), text)
    size = re.search(r'viewBox="0 0 ([\d.]+)', text)
    width = 0 if size is None else round(float(size[1]) * 4 / 3)
    head, rest = text.split(">", 1)
    head = re.sub(r'\s(?:width|height)="[^"]*"', "", head)
    opened = f'{head} role="img" aria-label="{escape(visible(label))}" style="max-width: {width}px">'
    return Markup(opened + rest)  # matplotlib escaped the text in it


def _themed(tag: str, key: str) -> str:
    """A tag with colours as variables and ids that are unique on the page."""
    for name, colour in COLOURS.items():
        tag = tag.replace(colour, f"var(--{name})")
    return re.sub(r'(\sid="|href="#|url\(#)', rf"\g<1>{key}-", tag)
