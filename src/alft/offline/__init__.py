"""Offline play: sample once, solve exactly, fine-tune anywhere (theory.md 6).

What imports torch (`distill`, `execution`, `scores`, `trainer`) is imported when a model is loaded.
"""

from alft.offline.reweight import Reweighting, SolveSettings, reweight
from alft.offline.sample import Request, sample
from alft.offline.samples import Provenance, Samples, read_samples
from alft.offline.solve import Solution, solve_samples

__all__ = [
    "Provenance",
    "Request",
    "Reweighting",
    "Samples",
    "Solution",
    "SolveSettings",
    "read_samples",
    "reweight",
    "sample",
    "solve_samples",
]
