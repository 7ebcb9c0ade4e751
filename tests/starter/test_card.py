"""The card in the package says what the code of today would say; figures are checked for form only."""

import re

from alft import starter
from alft.completions import Completion, Kind
from alft.evaluation import Evaluation
from alft.starter.problems import WORDINGS
from benchmarks.starter.card import Making, write_card
from benchmarks.starter.pretraining import Recipe


def summary():
    """Two samples and a greedy completion a view; the first view is right, the others are not."""
    told: tuple[tuple[Kind, int], ...] = (("sampled", 0), ("sampled", 1), ("greedy", 0))
    records = [
        Completion(
            "",
            question="q",
            view=view,
            kind=kind,
            sample=sample,
            key="1" if view == "plain" else "2",
            right=view == "plain",
        )
        for view in WORDINGS
        for kind, sample in told
    ]
    return Evaluation(tuple(records)).summary()


def test_the_shipped_card_describes_todays_recipe():
    shipped = (starter.model_path() / "README.md").read_text(encoding="utf-8")
    parameters = int(re.findall(r"of ([\d,]+) parameters", shipped)[0].replace(",", ""))
    written = write_card(Making(Recipe(), parameters, 1, 8.0), summary())
    heading = "## What was measured"
    assert shipped.split(heading)[0] == written.split(heading)[0]
    assert parameters == 656_896


def test_figures_are_those_measured():
    written = write_card(Making(Recipe(), 1, 1, 8.0), summary())
    assert "| plain | 1.000 | 1.000 | 1.000 |" in written
    assert "| stock | 0.000 | 0.000 | 0.000 |" in written
    assert "| mean | 0.250 | 0.250 | 0.250 |" in written
    assert "agree in 0.500 of the pairs" in written  # 3 of 6 pairs: the wrong ones agree
