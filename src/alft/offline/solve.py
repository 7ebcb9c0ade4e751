"""A samples file → the equilibrium of a game on it, a weight per completion, and what to expect (theory.md 6)."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from alft.completions import SCHEMA, VERSION
from alft.config.build import offline_problems
from alft.config.load import load_config
from alft.counts import UNREAD
from alft.errors import ConfigError, DataError, Problem
from alft.games import NAMED, Random
from alft.offline.outlook import Outlook, Overview, outlook
from alft.offline.reweight import Reweighting, SolveSettings, effective_samples, reweight, tossed
from alft.offline.samples import Samples, pieces
from alft.offline.source import LENT, PIECE, WEIGHT, Provenance, Source, placed
from alft.offline.tallies import Loans, Tallies
from alft.offline.weighted import Weighted
from alft.simplex import LARGEST_POWER, Array
from alft.storage.files import write_parquet
from alft.tabular import NoEquilibriumError
from alft.tabular.certificate import SHOWN
from alft.text import counted

COHERENCE = "coherence_geometric"  # the game of samples where none is named
Score = Callable[[Samples], Array]
"""log π_0(z|x_v) of completions under the views of their question, as `alft.offline.scores` finds them."""


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
    def overview(self) -> Overview:
        """What was found, without the completions."""
        found = outlook(self.tallies, self.reweighting.solved)
        samples, helped = self.samples, np.repeat(found.helped, self.tallies.views)
        effective, asked, reached = effective_samples(self.tallies, self.reweighting)
        views = {"name": self._views, "helped": helped, "effective": effective, "asked": asked, "reached": reached}
        kinds = samples.key < 0, samples.truncated, samples.refusal >= 0
        return Overview(
            path=samples.path,
            settings=self.settings,
            game=self.game,
            scored=self.scored,
            questions=samples.questions,
            names=samples.views,
            outlook=found,
            views=views,
            counts=np.array([len(samples), *(int(each.sum()) for each in kinds)]),
            weight=np.array([self.weights.sum(), self.reweighting.loans.weight.sum()]),
            reading=samples.provenance.answers.reading,
        )

    @property
    def outlook(self) -> Outlook:
        """Metrics now and after, question by question."""
        return self.overview.outlook

    def summary(self) -> dict[str, Any]:
        """Everything found, ready for JSON: None where undefined, intervals 95 % over questions."""
        return self.overview.summary()

    @cached_property
    def _views(self) -> Array:
        """Position in `samples.views` of each view of each question, all in a row."""
        codes = np.zeros(int(self.tallies.views.sum()), dtype=int)
        codes[self.tallies.place] = self.samples.view
        return codes

    @property
    def loans(self) -> Loans:
        """The loans, to positions in `samples.views`."""
        loans = self.reweighting.loans
        return replace(loans, view=self._views[loans.view])

    @property
    def weighted(self) -> Weighted:
        """The completions with their weights, to be trained on or exported."""
        return Weighted(self.samples, self.weights, self.overview.record(), self.loans)

    def write(self, output: Path) -> None:
        """Write the samples with their weights, whole or not at all."""
        _write([self], output, self.samples.provenance, Overview.joined)

    def tables(self) -> Iterator[pa.Table]:
        """The rows of the samples with their weights, batch after batch."""
        loans, names = self.loans, np.array(self.samples.views, dtype=object)
        for here, table in placed(self.samples.texts()):
            ends = np.searchsorted(loans.completion, np.arange(here.start, here.stop + 1))
            own = slice(ends[0], ends[-1])
            columns = [pa.array(names[loans.view[own]], pa.string()), pa.array(loans.weight[own])]
            structs = pa.StructArray.from_arrays(columns, names=["view", "weight"])
            lent = pa.ListArray.from_arrays(pa.array(ends - ends[0], pa.int32()), structs)
            table = table.append_column(WEIGHT, pa.array(self.weights[here]))
            yield table.append_column(LENT, lent)


def solve_samples(
    samples: Samples,
    settings: SolveSettings,
    game: str,
    log_probs: Array | None = None,
    first: Samples | None = None,
) -> Solution:
    """Solve `game`, which `settings` hold and `game` names, on every question of a samples file.

    With `log_probs`, as `alft.offline.scores.scorer` finds them, views borrow by score (theory.md 6.1).
    `first`: completions of the reference, where the `samples` are of a model that was trained since, which was
    asked the same (theory.md 6; see `reweight`).

    Raises DataError if the game needs gold answers and a question has none, where there is no equilibrium, or if
    no question can be helped. A GapWarning names the questions whose equilibrium was not found.
    """
    score = None if log_probs is None else lambda _: log_probs
    (solution,) = solutions([samples], settings, game, score, first)
    solution.overview.check()
    return solution


def solve_source(
    source: Source,
    settings: SolveSettings,
    game: str,
    output: Path | None = None,
    score: Score | None = None,
    rows: int = PIECE,
) -> Overview:
    """The same in constant memory, about `rows` completions at a time; weights are only in the file `output`.

    `score` finds the log-probabilities of a piece. Where it raises DataError, as `solve_samples` does, nothing is
    written.
    """
    with source.in_order(None if output is None else output.parent) as ordered:
        found = solutions(pieces(ordered, rows), settings, game, score)
        if output is not None:
            return _write(found, output, source.provenance, _checked)
        return _checked([solution.overview for solution in found])


def _checked(parts: Sequence[Overview]) -> Overview:
    whole = Overview.joined(parts)
    whole.check()
    return whole


def _write(
    found: Iterable[Solution],
    output: Path,
    provenance: Provenance,
    joined: Callable[[Sequence[Overview]], Overview],
) -> Overview:
    """Write the weighted rows of solutions; what they predict together is known at the end, and is metadata."""
    parts: list[Overview] = []

    def tables() -> Iterator[pa.Table]:
        for solution in found:
            parts.append(solution.overview)
            yield from solution.tables()

    def metadata() -> Mapping[bytes, bytes]:
        whole.append(joined(parts))
        return replace(provenance, solution=whole[0].record(), format=VERSION).to_metadata()

    whole: list[Overview] = []
    write_parquet(output, tables(), pa.schema([*SCHEMA, WEIGHT, LENT]), metadata=metadata)
    return whole[0]


def _tallies(samples: Samples, first: Samples | None) -> tuple[Tallies, Tallies | None]:
    """The samples placed, and the first reference's, numbered alike."""
    if first is None:
        return samples.tallies, None
    columns = [np.concatenate([getattr(each, name) for each in (first, samples)]) for name in ("right", "space")]
    coded = []
    for codes, names in (("question", "questions"), ("view", "views"), ("answer", "keys")):
        known = {name: code for code, name in enumerate(getattr(samples, names))}
        places = [known.setdefault(name, len(known)) for name in getattr(first, names)]
        at_first = np.array([*places, UNREAD])[getattr(first, codes)]  # −1 finds the last
        coded.append(np.concatenate([at_first, getattr(samples, codes)]))
    whole = Tallies.of(*coded, *columns)
    return whole.part(slice(len(first), None)), whole.part(slice(len(first)))


