"""Consensus of the views of a question: one distribution over answers for all of them (theory.md 2).

`weights` are the view weights w_v ≥ 0 with Σ_v w_v = 1; axes (question…, view, answer).
"""

import numpy as np
from jaxtyping import Float

from alft import simplex

ROUNDING = 1e-12  # shares that differ by less are tied: sums of fractions depend on their order

Views = Float[np.ndarray, "*batch view answer"]
Weights = Float[np.ndarray, "#*batch view"]
Target = Float[np.ndarray, "*batch answer"]


def equal_weights(nu: Views) -> Float[np.ndarray, "view"]:
    """w_v = 1/V, axes (view).

    >>> equal_weights(np.zeros((4, 7))).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    return np.full(nu.shape[-2], 1 / nu.shape[-2])


def arithmetic(nu: Views, weights: Weights) -> Target:
    """The minimiser of Σ_v w_v KL(ν_v‖q): the mean ν̄ = Σ_v w_v ν_v.

    >>> arithmetic(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0.5, 0.5]))
    array([0.75, 0.25])
    """
    return (weights[..., None] * nu).sum(axis=-2)


def log_geometric_mass(nu: Views, weights: Weights) -> Target:
    """log Π_v ν_v(a)^{w_v}, not normalised; a view of weight 0 does not count, even where it is 0."""
    return simplex.scale(weights[..., None], simplex.log(nu)).sum(axis=-2)


def geometric(nu: Views, weights: Weights) -> Target:
    """The minimiser of Σ_v w_v KL(q‖ν_v): q ∝ Π_v ν_v^{w_v}; all zero if no answer is shared by all views.

    >>> geometric(np.array([[0.8, 0.2], [0.2, 0.8]]), np.array([0.5, 0.5]))
    array([0.5, 0.5])
    """
    return simplex.softmax(log_geometric_mass(nu, weights))


def harmonic(nu: Views, weights: Weights) -> Target:
    """q ∝ (Σ_v w_v/ν_v)^{-1}: no answer that one view all but excludes; all zero if none is shared by all views.

    >>> harmonic(np.array([[0.8, 0.2], [0.2, 0.8]]), np.array([0.5, 0.5]))
    array([0.5, 0.5])
    """
    doubt = simplex.scale(weights[..., None], simplex.power(nu, -1.0)).sum(axis=-2)
    return simplex.normalise(simplex.power(doubt, -1.0))


def mode(nu: Target) -> Target:
    """The majority answer as a distribution; tied answers share it, so that names of answers do not matter.

    >>> mode(np.array([0.4, 0.4, 0.2]))
    array([0.5, 0.5, 0. ])
    """
    top = nu.max(axis=-1, keepdims=True)
    return simplex.normalise(np.where((nu >= (1 - ROUNDING) * top) & (top > 0), 1.0, 0.0))
