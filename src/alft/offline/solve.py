"""A samples file → the equilibrium of a game on it, a weight per completion, and what to expect (theory.md 6)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from alft.completions import SCHEMA, VERSION, upgraded
from alft.config.build import offline_problems
from alft.config.load import load_config
from alft.errors import ConfigError, DataError, Problem
from alft.evaluation.intervals import intervals
from alft.evaluation.metrics import mean
from alft.evaluation.results import MOST_UNREAD, THIN
from alft.games import NAMED
from alft.offline.outlook import METRICS, Outlook, outlook
from alft.offline.reweight import Reweighting, SolveSettings, effective_samples, reweight
from alft.offline.samples import LENT, WEIGHT, Samples
from alft.offline.tallies import Tallies
from alft.offline.weighted import Weighted
from alft.simplex import LARGEST_POWER, Array
from alft.storage.files import write_parquet
from alft.tabular import NoEquilibriumError
from alft.tabular.certificate import SHOWN, not_found, warn_of_gaps
from alft.text import counted, unread_cause

COHERENCE = "coherence_geometric"
"""The game of samples where none is named."""
SHARES = ("accuracy", "agreement")
"""Which of METRICS are chances."""
Told = dict[str, Any]


@dataclass(frozen=True)
class Solution:
    """The equilibrium on a samples file: `game` as the user wrote it, `scored` if views borrow by score."""

    samples: Samples
    settings: SolveSettings
    game: str
    tallies: Tallies
    reweighting: Reweighting
    scored: bool = False

    @property
    def weights(self) -> Array:
        """One weight per completion, axis (completion)."""
        return self.reweighting.weights

    @cached_property
    def outlook(self) -> Outlook:
        """Metrics now and after, question by question."""
        return outlook(self.tallies, self.reweighting.solved)

    @cached_property
    def metrics(self) -> Told:
        """Each metric now, after, and its change: means with intervals."""
        now, after = self.outlook.now, self.outlook.after
        return {name: _described(now[name], after[name], name in SHARES) for name in METRICS}

    @property
    def unread(self) -> float:
        """Share of the completions without a readable answer."""
        return float((self.samples.key < 0).mean())

    def summary(self) -> Told:
        """Everything found, ready for JSON: None where undefined, intervals 95 % over questions."""
        effective, asked, reached = effective_samples(self.tallies, self.reweighting)
        used, helped = effective[effective > 0], np.repeat(self.outlook.helped, self.tallies.views)
        lent = float(self.reweighting.loans.weight.sum())
        return {
            "solved": self.settings.describe(self.game),
            "completions": len(self.samples),
            "questions": len(self.samples.questions),
            "metrics": self.metrics,
            "accuracy_by_view": self._accuracy_by_view(),
            "unread": self.unread,
            "truncated": float(self.samples.truncated.mean()),
            "refused": float((self.samples.refusal >= 0).mean()),
            "effective_samples": {
                "completions_per_view": mean(asked),
                "median": float(np.median(used)) if used.size else None,
                "least": float(used.min()) if used.size else None,
                "thin_views": int((used < THIN).sum()),
            },
            "reached": mean(reached[helped]),
            "borrowed": lent / max(lent + float(self.weights.sum()), 1e-9),
            "scored": self.scored,
            "largest_gap": None if self.settings.beta == 0 else float(self.outlook.gap.max(initial=0.0)),
            "not_found": [self.samples.questions[index] for index in not_found(self.outlook.gap)],
            "not_helped": [self.samples.questions[index] for index in np.flatnonzero(~self.outlook.helped)],
        }

    def _solved(self) -> Told:
        scored = {"scored": True} if self.scored else {}
        return {**self.settings.describe(self.game), **scored, "predicted": self.metrics}

    @cached_property
    def _views(self) -> Array:
        """Position in `samples.views` of each view of each question, all in a row."""
        codes = np.zeros(int(self.tallies.views.sum()), dtype=int)
        codes[self.tallies.place] = self.samples.view
        return codes

    def _accuracy_by_view(self) -> dict[str, dict[str, float | None]]:
        names = self._views
        return {
            name: {
                "now": mean(self.outlook.accuracy_now[names == index]),
                "after": mean(self.outlook.accuracy_after[names == index]),
            }
            for index, name in enumerate(self.samples.views)
        }

    @property
    def weighted(self) -> Weighted:
        """The completions with their weights, to be trained on or exported."""
        loans = self.reweighting.loans
        return Weighted(self.samples, self.weights, self._solved(), replace(loans, view=self._views[loans.view]))

    def write(self, output: Path) -> None:
        """Write the samples with their weights, whole or not at all."""
        provenance = replace(self.samples.provenance, solution=self._solved(), format=VERSION)
        schema = pa.schema([*SCHEMA, WEIGHT, LENT], metadata=provenance.to_metadata())
        write_parquet(output, self._weighted(schema), schema)

    def _weighted(self, schema: pa.Schema) -> Iterator[pa.Table]:
        start, loans, names = 0, self.weighted.loans, np.array(self.samples.views, dtype=object)
        for batch in self.samples.texts():
            rows = np.arange(start, start + len(batch) + 1)
            start += len(batch)
            ends = np.searchsorted(loans.completion, rows)
            here = slice(ends[0], ends[-1])
            told = [pa.array(names[loans.view[here]], pa.string()), pa.array(loans.weight[here])]
            structs = pa.StructArray.from_arrays(told, names=["view", "weight"])
            lent = pa.ListArray.from_arrays(pa.array(ends - ends[0], pa.int32()), structs)
            table = upgraded(pa.Table.from_batches([batch]))
            table = table.append_column(WEIGHT, pa.array(self.weights[rows[:-1]]))
            yield table.append_column(LENT, lent).cast(schema)


def solve_samples(
    samples: Samples, settings: SolveSettings, game: str, log_probs: Array | None = None
) -> Solution:
    """Solve `game`, which `settings` hold and `game` names, on every question of a samples file.

    With `log_probs`, as `alft.offline.scores.score_views` finds them, views borrow by score (theory.md 6.1).

    Raises DataError if the game needs gold answers and a question has none, where there is no equilibrium, or if
    no question can be helped. A GapWarning names the questions whose equilibrium was not found.
    """
    if settings.game.needs_gold:
        without = np.unique(samples.question[np.isnan(samples.right)])
        if len(without) > 0:
            shown = ", ".join(samples.questions[index] for index in without[:SHOWN])
            what = f"{game} needs gold answers; {len(without)} questions have none: {shown}"
            raise DataError(Problem(str(samples.path), what, "choose a game without labels"))
    tallies = Tallies.of(samples.question, samples.view, samples.answer, samples.right, samples.space)
    try:
        found = reweight(tallies, settings, log_probs)
        solution = Solution(samples, settings, game, tallies, found, log_probs is not None)
    except NoEquilibriumError as error:
        raise DataError(_without_equilibrium(samples, game, error)) from None
    if not solution.outlook.helped.any():
        cause, remedy = unread_cause(solution.unread, float(samples.truncated.mean()))
        remedy = remedy if solution.unread > MOST_UNREAD else "sample more, or choose another game"
        raise DataError(Problem(str(samples.path), f"no question can be helped: {cause}", remedy))
    warn_of_gaps(samples.questions, solution.outlook.gap, str(samples.path))
    return solution


def _without_equilibrium(samples: Samples, game: str, error: NoEquilibriumError) -> Problem:
    """Which questions have no equilibrium, why, and what helps."""
    names = [samples.questions[index] for index in error.questions[:SHOWN]]
    more = ["…"] if len(error.questions) > SHOWN else []
    many = counted(len(error.questions), "question")
    told = f"{game} has no equilibrium on {many} ({', '.join([*names, *more])})"
    shrunk = "give --shrinkage 1, so that every view may say what another said"
    remedy = shrunk if "−∞" in error.cause else "fix the game; alft.check_game says what is wrong with it"
    return Problem(str(samples.path), f"{told}: {error.cause}", remedy)


def settings_of(
    game: str, beta: float, shrinkage: float | None, power: float = 1.0, borrow: bool = True
) -> SolveSettings:
    """What to solve, from what a user wrote: `game` as in a configuration (a name, or a sum in YAML).

    Raises ConfigError for a game that is unknown, not concave, or has no equilibrium at this β.
    """
    chosen = load_config(None, [f"game={game}"]).game.build(NAMED)  # target_match is not solved offline
    problems = list(offline_problems(chosen, game, beta, ("--game", "--beta")))
    if shrinkage is not None and not (math.isfinite(shrinkage) and shrinkage >= 0):
        problems.append(Problem("--shrinkage", f"must be a number of at least 0, not {shrinkage}"))
    if not 1 <= power <= LARGEST_POWER:
        problems.append(Problem("--power", f"must be a number from 1 to {LARGEST_POWER:g}, not {power}"))
    if problems:
        raise ConfigError(problems)
    return SolveSettings(chosen, beta, shrinkage, power, borrow)


def _described(now: Array, after: Array, share: bool) -> Told:
    columns = np.stack([now, after, after - now], axis=-1)
    bounds = intervals(columns, shares=np.array([share, share, False]))
    return {
        name: {"mean": mean(columns[:, index]), "interval": _bounds(bounds[index])}
        for index, name in enumerate(("now", "after", "change"))
    }


def _bounds(bounds: Array) -> list[float] | None:
    return None if np.isnan(bounds).any() else [float(bounds[0]), float(bounds[1])]
