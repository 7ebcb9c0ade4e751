"""One point of play of a game against a reference, and how the Policy sees it from there (theory.md 1.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from alft import consensus, simplex
from alft.games import Game
from alft.simplex import Array
from alft.tabular.certificate import gap_of_reward

FLOOR = -600.0
"""Log-probabilities stop here: no answer of the reference's support ever leaves it for good (theory.md 1.2)."""
RARE = -60.0
"""What is added to the log-probability of an answer that is all but given up; it can still come back."""
PROBE = 1e-6  # how far log-probabilities are moved to see a derivative of the reward


@dataclass(frozen=True)
class Position:
    """One point of play, axes (question, view, answer) and (question)."""

    log_nu: Array
    nu: Array
    reward: Array
    residual: Array
    value: Array
    gap: Array

    def take(self, questions: Array) -> Position:
        """The position of some of the questions."""
        return Position(*(getattr(self, field.name)[questions] for field in fields(self)))

    def put(self, questions: Array, part: Position) -> None:
        """Move some of the questions to where `part` stands."""
        for field in fields(self):
            getattr(self, field.name)[questions] = getattr(part, field.name)

    @staticmethod
    def join(parts: Sequence[Position]) -> Position:
        """The positions of all questions, part after part."""
        return Position(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Position)))

    def where(self, better: Array, other: Position) -> Position:
        """`other` for the questions where it is better, else this one."""
        found = self.take(np.arange(len(better)))
        found.put(better, other.take(better))
        return found


@dataclass(frozen=True)
class Play:
    """A game against a reference: `reference` (question, view, answer), `weights` (question, view)."""

    game: Game
    reference: Array
    beta: float
    weights: Array

    def on(self, questions: Array) -> Play:
        """The play of some of the questions."""
        return Play(self.game.on(questions), self.reference[questions], self.beta, self.weights[questions])

    def at(self, logits: Array) -> Position:
        """The position with these logits; outside the reference's support, and at logit −∞, probability is 0."""
        log_nu = self._log_nu(logits)
        nu = np.exp(log_nu)
        ratio = simplex.subtract_logs(log_nu, self.log_reference)
        reward = np.where(self.reference > 0, self.game.reward(nu, self.weights), 0.0)
        return Position(
            log_nu=log_nu,
            nu=nu,
            reward=reward,
            residual=centre(reward / self.beta - ratio, nu),
            value=self._value(nu, ratio),
            gap=np.asarray(gap_of_reward(reward, nu, self.reference, self.beta, self.weights)),
        )

    def value(self, logits: Array) -> Array:
        """J at these logits, axes (question)."""
        log_nu = self._log_nu(logits)
        return self._value(np.exp(log_nu), simplex.subtract_logs(log_nu, self.log_reference))

    @cached_property
    def log_reference(self) -> Array:
        """log ν_0."""
        return simplex.log(self.reference)

    def _log_nu(self, logits: Array) -> Array:
        total = np.asarray(simplex.log_sum_exp(logits))
        log_nu = logits - np.where(np.isfinite(total), total, 0.0)[..., None]
        return np.where((self.reference > 0) & np.isfinite(logits), np.maximum(log_nu, FLOOR), -np.inf)

    def _value(self, nu: Array, ratio: Array) -> Array:
        divergence = (self.weights * simplex.scale(nu, ratio).sum(axis=-1)).sum(axis=-1)
        return np.asarray(self.game.objective(nu, self.weights) - self.beta * divergence)

    def inner(self, nu: Array, x: Array, y: Array) -> Array:
        """The inner product Σ_v w_v Σ_a ν_v x_v y_v, axes (question)."""
        return np.einsum("qv,qva,qva,qva->q", self.weights, nu, x, y)

    def curvature(self, nu: Array, reward: Array, direction: Array) -> Array:
        """d − Dr[ν∘d]/β, the second derivative of −J/β along log-probabilities, by a difference of rewards."""
        size = np.abs(direction).max(axis=(-2, -1), keepdims=True)
        step = PROBE / np.where(size > 0, size, 1.0)
        change = self.game.reward(nu * (1 + step * direction), self.weights) - reward
        return centre(direction - change / (step * self.beta), nu)


def centre(values: Array, nu: Array) -> Array:
    """Values less their mean under ν, view by view; 0 where ν = 0 or there is no finite value."""
    values = np.where((nu > 0) & np.isfinite(values), values, 0.0)
    return np.where(nu > 0, values - (nu * values).sum(axis=-1, keepdims=True), 0.0)


def start_apart(play: Play) -> Position:
    """The geometric consensus, with what not every view can say all but given up: near a small β's equilibrium."""
    shared = consensus.log_geometric_mass(play.reference, play.weights)[..., None, :]
    given_up = play.log_reference + RARE
    return play.at(np.where(np.isfinite(shared) & (play.reference > 0), shared, given_up))


def start(play: Play) -> Position:
    """Of three places with the reference's support, for each question the one that is worth most.

    The reference; the reference mixed with what other views and chance would answer (rewards such as q/ν are
    huge at a tiny ν, and Newton leaves such a place one e-fold a step); the geometric consensus, which coherence
    games tend to as β → 0 (theory.md 2.2).
    """
    inside = play.reference > 0
    uniform = inside / np.maximum(inside.sum(axis=-1, keepdims=True), 1)
    mixed = (play.reference + play.reference.mean(axis=-2, keepdims=True) * inside + 0.1 * uniform) / 2.1
    shared = np.where(inside, consensus.log_geometric_mass(play.reference, play.weights)[..., None, :], -np.inf)
    shared = np.where(np.isfinite(shared), shared, play.log_reference)
    places = (play.log_reference, simplex.log(mixed), shared)
    best = np.argmax([play.value(logits) for logits in places], axis=0)[..., None, None]
    return play.at(np.select([best == place for place in range(len(places))], places))
