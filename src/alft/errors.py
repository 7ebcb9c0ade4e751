"""Failures that a user can mend: each names the place, what is wrong there, and the remedy.

A check collects every problem it can find before it raises, so that one attempt shows them all
(the command line prints them and exits with code 2, before any model is loaded).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing to mend: `where` (file:line:column or a config path), `what` is wrong, and the `remedy`."""

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        sentence = f"{self.where}: {self.what}"
        return f"{sentence} — {self.remedy}" if self.remedy else sentence


class AlftError(Exception):
    """Base of every error that alft raises on purpose; `problems` lists all that was found at once."""

    def __init__(self, problems: Sequence[Problem] | Problem) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class ConfigError(AlftError, ValueError):
    """The configuration can't be run as written."""


class DataError(AlftError, ValueError):
    """A file of questions, samples or results can't be read as it should be."""


class DataWarning(UserWarning):
    """A file of questions was read, but not as it stands, and the user should know."""


class NoRunError(DataError):
    """A place that was named as a run is none."""


class RunExistsError(AlftError, FileExistsError):
    """The run directory holds an earlier run, which is never overwritten silently."""


class EndpointError(AlftError, ConnectionError):
    """A server of models can't be used as it is: asking on is no use until that is mended."""


class CheckpointError(AlftError, RuntimeError):
    """A checkpoint can't be written, or none of those found can be trusted."""


class RunLockedError(AlftError, RuntimeError):
    """Another live process works in the run directory."""


class OutOfMemoryError(AlftError, MemoryError):
    """A run needs more memory than there is."""


class DivergedError(AlftError, ArithmeticError):
    """Training came to numbers that are not finite, and there is no earlier model to give back."""


class RunInterrupted(AlftError):
    """The run was asked to stop, and did; `signal` is what asked (2: Ctrl-C, 15: SIGTERM)."""

    def __init__(self, problem: Problem, signal: int) -> None:
        super().__init__(problem)
        self.signal = signal
