"""The second derivative of a game that is a sum over answers, in the few numbers that it has."""

from __future__ import annotations

from dataclasses import dataclass

from alft.simplex import Array


@dataclass(frozen=True)
class Curvature:
    """How F bends along log-probabilities.

    Where log ν moves along d, Σ_v w_v ⟨ν_v e_v, r_v⟩ (the weights of the e held still) changes at the rate

        −Σ_va own·e·d + Σ_a joint_a (Σ_v pull·e)(Σ_v pull·d) − (Σ_va overall·e)(Σ_va overall·d).

    A number per view and answer, one rank per answer and one more: a Newton step costs no more than a few
    rewards (`alft.tabular.separable`). `own`, `pull` and `overall` have axes (question…, view, answer),
    `joint` (question…, answer); None stands for zeros.
    """

    own: Array
    pull: Array | None = None
    joint: Array | None = None
    overall: Array | None = None
