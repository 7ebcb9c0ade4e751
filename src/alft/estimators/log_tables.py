"""Tables g(N') that estimate log ν_v(a) from how many of the other K−1 samples of the view agree (theory.md 3)."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from jaxtyping import Float

LogKind = Literal["plugin"]


@cache
def log_table(samples: int, kind: LogKind = "plugin") -> Float[np.ndarray, "samples"]:  # noqa: F821
    """The K values g(N'), N' = 0…K−1, by which the estimator of this kind answers for log ν.

    `plugin` is log((N'+1)/K), the sample itself counted: weighted bias Θ(1/K) (0.066 at K = 8).

    >>> log_table(samples=2, kind="plugin").round(6).tolist()
    [-0.693147, 0.0]
    """
    table = np.log(np.arange(1, samples + 1) / samples)
    table.flags.writeable = False
    return table
