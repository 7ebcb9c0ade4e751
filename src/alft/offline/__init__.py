"""Offline play: sample once, solve exactly, fine-tune anywhere (theory.md 6).

Only `distill` and `rounds` import torch, and they are imported when a model is trained.
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
