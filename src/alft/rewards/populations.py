"""Games on all questions together: limits on what answers cost, parity between groups (theory.md 2, paper 7).

One batch is a small sample of the population, so both remember: the multiplier λ of a limit, the running answer
marginals of the groups. Their rewards come from what was remembered BEFORE the batch. So a completion's reward
does not contain itself or its neighbours, and the plain leave-one-out baseline is exact for it (theory.md 4.1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from alft import simplex
from alft.completions import Completion
from alft.games import Game, Parity, Random, Where
from alft.simplex import Array
from alft.storage.checkpoint import Remembers

RARE = None
"""Stands for all answers that are too rare to say anything of a group."""
COMMON_SHARE, COMMON_MASS = 0.005, 0.5
"""An answer is kept apart if it has at least this share of what is remembered, and this many questions' worth."""
FORGOTTEN = 1e-6
"""Share of what is remembered below which an answer is forgotten."""


Flag = Callable[[Completion], float]


@dataclass(frozen=True)
class DualSettings:
    """How a multiplier follows its limit: λ ← max(0, λ + rate·(cost − limit)), never above `largest`.

    `damping` adds damping·(running cost − limit) to the multiplier that is played, which settles the oscillation
    of the plain rule; the running cost forgets by `decay` a batch.
    """

    rate: float = 0.5
    damping: float = 5.0
    decay: float = 0.8
    largest: float = 20.0


class Limit(Remembers):
    """The moment constraint E[f] ≤ c over all questions, by dual ascent: reward −λ f.

    `flag` is f: what a completion costs (1 or 0), nan if it does not count; `at_most` is c; `name` is for metrics.
    """

    remembered = ("multiplier", "running")

    def __init__(self, name: str, flag: Flag, at_most: float, settings: DualSettings | None = None) -> None:
        self.name, self.flag, self.at_most = name, flag, at_most
        self.settings = settings or DualSettings()
        self.multiplier = 0.0
        self.running: float | None = None
        self._batch: tuple[Sequence[Completion], Array] = ((), np.zeros(0))

    @property
    def played(self) -> float:
        """The multiplier λ that the reward holds."""
        excess = 0.0 if self.running is None else self.running - self.at_most
        return float(np.clip(self.multiplier + self.settings.damping * excess, 0.0, self.settings.largest))

    def rewards(self, completions: Sequence[Completion]) -> Array:
        """−λ f of each completion."""
        return -self.played * self._costs(completions)

    def learn(self, completions: Sequence[Completion]) -> None:
        """One step of dual ascent on the batch's mean cost; a batch without any say changes nothing."""
        costs = self._costs(completions)
        known = costs[~np.isnan(costs)]
        if not known.size:
            return
        mean, decay = float(known.mean()), self.settings.decay
        self.running = mean if self.running is None else decay * self.running + (1 - decay) * mean
        climbed = self.multiplier + self.settings.rate * (mean - self.at_most)
        self.multiplier = float(np.clip(climbed, 0.0, self.settings.largest))

    def metrics(self) -> dict[str, float]:
        """Running cost and multiplier."""
        running = float("nan") if self.running is None else self.running
        return {f"cost/{self.name}": running, f"multiplier/{self.name}": self.played}

    def _costs(self, completions: Sequence[Completion]) -> Array:
        """Costs of a batch, whose flag is asked once, for its rewards and to learn from them."""
        if self._batch[0] is not completions:
            self._batch = completions, np.array([float(self.flag(one)) for one in completions])
        return self._batch[1]


