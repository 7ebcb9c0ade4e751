"""The rows of `benchmarks.real_runs` as a picture: what each arm does on held-out questions, with intervals.

Run: python -m benchmarks.real_picture TASK PICTURE.svg

The rows are those of SmolLM2-135M-Instruct in benchmarks/results/real.parquet.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pyarrow import parquet

from alft.evaluation.intervals import intervals
from alft.reporting.plots import SETTINGS

SHOWN = {
    "before": "before training",
    "format": "control: format",
    "random": "control: random reward",
    "live-format": "control: format, live",
    "live-random": "control: random reward, live",
    "agreement": "coherence, own completions, power 4",
    "vote": "vote, own completions",
    "labels": "labels, own completions",
    "borrowed": "coherence, power 4",
    "borrowed-16": "coherence, offline",
    "live": "agreement, live",
    "live-majority": "majority within a view, live",
    "live-majority_cross": "cross-view majority, live",
    "vote-borrowed": "vote",
    "live-majority_pooled": "vote, live",
    "labels-borrowed": "labels",
    "live-labels": "labels, live",
}
OURS = ("borrowed-16", "live")
PANELS = {
    "sampled": "sampled accuracy",
    "greedy": "greedy accuracy",
    "agreement": "greedy agreement",
}
MODEL = "SmolLM2-135M-Instruct"
BLUE, GREY = "#1f77b4", "#9aa5b1"


def draw(known: list[dict[str, Any]], path: Path) -> None:
    """Bars of each arm that has rows, its mean over seeds (their number), and 95 % intervals over questions."""
    found = {"before": [row["before"] for row in known]}
    found |= {arm: [row["after"] for row in known if row["arm"] == arm] for arm in SHOWN if arm != "before"}
    found = {arm: values for arm, values in found.items() if values}
    names = {arm: f"{name} ({len(found[arm])})" for arm, name in SHOWN.items() if arm in found}
    names["before"] = SHOWN["before"]
    with matplotlib.rc_context({**SETTINGS, "svg.hashsalt": "real"}):
        figure = Figure(figsize=(10, 0.9 + 0.32 * len(found)), layout="constrained")
        for axes, (measure, title) in zip(
            figure.subplots(1, len(PANELS), sharey=True), PANELS.items(), strict=True
        ):
            _bars(
                axes, {arm: np.mean([one[measure] for one in made], axis=0) for arm, made in found.items()}, names
            )
            axes.set_title(title, loc="left")
        figure.savefig(path, facecolor="white", metadata={"Date": None})


def _bars(axes: Axes, found: dict[str, np.ndarray], names: dict[str, str]) -> None:
    for place, (arm, values) in enumerate(found.items()):
        low, high = intervals(values[:, None])[0]
        mean = float(values.mean())
        axes.barh(place, mean, color=BLUE if arm in OURS else GREY, height=0.7)
        axes.plot([low, high], [place, place], color="black", linewidth=1)
        axes.text(1.02, place, f"{mean:.2f}", va="center")
    axes.set(xlim=(0, 1), yticks=range(len(found)), yticklabels=[*names.values()])
    axes.invert_yaxis()


if __name__ == "__main__":
    rows = parquet.read_table(Path(__file__).with_name("results") / "real.parquet").to_pylist()
    draw([row for row in rows if (row["model"], row["task"]) == (MODEL, sys.argv[1])], Path(sys.argv[2]))
