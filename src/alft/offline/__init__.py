"""Offline play: sample once, solve exactly, fine-tune anywhere (theory.md 6).

What imports torch (`distill`, `execution`, `scores`, `trainer`) is imported when a model is loaded.
"""

from alft.offline.reweight import SolveSettings
from alft.offline.sample import Request, sample
from alft.offline.samples import Samples, read_samples
from alft.offline.solve import solve_samples

__all__ = ["Request", "Samples", "SolveSettings", "read_samples", "sample", "solve_samples"]
