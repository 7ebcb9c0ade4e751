"""What is compared with what, and in which order it is run, so that a sweep broken off early says the most.

A run is one objective on one task at one learning rate and seed; a `Setting` names it. Rollouts on a task are
equal: 60 steps of 8 questions, all their wordings, 8 samples. The learning rate of an objective is chosen by its
runs on the demonstration at TUNING_SEED: the one with the highest accuracy on the questions of its last
TUNING_STEPS steps, which are training questions, each seen once, before it is trained on. So no held-out question
has a say in the choice.

Learning rates are tried by climbing: the next one beside the best so far, until the best has a worse neighbour on
either side. The rates that this leaves out are run last, so that in the end the whole grid is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import word_problems

GRID = (5e-5, 1e-4, 2e-4, 3e-4)
"""Learning rates, falling linearly to zero."""
BEGIN = 1e-4
TUNING_SEED = 100
TUNING_STEPS = 10
TUNING_QUESTIONS = 8  # held-out questions of a tuning run: its report needs some, nobody looks at them
SEEDS = (0, 1, 2, 3, 4)
FEWER_SEEDS = SEEDS[:3]
DEMONSTRATION, SHARED, WORDS = "starter", "starter:shared", "word problems"
"""Tasks: wordings with mistakes of their own, wordings that share one, and problems of another generator."""
_WORDS = {
    "model.path": str(word_problems.FOLDER / "model"),
    "data.path": str(word_problems.FOLDER / "questions.jsonl"),
    "data.eval_path": str(word_problems.FOLDER / "held_out.jsonl"),
    "data.instruction": "",
    "training.schedule": "linear",
    "training.warmup_steps": 0,
    "training.max_new_tokens": word_problems.TOKENS,
}
TASKS: Mapping[str, Mapping[str, Any]] = {
    DEMONSTRATION: {"data.path": DEMONSTRATION},
    SHARED: {"data.path": SHARED},
    WORDS: _WORDS,
}
"""What the configuration says of a task."""

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Objective:
    """One line of the tables: a game, what else its configuration says, and a word for who knows neither."""

    name: str
    game: str
    settings: tuple[tuple[str, str], ...] = ()
    note: str = ""

    @property
    def written(self) -> str:
        """As a configuration writes it."""
        said = ", ".join(f"`{part}`" for part in (self.game, *map(": ".join, self.settings)))
        return f"{said} ({self.note})" if self.note else said


UNBIASED = (("scoring.log", "variance_optimal"),)
"""What games with logs play by default at β > 0; at β = 0 those that only compare views have the plug-in."""
SHARPER = (("scoring.power", "4"), ("scoring.beta", "0.1"))
"""Play against a sharpened reference (theory.md 2.4)."""
HALVED = (("data.size", "240"), ("training.steps", "30"))
"""With SHARPER, each question is sampled once from the reference too: at half the steps, rollouts are equal."""
HALF_NOTE = "half of its completions are the reference's"

MAIN = (
    Objective("labels", "correctness", note="labels"),
    Objective("majority per view", "majority", note="TTRL"),
    Objective("majority pooled", "majority_pooled"),
    Objective("agreement", "agreement"),
    Objective("coherence, geometric", "coherence_geometric"),
    Objective("coherence, arithmetic", "coherence_arithmetic"),
    Objective("collision", "collision"),
)
PAIRWISE = Objective("coherence, pairwise", "coherence_pairwise")
OTHERS = (
    Objective("coherence, Euclidean", "coherence_euclidean"),
    Objective("coherence, fixed Target", "coherence_fixed"),
    PAIRWISE,
    Objective("coherence, arithmetic, unbiased log", "coherence_arithmetic", UNBIASED),
    Objective("coherence, pairwise, unbiased log", "coherence_pairwise", UNBIASED),
    Objective("coherence, traces", "coherence_geometric", (("scoring.compare", "traces"),)),
    Objective("coherence + diversity", "{coherence_geometric: 1.0, diversity_shannon: 0.1}"),
    Objective("majority of the other views", "majority_cross"),
    Objective("format", "format", note="control"),
    Objective("random", "random", note="control"),
    Objective("coherence, geometric, power 4", "coherence_geometric", (*SHARPER, *HALVED), HALF_NOTE),
    Objective("coherence, geometric, power 4, whole", "coherence_geometric", SHARPER, "twice the completions"),
)
BASELINES = tuple(
    Objective(f"coherence, geometric, {baseline}", "coherence_geometric", (("scoring.baseline", baseline),))
    for baseline in ("leave_one_out", "group_mean")
)
"""Geometric coherence with other baselines, at the learning rate chosen with leave-two-out."""
DIGAMMA = Objective("coherence, arithmetic, digamma log", "coherence_arithmetic", (("scoring.log", "digamma"),))
ABLATIONS = {
    **dict.fromkeys(BASELINES, "coherence, geometric"),
    DIGAMMA: "coherence, arithmetic, unbiased log",
}
"""Objectives that differ from another in one setting, and whose learning rate they take."""
TUNED = (*MAIN, *OTHERS)
SHARPENED = next(one for one in OTHERS if one.name == "coherence, geometric, power 4")
MORE_SEEDS = (*MAIN, PAIRWISE, BASELINES[0], SHARPENED)
"""Run on all SEEDS: the main ones, the best coherence, the better baseline, and the game that did best offline."""
OFFLINE = Objective("offline, geometric", "coherence_geometric", note="offline")
OFFLINE_RATE = 5e-4
"""The one that `benchmarks.offline_starter sweep` measured at TUNING_SEED; others were not tried."""
OBJECTIVES = {objective.name: objective for objective in (*TUNED, *ABLATIONS, OFFLINE)}
FIRST = (
    "coherence, geometric", "coherence, arithmetic", "coherence, Euclidean", "coherence, pairwise", "agreement",
    "labels", "majority per view", "majority pooled",
)  # fmt: skip
LATER = (
    "coherence, arithmetic, unbiased log", "coherence, pairwise, unbiased log", "coherence, fixed Target",
    "collision", "coherence, traces", "coherence + diversity", "coherence, geometric, power 4",
    "coherence, geometric, power 4, whole", "majority of the other views", "random", "format",
)  # fmt: skip
"""One objective is run whole, learning rates and then seeds, before the next."""
ELSEWHERE = {
    WORDS: ("coherence, geometric", "agreement", "labels", "majority per view"),
    SHARED: ("coherence, geometric", "coherence, pairwise", "agreement", "majority pooled"),
}
"""What is run on the other tasks, at the learning rates chosen on the demonstration."""


@dataclass(frozen=True)
class Setting:
    """One run of the sweep; `standardised`: advantages are divided by the spread of their group, as GRPO does."""

    objective: str
    learning_rate: float
    standardised: bool
    seed: int
    task: str = DEMONSTRATION

    @property
    def overrides(self) -> list[str]:
        """The run as `--set` of `alft train`."""
        objective = OBJECTIVES[self.objective]
        chosen = {
            **TASKS[self.task],
            "game": objective.game,
            "training.learning_rate": self.learning_rate,
            "training.seed": self.seed,
            "training.threads": 1,
            "watch.enabled": "false",
            "output.name": "run",
            **({"scoring.baseline": "group_mean_std"} if self.standardised else {}),
            **({"evaluation.questions": TUNING_QUESTIONS} if self.seed == TUNING_SEED else {}),
            **dict(objective.settings),
        }
        return [f"{name}={value}" for name, value in chosen.items()]


def setting_of(row: Mapping[str, Any]) -> Setting:
    """The setting that a row is the result of."""
    return Setting(row["objective"], row["learning_rate"], row["standardised"], row["seed"], row["task"])


def sweep(rows: Rows) -> Iterator[Setting]:
    """All settings, the most valuable first; later ones depend on the rows of earlier ones."""
    for name in FIRST:
        yield from _whole(name, rows)
    yield from _elsewhere(rows, FEWER_SEEDS[0])
    for name in LATER:
        yield from _whole(name, rows)
    yield from (Setting(OFFLINE.name, *chosen(OFFLINE.name, rows), seed) for seed in FEWER_SEEDS)
    for seed in FEWER_SEEDS:
        for objective, kin in ABLATIONS.items():
            yield Setting(objective.name, chosen(kin, rows)[0], False, seed)
        yield Setting("coherence, geometric", chosen("coherence, geometric", rows)[0], True, seed)
    for seed in FEWER_SEEDS[1:]:
        yield from _elsewhere(rows, seed)
    for seed in SEEDS[len(FEWER_SEEDS) :]:
        yield from (Setting(objective.name, *chosen(objective.name, rows), seed) for objective in MORE_SEEDS)
    for objective in TUNED:
        yield Setting(objective.name, chosen(objective.name, rows)[0], True, TUNING_SEED)
    for scaled in (False, True):
        for rate in GRID:
            yield from (Setting(objective.name, rate, scaled, TUNING_SEED) for objective in TUNED)


def _elsewhere(rows: Rows, seed: int) -> Iterator[Setting]:
    for task, names in ELSEWHERE.items():
        yield from (Setting(name, *chosen(name, rows), seed, task) for name in names)


def _whole(objective: str, rows: Rows) -> Iterator[Setting]:
    """The next learning rate if the best one has an untried neighbour; then the seeds at the chosen one."""
    rate = next_rate({row["learning_rate"]: tuning_score(row) for row in tuning_rows(objective, rows)})
    if rate is not None:
        yield Setting(objective, rate, False, TUNING_SEED)
    yield from (Setting(objective, *chosen(objective, rows), seed) for seed in FEWER_SEEDS)


def next_rate(scores: Mapping[float, float]) -> float | None:
    """The learning rate to try next, None if the best so far has been tried with its neighbours.

    >>> next_rate({}), next_rate({1e-4: 0.7}), next_rate({1e-4: 0.7, 2e-4: 0.6}), next_rate({1e-4: 0.7, 2e-4: 0.8})
    (0.0001, 0.0002, 5e-05, 0.0003)
    """
    if not scores:
        return BEGIN
    best = GRID.index(max(scores, key=lambda rate: scores[rate]))
    beside = (*GRID[best + 1 : best + 2], *GRID[max(best - 1, 0) : best])
    return next((rate for rate in beside if rate not in scores), None)


def chosen(objective: str, rows: Rows) -> tuple[float, bool]:
    """Learning rate and scaling of an objective by its tuning runs; BEGIN before there are any.

    An objective with another's learning rate takes that one's choice, and its own scaling. Standardised runs have
    a say once their own best rate has been tried with its neighbours.
    """
    if objective == OFFLINE.name:
        return OFFLINE_RATE, False
    kin = {other.name: name for other, name in ABLATIONS.items()}.get(objective)
    if kin is not None:
        return chosen(kin, rows)[0], False
    tuning = tuning_rows(objective, rows)
    standardised = tuning_rows(objective, rows, standardised=True)
    if next_rate({row["learning_rate"]: tuning_score(row) for row in standardised}) is None:
        tuning += standardised
    if not tuning:
        return BEGIN, False
    best = max(tuning, key=tuning_score)
    return best["learning_rate"], best["standardised"]


def tuning_rows(objective: str, rows: Rows, *, standardised: bool = False) -> list[Mapping[str, Any]]:
    """The tuning runs of an objective, all on the demonstration."""
    wanted = objective, TUNING_SEED, standardised, DEMONSTRATION
    return [row for row in rows if (row["objective"], row["seed"], row["standardised"], row["task"]) == wanted]


def tuning_score(row: Mapping[str, Any]) -> float:
    """Accuracy on the questions of the last steps, each seen for the first time; 0 for a run that broke down."""
    last = row["curve_accuracy"][-TUNING_STEPS:]
    return sum(last) / len(last) if len(last) else 0.0
