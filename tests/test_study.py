"""The study's protocol and tables, on rows that are made up: no run is made here."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks.study.__main__ import RESULTS, next_run
from benchmarks.study.pages import PAGES, filled
from benchmarks.study.protocol import (
    ELSEWHERE,
    GRID,
    OBJECTIVES,
    TUNED,
    TUNING_SEED,
    Setting,
    chosen,
    setting_of,
    sweep,
)
from benchmarks.study.results import tuned
from benchmarks.study.rows import CURVES, SCHEMA, diverged_row, read, starter_hash, write
from benchmarks.study.tables import markdown

PEAK = {objective.name: GRID[index % len(GRID)] for index, objective in enumerate(TUNED)}
VIEWS, QUESTIONS, STEPS, ROLLOUTS = ["plain", "told"], ["q1", "q2", "q3"], 20, 256


def row(setting: Setting) -> dict[str, Any]:
    """A row as a run would leave it, whose accuracy is highest at the objective's PEAK."""
    near = 0.9 if setting.learning_rate == PEAK.get(setting.objective) else 0.5 + 100 * setting.learning_rate
    told = {"mean": near, "interval": [near - 0.1, near + 0.1], "by_view": dict.fromkeys(VIEWS, near)}
    summary = {
        "accuracy_sampled": told,
        "accuracy_greedy": told,
        "agreement_greedy": 0.7,
        "incoherence_corrected": 0.2,
        "entropy": 0.4,
        "pass_at_k": {"8": told},
        "consensus": dict.fromkeys(("vote_greedy", "vote_sampled", "geometric_sampled"), told),
        "views": VIEWS,
    }
    return {
        **dict.fromkeys(SCHEMA.names),
        **asdict(setting),
        "steps": STEPS,
        "rollouts_per_step": ROLLOUTS,
        "cpu_seconds": 40.0,
        "starter": "made up",
        "results": json.dumps({"before": summary, "after": summary}),
        "unseen": json.dumps(summary),
        "views": VIEWS,
        "questions": QUESTIONS,
        "accuracy_before": [0.5] * 6,
        "accuracy_after": [near] * 6,
        **{f"curve_{name}": [near] * STEPS for name in CURVES},
    }


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """The whole sweep, as `run` would make it."""
    made: list[dict[str, Any]] = []
    while len(made) < 1000:
        done = {setting_of(one) for one in made}
        setting = next((setting for setting in sweep(made) if setting not in done), None)
        if setting is None:
            return made
        made.append(row(setting))
    raise AssertionError("the sweep does not end")


def test_the_sweep_ends_without_repeating_a_run(rows: list[dict[str, Any]]) -> None:
    assert len({setting_of(one) for one in rows}) == len(rows)


def test_every_learning_rate_is_tried_and_the_best_is_chosen(rows: list[dict[str, Any]]) -> None:
    for objective in TUNED:
        assert chosen(objective.name, rows) == (PEAK[objective.name], False)
        for scaled in (False, True):
            tried = {
                one["learning_rate"]
                for one in rows
                if (one["objective"], one["seed"], one["standardised"]) == (objective.name, TUNING_SEED, scaled)
            }
            assert tried == set(GRID)


def test_the_seeds_of_a_table_are_not_the_seed_of_the_choice(rows: list[dict[str, Any]]) -> None:
    for name in OBJECTIVES:
        group = tuned(name, rows)
        assert group is not None
        assert {0, 1, 2} <= set(group.seeds)
        assert TUNING_SEED not in group.seeds
    for task, names in ELSEWHERE.items():
        for name in names:
            group = tuned(name, rows, task)
            assert group is not None
            assert group.seeds == [0, 1, 2]


def test_a_run_that_broke_down_is_a_row_and_is_never_chosen() -> None:
    broken = diverged_row(Setting("labels", 1e-4, False, TUNING_SEED), ArithmeticError("nan"), 10.0)
    other = row(Setting("labels", 2e-4, False, TUNING_SEED))
    assert chosen("labels", [broken, other]) == (2e-4, False)
    assert "broke down" in markdown([broken, other])


def test_a_score_that_is_not_reached_is_more_than_all_completions() -> None:
    setting = Setting("labels", 1e-4, False, TUNING_SEED)
    made = [row(setting), row(Setting("labels", 1e-4, False, 0))]
    table = markdown(made)
    assert f"> {STEPS * ROLLOUTS:,}" in table
    reached = row(Setting("labels", 1e-4, False, 0)) | {"curve_accuracy": [0.0] * 5 + [1.0] * 15}
    assert f"| labels | 0 | {9 * ROLLOUTS:,} | {9 * ROLLOUTS:,} |" in markdown([made[0], reached])


def test_rows_survive_the_file(tmp_path: Any) -> None:
    made = [
        row(Setting("labels", 1e-4, False, 0)),
        diverged_row(Setting("labels", 3e-4, False, 0), ValueError("x"), 1),
    ]
    write(made, tmp_path / "study.parquet")
    assert [setting_of(one) for one in read(tmp_path / "study.parquet")] == [setting_of(one) for one in made]


def test_two_processes_share_the_sweep_by_objective(tmp_path) -> None:
    table = tmp_path / "study.parquet"
    begun = row(Setting("coherence, geometric", 1e-4, False, TUNING_SEED))
    write([{**begun, "starter": starter_hash()}], table)
    with ExitStack() as first, ExitStack() as second:
        ours, theirs = next_run(table, "", first), next_run(table, "", second)
        assert ours == Setting("coherence, geometric", 2e-4, False, TUNING_SEED)
        assert theirs == Setting("coherence, arithmetic", GRID[1], False, TUNING_SEED)
        assert next_run(table, "coherence, geometric", second) is None
    with ExitStack() as claim:
        assert next_run(table, "", claim) == ours


@pytest.mark.parametrize("name", PAGES)
def test_pages_show_what_the_rows_say(name):
    page = (Path(__file__).parents[1] / name).read_text()
    assert filled(page, PAGES[name](read(RESULTS))) == page, "run `python -m benchmarks.study tables`"


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="the page has no"):
        filled("# no marks here", "a table")
