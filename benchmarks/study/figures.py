"""The study's figures: what each objective did to every wording on two tasks, and accuracy against rollouts."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from alft.reporting.plots import COLOURS, SETTINGS
from benchmarks.study.protocol import DEMONSTRATION, MAIN, PAIRWISE, WORDS, Rows
from benchmarks.study.results import Group, running, tuned

DRAWN = (*MAIN, PAIRWISE)
LINE = dict(zip((o.name for o in DRAWN), (f"run{n}" for n in (4, 8, 3, 1, 7, 5, 2, 6)), strict=True))
MARKS = "osD^vP*"


def draw(rows: Rows, folder: Path) -> None:
    """Write study-accuracy.svg, study-words.svg and study-rollouts.svg into a folder."""
    pictures = (
        ("accuracy", DEMONSTRATION, _accuracy),
        ("words", WORDS, _accuracy),
        ("rollouts", DEMONSTRATION, _rollouts),
    )
    with matplotlib.rc_context({**SETTINGS, "svg.hashsalt": "study"}):
        for name, task, paint in pictures:
            groups = {o.name: group for o in DRAWN if (group := tuned(o.name, rows, task)) is not None}
            figure = Figure(figsize=(7.2, 0.9 + 0.42 * max(len(groups), 5)), layout="constrained")
            paint(figure.add_subplot(), groups)
            figure.savefig(folder / f"study-{name}.svg", facecolor="white", metadata={"Date": None})


def _accuracy(axes: Axes, groups: dict[str, Group]) -> None:
    """A row an objective, a mark a wording: open before, full after, mean over seeds."""
    views = next((group.rows[0]["views"] for group in groups.values()), [])
    for place, group in enumerate(groups.values()):
        before, after = (part.mean(axis=(0, 1)) for part in (group.before, group.after))
        for index, view in enumerate(views):
            y = -place + 0.27 - 0.18 * index
            colour = COLOURS["rise" if after[index] >= before[index] else "fall"]
            axes.plot([before[index], after[index]], [y, y], color=colour, linewidth=1.1, alpha=0.5, zorder=1)
            label = view if place == 0 else None
            axes.plot(after[index], y, MARKS[index], color=colour, markersize=5.5, zorder=3, label=label)
            axes.plot(before[index], y, MARKS[index], color=COLOURS["before"], markersize=4.5, fillstyle="none")
        axes.plot([after.mean()] * 2, [-place - 0.38, -place + 0.38], color=COLOURS["ink"], linewidth=1.4)
    axes.set_yticks([-place for place in range(len(groups))], list(groups), color=COLOURS["ink"])
    axes.set_xlim(0, 1)
    axes.grid(axis="x")
    axes.set_xlabel("sampled accuracy by wording on held-out questions: grey before, full after; bar: mean after")
    if not views:
        return
    legend = axes.legend(frameon=False, ncols=len(views), loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)
    for mark in legend.legend_handles:
        mark.set_color(COLOURS["muted"])  # type: ignore[union-attr]


def _rollouts(axes: Axes, groups: dict[str, Group]) -> None:
    """Accuracy on the fresh questions of five steps, a thin line a seed, a thick one their mean."""
    for name, group in groups.items():
        curves = np.array([running(row["curve_accuracy"]) for row in group.rows])
        at = group.rows[0]["rollouts_per_step"] * np.arange(1, curves.shape[1] + 1)
        axes.plot(at, curves.T, color=COLOURS[LINE[name]], linewidth=0.6, alpha=0.35)
        axes.plot(at, curves.mean(axis=0), color=COLOURS[LINE[name]], linewidth=1.8, label=name)
    axes.grid(axis="y")
    axes.set_xlabel("rollouts (completions)")
    axes.set_ylabel("accuracy, fresh questions")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