class GroupParity(Remembers):
    """Groups of questions must be answered alike: `weight` times `alft.games.Parity` on running marginals.

    Each question adds the marginal of its readable answers to its group's; what was added before fades by
    `decay` a batch. Questions without a group are left alone. An answer that hardly any question gave says
    nothing of a group: such answers are taken together as one. `prior` questions, answered as all groups
    together are, join each group, so that none excludes an answer.
    """

    remembered = ("mass",)

    def __init__(self, weight: float = 1.0, decay: float = 0.95, prior: float = 0.5, cap: float = 5.0) -> None:
        self.weight, self.decay, self.prior, self.cap = weight, decay, prior, cap
        self.mass: dict[str, dict[str, float]] = {}

    def rewards(self, completions: Sequence[Completion]) -> Array:
        """weight·(w_g/share_g)·(log q(a) − log ν̄_g(a)); 0 before two groups are seen."""
        groups, answers, nu, shares = self._marginals()
        tables: dict[str | None, dict[str | None, float]] = {}
        if len(groups) >= 2:
            reward = self.weight * np.clip(Parity(groups).reward(nu, shares), -self.cap, self.cap)
            tables = {
                group: dict(zip(answers, row, strict=True))
                for group, row in zip(groups, reward.tolist(), strict=True)
            }

        def paid(one: Completion) -> float:
            table = tables.get(one.group, {})
            return np.nan if one.key is None else table.get(one.key, table.get(RARE, 0.0))

        return np.array([paid(one) for one in completions])

    def learn(self, completions: Sequence[Completion]) -> None:
        """Fade what was, forget what has faded, and add each question's marginal to its group's."""
        answers: dict[tuple[str, str], list[str]] = {}
        for one in completions:
            if one.group is not None and one.key is not None:
                answers.setdefault((one.group, one.question), []).append(one.key)
        faded = FORGOTTEN * sum(sum(keys.values()) for keys in self.mass.values())
        for group, keys in self.mass.items():
            self.mass[group] = {key: self.decay * old for key, old in keys.items() if self.decay * old > faded}
        for (group, _), given in sorted(answers.items()):
            keys = self.mass.setdefault(group, {})
            for key in given:
                keys[key] = keys.get(key, 0.0) + 1 / len(given)

    def metrics(self) -> dict[str, float]:
        """Plug-in divergence between the groups' running marginals (generalised Jensen–Shannon, nats)."""
        names, _, nu, shares = self._marginals()
        return {"parity": float("nan") if len(names) < 2 else -float(Parity(names).objective(nu, shares))}

    def _marginals(self) -> tuple[list[str], list[str | None], Array, Array]:
        """Groups, answers (RARE: all rare ones), smoothed marginals (group, answer), population shares (group)."""
        groups = sorted(group for group, keys in self.mass.items() if keys)
        total: dict[str, float] = {}
        for group in groups:
            for key, mass in self.mass[group].items():
                total[key] = total.get(key, 0.0) + mass
        common = max(COMMON_SHARE * sum(total.values()), COMMON_MASS)
        answers = [*sorted(key for key, mass in total.items() if mass >= common), RARE]
        place = {key: column for column, key in enumerate(answers)}
        mass = np.zeros((len(groups), len(answers)))
        for row, group in zip(mass, groups, strict=True):
            for key, given in self.mass[group].items():
                row[place.get(key, -1)] += given
        everyone = simplex.normalise(mass.sum(axis=0)) if groups else 0.0
        nu, shares = simplex.normalise(mass + self.prior * everyone), simplex.normalise(mass.sum(axis=-1))
        return groups, answers, nu, shares


class Coins(Remembers):
    """The rewards of the `Random` terms of a game: their coefficients for heads, 0 for tails, nan if unread.

    A completion's name is the number of the batch, its question, its view, and its place among those of both: the
    same for any number of processes.
    """

    remembered = ("batch",)

    def __init__(self, terms: Sequence[tuple[float, Random, bool | None]]) -> None:
        self.terms, self.batch = terms, 0

    @staticmethod
    def of(game: Game) -> dict[str, Population]:
        """The coins that are tossed beside a game, by name: none for most."""
        terms: list[tuple[float, Random, bool | None]] = []
        for c, part in game.parts():
            inner, answered = (part.game, part.answered) if isinstance(part, Where) else (part, None)
            if isinstance(inner, Random):
                terms.append((c, inner, answered))
        return {"random": Coins(terms)} if terms else {}

    def rewards(self, completions: Sequence[Completion]) -> Array:
        """The coin of each completion."""
        seen: Counter[tuple[str, int]] = Counter()
        paid = np.full(len(completions), np.nan)
        for row, one in enumerate(completions):
            name = one.question, one.place
            if one.key is not None:
                played = [(c, game) for c, game, where in self.terms if where in (None, one.gold is not None)]
                paid[row] = sum(c * game.heads("live", self.batch, *name, seen[name]) for c, game in played)
            seen[name] += 1
        return paid

    def learn(self, completions: Sequence[Completion]) -> None:
        """The next batch is another one."""
        self.batch += 1

    def metrics(self) -> dict[str, float]:
        """None."""
        return {}


Population = Limit | GroupParity | Coins
"""A game with memory that is played beside the game on single questions."""
