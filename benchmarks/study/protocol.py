"""What is compared with what, and in which order it is run, so that a sweep broken off early says the most.

A run is one objective at one learning rate and seed; a `Setting` names it. Rollouts are equal: 60 steps of
8 questions × 4 wordings × 8 samples. The learning rate of an objective is chosen by its runs at TUNING_SEED:
the one with the highest accuracy on the questions of its last TUNING_STEPS steps, which are training questions,
each seen once, before it is trained on. So no held-out question has a say in the choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

DEMONSTRATION = 1.25e-4
GRID = (DEMONSTRATION, 1.5 * DEMONSTRATION, 2 * DEMONSTRATION, 0.5 * DEMONSTRATION)
"""Learning rates, the first is the demonstration's. They fall linearly to zero."""
TUNING_SEED = 100
TUNING_STEPS = 10
SEEDS = (0, 1, 2, 3, 4)
FEWER_SEEDS = SEEDS[:3]

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Objective:
    """One line of the tables: a game and what else its configuration says."""

    name: str
    game: str
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


PLUGIN = MappingProxyType({"scoring.log": "plugin"})
MAIN = (
    Objective("labels", "correctness"),
    Objective("majority per view", "majority"),
    Objective("majority pooled", "majority_pooled"),
    Objective("agreement", "agreement"),
    Objective("coherence, geometric", "coherence_geometric"),
    Objective("coherence, arithmetic", "coherence_arithmetic", PLUGIN),
    Objective("collision", "collision"),
)
REST = (
    Objective("coherence, Euclidean", "coherence_euclidean"),
    Objective("coherence, pairwise", "coherence_pairwise", PLUGIN),
    Objective("coherence, arithmetic, low-bias log", "coherence_arithmetic", {"scoring.log": "variance_optimal"}),
    *(
        Objective(f"coherence, geometric, {baseline}", "coherence_geometric", {"scoring.baseline": baseline})
        for baseline in ("leave_one_out", "group_mean", "group_mean_std")
    ),
)
"""Other games, and geometric coherence with other baselines; run at the learning rate of their kin."""
KIN = {"coherence, geometric": "coherence, geometric", "coherence, arithmetic": "coherence, arithmetic"}
OBJECTIVES = {objective.name: objective for objective in (*MAIN, *REST)}


@dataclass(frozen=True)
class Setting:
    """One run of the sweep; `key` tells it from every other."""

    objective: str
    learning_rate: float
    standardised: bool
    seed: int

    @property
    def key(self) -> tuple[str, str, bool, int]:
        """What makes the run this one; the learning rate to six digits."""
        return self.objective, f"{self.learning_rate:.6g}", self.standardised, self.seed

    @property
    def overrides(self) -> list[str]:
        """The run as `--set` of `alft train`."""
        objective = OBJECTIVES[self.objective]
        chosen = {
            "game": objective.game,
            "training.learning_rate": self.learning_rate,
            "training.seed": self.seed,
            "training.threads": 1,
            "watch.enabled": False,
            **({"scoring.baseline": "group_mean_std"} if self.standardised else {}),
            **({"evaluation.questions": 8} if self.seed == TUNING_SEED else {}),
            **objective.settings,
        }
        return [
            f"{name}={str(value).lower() if value in (True, False) else value}" for name, value in chosen.items()
        ]


def key_of(row: Mapping[str, Any]) -> tuple[str, str, bool, int]:
    """The key of the setting that a row is the result of."""
    return Setting(row["objective"], row["learning_rate"], row["standardised"], row["seed"]).key


def sweep(rows: Rows) -> Iterator[Setting]:
    """All settings, the most valuable first; later ones depend on the rows of earlier ones."""
    yield from (Setting(objective.name, DEMONSTRATION, False, 0) for objective in MAIN)
    for rate in GRID:
        yield from (Setting(objective.name, rate, False, TUNING_SEED) for objective in MAIN)
    for seeds in (FEWER_SEEDS, SEEDS):
        for seed in seeds:
            yield from (Setting(objective.name, *chosen(objective.name, rows), seed) for objective in MAIN)
    for rate in GRID:
        yield from (Setting(objective.name, rate, True, TUNING_SEED) for objective in MAIN)
    for seed in FEWER_SEEDS:
        yield from (Setting(objective.name, *chosen(objective.name, rows), seed) for objective in REST)


def chosen(objective: str, rows: Rows) -> tuple[float, bool]:
    """Learning rate and scaling of an objective by its tuning runs; the demonstration's until all are there.

    An objective that was not tuned itself takes what was chosen for its kin.
    """
    tuning = tuning_rows(objective, rows) or tuning_rows(_kin(objective), rows)
    if len({row["learning_rate"] for row in tuning if not row["standardised"]}) < len(GRID):
        return DEMONSTRATION, False
    best = max(tuning, key=tuning_score)
    return best["learning_rate"], best["standardised"]


def tuning_rows(objective: str, rows: Rows) -> list[Mapping[str, Any]]:
    """The tuning runs of an objective."""
    return [row for row in rows if row["objective"] == objective and row["seed"] == TUNING_SEED]


def _kin(objective: str) -> str:
    return next((mother for start, mother in KIN.items() if objective.startswith(start)), objective)


def tuning_score(row: Mapping[str, Any]) -> float:
    """Accuracy on the questions of the last steps, each seen for the first time."""
    last = row["curve_accuracy"][-TUNING_STEPS:]
    return sum(last) / len(last)


def objective_of(game: str, scoring: Mapping[str, Any]) -> str | None:
    """Name of the objective that a configuration plays; None if it is none of the study's."""
    for objective in OBJECTIVES.values():
        told = {name.removeprefix("scoring."): value for name, value in objective.settings.items()}
        expected = {"baseline": "leave_two_out", **told}
        if objective.game == game and all(scoring.get(name) == value for name, value in expected.items()):
            return objective.name
    return None
