"""Offline against online play on the starter, at equal completions and at equal time, in one run on one machine.

Run: python -m benchmarks.offline_online DIRECTORY SEED… ; killed and run again, it resumes with the next point.
The commands of a user, each as often as BUDGETS says: `alft train` for so many steps of 256 completions, without
watch; or `alft sample`, `alft solve`, `alft distill` on as many completions in all. Geometric coherence without
labels; both learning rates are defaults. Time is the commands' own CPU time, start included, as the machine is
shared: on a calm one, with one thread, it is that of the clock. At equal time: the online points, joined by
straight lines, at the seconds of each offline point. Writes DIRECTORY/points.json and DIRECTORY/curve.svg.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

BUDGETS = (15, 30, 60)  # steps
A_STEP, VIEWS, SAMPLES = 256, 4, 16
ALFT = str(Path(sys.executable).parent / "alft")
MEASURED = {"evaluation.questions": 128, "evaluation.samples": 8, "training.threads": 1}
Point = dict[str, Any]


def main(directory: Path, seeds: list[int]) -> None:
    """All points, then the table and the curve."""
    directory.mkdir(parents=True, exist_ok=True)
    before = accuracy("starter", directory / "before")
    points: list[Point] = []
    for seed in seeds:
        for steps in BUDGETS:
            for play in (online, offline):
                points.append(made(directory / f"{play.__name__}-{seed}-{steps}", play, seed, steps))
                print(points[-1], flush=True)
    (directory / "points.json").write_text(json.dumps({"before": before, "points": points}, indent=1))
    print("\n".join(table(before, points)), flush=True)
    draw(before, points, directory / "curve.svg")


def made(place: Path, play: Any, seed: int, steps: int) -> Point:
    """One point: played once, measured once, and kept."""
    clock = place / "seconds.json"
    if not clock.exists():  # what was broken off is played anew, so that its seconds are all there
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        clock.write_text(json.dumps(play(place, seed, steps)))
    model = next(path.parent for path in place.rglob("model/model.safetensors"))
    seconds = json.loads(clock.read_text())
    told = accuracy(str(model), place / "measured")
    return {"how": play.__name__, "seed": seed, "completions": steps * A_STEP, "seconds": seconds, **told}


def online(place: Path, seed: int, steps: int) -> float:
    """CPU seconds of `alft train`; it measures one question only, and is not watched."""
    chosen = {"training.seed": seed, "training.steps": steps, "training.threads": 1, "watch.enabled": "false"}
    chosen |= {"evaluation.questions": 1, "training.checkpoint_every": 0}
    return told("train", *settings(chosen | {"output.directory": place, "output.name": "run"}))


def offline(place: Path, seed: int, steps: int) -> float:
    """CPU seconds of `alft sample`, `alft solve` and `alft distill`."""
    raw, weighted = place / "samples.parquet", place / "weighted.parquet"
    questions = steps * A_STEP // (VIEWS * SAMPLES)
    drawn = ["--questions", questions, "-n", SAMPLES, "--seed", seed, *settings({"training.threads": 1})]
    seconds = told("sample", raw, *drawn)
    seconds += told("solve", raw, "-o", weighted)
    return seconds + told("distill", weighted, "-o", place / "run", "--seed", seed)


def accuracy(model: str, place: Path) -> Point:
    """Sampled accuracy and greedy agreement on held-out questions, measured once."""
    if not (place / "results.json").exists():
        told("evaluate", model, "-o", place, *settings(MEASURED))
    found = json.loads((place / "results.json").read_text())["measured"]
    sampled = found["accuracy_sampled"]
    return {
        "accuracy": sampled["mean"],
        "interval": sampled["interval"],
        "worst view": min(sampled["by_view"].values()),
        "agreement": found["agreement_greedy"],
    }


def settings(chosen: dict[str, Any]) -> list[str]:
    """Options of a command."""
    return [part for name, value in chosen.items() for part in ("--set", f"{name}={value}")]


def told(*command: object) -> float:
    """Run an alft command; its CPU seconds."""
    before = used()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([ALFT, *map(str, command)], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"alft {command[0]}: {done.stderr[-2000:]}")
    return used() - before


def used() -> float:
    """CPU seconds of all commands that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def curve(points: list[Point], how: str, of: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean over seeds at each budget: completions or seconds, and accuracy."""
    budgets = sorted({each["completions"] for each in points})
    rows = [[p for p in points if p["how"] == how and p["completions"] == b] for b in budgets]
    x, y = (np.array([np.mean([p[name] for p in row]) for row in rows]) for name in (of, "accuracy"))
    return x, y


def table(before: Point, points: list[Point]) -> list[str]:
    """Markdown: each budget's two plays, and online at the seconds of the offline play."""
    lines = [
        f"before {before['accuracy']:.3f}; seeds {sorted({p['seed'] for p in points})}",
        "| completions | online | s | offline | s | online at the offline play's seconds |",
        "|---|---|---|---|---|---|",
    ]
    count, on = curve(points, "online", "completions")
    spent, off = curve(points, "online", "seconds")[0], curve(points, "offline", "completions")[1]
    taken = curve(points, "offline", "seconds")[0]
    same = np.interp(taken, [0.0, *spent], [before["accuracy"], *on])
    for row in zip(count, on, spent, off, taken, same, strict=True):
        beyond = " (the last)" if row[4] > spent[-1] else ""
        lines.append("| {:.0f} | {:.3f} | {:.0f} | {:.3f} | {:.0f} | {:.3f} |".format(*row) + beyond)
    return lines


def draw(before: Point, points: list[Point], path: Path) -> None:
    """Accuracy over completions and over seconds, every seed a dot, the means joined."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, (of, label) in zip(
        figure.subplots(1, 2, sharey=True),
        (("completions", "completions"), ("seconds", "CPU seconds, one core")),
        strict=True,
    ):
        for how, colour in (("online", "#4477aa"), ("offline", "#ee6677")):
            x, y = curve(points, how, of)
            axes.plot([0.0, *x], [before["accuracy"], *y], color=colour, label=how)
            own = [p for p in points if p["how"] == how]
            axes.plot([p[of] for p in own], [p["accuracy"] for p in own], ".", color=colour)
        axes.set_xlabel(label)
    figure.axes[0].set_ylabel("held-out accuracy, sampled")
    figure.axes[1].legend(frameon=False, loc="lower right")
    figure.savefig(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(seed) for seed in sys.argv[2:]])
