"""README's tables of evidence are those of the recorded rows."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from alft.evaluation.intervals import intervals

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
CELLS = {line.split("|")[1].strip(" *"): line.split("|")[2:-1] for line in README.splitlines() if line[:1] == "|"}
OFFLINE = {  # README's row → the arm of benchmarks/power.py
    "`coherence_geometric`, power 4, no labels": "power 4",
    "fine-tuning on the vote over the wordings": "vote",
    "`correctness`, with labels": "labels",
    "`format`: the control, learns the answer format only": "format",
}
LIVE = ("live", "live-format", "live-labels")
PRETRAINED = {  # README's row → model, task and arms of benchmarks/real_runs.py
    "opposites of words": ("SmolLM2-135M-Instruct", "opposites", LIVE),
    "capitals (ParaRel)": ("SmolLM2-135M-Instruct", "P36", LIVE),
    "capitals, offline": ("SmolLM2-135M-Instruct", "P36", ("borrowed-16", "format", "labels-borrowed")),
    "products": ("SmolLM2-135M-Instruct", "products", LIVE),
    "opposites, Qwen2.5-Coder-0.5B, offline": (
        "Qwen2.5-Coder-0.5B-Instruct",
        "opposites",
        ("borrowed-16", "format", "labels-borrowed"),
    ),
}


def numbers(cell: str) -> list[float]:
    return [float(found) for found in re.findall(r"\d*\.\d+", cell)]


@pytest.mark.parametrize(("name", "arm"), OFFLINE.items())
def test_offline_on_the_built_in_model(name: str, arm: str) -> None:
    rows = parquet.read_table(ROOT / "benchmarks/results/power.parquet").to_pylist()
    rows = [row for row in rows if row["samples"] == 16 and row["arm"] == arm]
    right = np.mean([row["right"] for row in rows], axis=0)
    low, high = intervals(right[:, None], shares=True)[0]
    worst, corrupted = (np.mean([row[key] for row in rows]) for key in ("worst_view", "corrupted"))
    assert len(rows) == 5
    shown, worst_shown, corrupted_shown = map(numbers, CELLS[name])
    assert shown == pytest.approx([right.mean(), low, high], abs=6e-4)
    assert [*worst_shown, *corrupted_shown] == pytest.approx([worst, 100 * corrupted], abs=0.06)


def mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


@pytest.mark.parametrize(("name", "of"), PRETRAINED.items())
def test_pretrained_models(name: str, of: tuple[str, str, tuple[str, str, str]]) -> None:
    model, task, arms = of
    rows = parquet.read_table(ROOT / "benchmarks/results/real.parquet").to_pylist()
    after: defaultdict[str, list[float]] = defaultdict(list)
    rows = [row for row in rows if (row["model"], row["task"]) == (model, task)]
    for row in rows:
        after[row["arm"]].append(mean(row["after"]["sampled"]))
    before, ours, control, labels, vote = map(numbers, CELLS[name])
    votes = [rows[0]["vote"][kind]["mean"] for kind in ("vote_greedy", "vote_sampled")]
    assert before + vote == pytest.approx([mean(rows[0]["before"]["sampled"]), max(votes)], abs=6e-3)
    assert labels == pytest.approx([mean(after[arms[2]])], abs=6e-3)
    for shown, arm in ((ours, arms[0]), (control, arms[1])):
        assert shown == pytest.approx([mean(after[arm]), min(after[arm]), max(after[arm])], abs=6e-3)
