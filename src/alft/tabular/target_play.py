"""Arithmetic coherence, played by its Target alone (theory.md 2.1).

Against a Target q every view has its best response in closed form, ν_v ∝ q^γ ν_{0,v}^{1−γ} with γ = 1/(1+β) and
normaliser Z_v(q), so that the game is the concave problem max over q > 0 of (1+β) Σ_v w_v log Z_v(q) − Σ_a q(a),
one variable per answer instead of one per view and answer.
"""

from __future__ import annotations

import numpy as np

from alft import consensus, simplex
from alft.simplex import Array
from alft.tabular.play import Play

MAX_STEPS = 20
SMALLEST_STEP = 1e-9
MOST_SHRINKING = -0.9


def arithmetic_logits(play: Play) -> Array:
    """log ν at the equilibrium, axes (question, view, answer), by Newton's method on q, for c = 1.

    With q = e^u and δq = q·d the step solves [(1−γ) diag(ν̄) + γ Σ_v w_v ν_v ν_vᵀ] d = ν̄ − q: a diagonal plus one
    rank per view, so a system of the size of the views.
    """
    gamma = 1 / (1 + play.beta)
    base = simplex.scale(np.full(play.reference.shape, 1 - gamma), simplex.log(play.reference))
    q = consensus.arithmetic(play.reference, play.weights)
    for _ in range(MAX_STEPS):
        logits = base + gamma * simplex.log(q)[..., None, :]
        nu = simplex.softmax(logits)
        step = _newton_step(nu, q, play.weights, gamma)
        q = q * (1 + np.maximum(step, MOST_SHRINKING))
        if np.abs(step).max() < SMALLEST_STEP:
            break
    return base + gamma * simplex.log(q)[..., None, :]


def _newton_step(nu: Array, q: Array, weights: Array, gamma: float) -> Array:
    """d, by the Woodbury identity; 0 for answers that no view gives."""
    mean = consensus.arithmetic(nu, weights)
    spread = np.sqrt(gamma * weights)[..., None] * nu
    inverse = np.divide(1.0, (1 - gamma) * mean, out=np.zeros_like(mean), where=mean > 0)
    scaled = (mean - q) * inverse
    views = np.eye(nu.shape[-2]) + (spread * inverse[..., None, :]) @ np.swapaxes(spread, -1, -2)
    inner = np.linalg.solve(views, spread @ scaled[..., None])
    return scaled - inverse * (np.swapaxes(inner, -1, -2) @ spread)[..., 0, :]