def solutions(
    found: Iterable[Samples],
    settings: SolveSettings,
    game: str,
    score: Score | None = None,
    first: Samples | None = None,
) -> Iterator[Solution]:
    """The solution of each piece of a source; at the end DataError names all questions that have none."""
    path, cause = Path(), ""
    unlabeled: list[str] = []
    lost: list[str] = []
    for samples in found:
        path = samples.path
        if settings.game.needs_gold:
            without = np.unique(samples.question[np.isnan(samples.right)])
            unlabeled += [samples.questions[index] for index in without]
        if unlabeled:
            continue
        tallies, known = _tallies(samples, first)
        try:
            played = reweight(tallies, settings, None if score is None else score(samples), known)
        except NoEquilibriumError as error:
            cause = cause or error.cause
            lost += [samples.questions[index] for index in error.questions]
            continue
        if isinstance(settings.game, Random):
            played = tossed(played, tallies, _heads(samples, settings.game), settings.beta)
        if not lost:
            yield Solution(samples, settings, game, tallies, played, score is not None)
    if unlabeled:
        what = f"{game} needs gold answers; {len(unlabeled)} questions have none: {', '.join(unlabeled[:SHOWN])}"
        raise DataError(Problem(str(path), what, "choose a game without labels"))
    if lost:
        more = ["…"] if len(lost) > SHOWN else []
        many = counted(len(lost), "question")
        what = f"{game} has no equilibrium on {many} ({', '.join([*lost[:SHOWN], *more])}): {cause}"
        shrunk = "give --shrinkage 1, so that every view may say what another said"
        remedy = shrunk if "−∞" in cause else "fix the game; alft.check_game says what is wrong with it"
        raise DataError(Problem(str(path), what, remedy))


def _heads(samples: Samples, game: Random) -> Array:
    seed = samples.provenance.sampling.get("seed")
    places = zip(samples.question.tolist(), samples.view.tolist(), samples.sample.tolist(), strict=True)
    named = ((samples.questions[question], samples.views[view], number) for question, view, number in places)
    return np.array([game.heads("sampled", seed, *name) for name in named])


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
