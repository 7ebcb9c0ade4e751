"""Errors that a user can fix: each names the place, what is wrong there, and the remedy.

A check collects every problem before it raises, so that one attempt shows them all; the command line prints
them and exits with code 2 before any model is loaded.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing to fix: `where` (file:line:column or a config path), `what` is wrong, and the `remedy`."""

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        sentence = f"{self.where}: {self.what}"
        return f"{sentence} — {self.remedy}" if self.remedy else sentence


class AlftError(Exception):
    """Base of every error that alft raises on purpose; `problems` lists everything that was found."""

    def __init__(self, problems: Sequence[Problem] | Problem) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__(problems)  # the argument itself: an exception is pickled by its arguments

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


@contextmanager
def collecting(problems: list[Problem]) -> Iterator[None]:
    """Add the problems of an AlftError to `problems` instead of raising it."""
    try:
        yield
    except AlftError as error:
        problems += error.problems


class ConfigError(AlftError, ValueError):
    """The configuration can't be run as written."""


class DataError(AlftError, ValueError):
    """A file of questions, samples or results can't be read."""


class DataWarning(UserWarning):
    """Something about a file of questions, or what was found from it, that the user should know."""


class NoRunError(DataError):
    """A path that was given as a run holds no run."""


class RunExistsError(AlftError, FileExistsError):
    """The run directory holds an earlier run, which is never overwritten silently."""


class EndpointError(AlftError, ConnectionError):
    """A model server can't be used until something is fixed: more requests would fail too."""


class CheckpointError(AlftError, RuntimeError):
    """A checkpoint can't be written, or none of those found can be trusted."""


class RunLockedError(AlftError, RuntimeError):
    """Another live process works in the run directory."""


class OutOfMemoryError(AlftError, MemoryError):
    """A run needs more memory than there is."""


class DivergedError(AlftError, ArithmeticError):
    """Training reached non-finite numbers, and there is no earlier model to return."""


class RunInterrupted(AlftError):
    """The run stopped on a `signal` (2: Ctrl-C, 15: SIGTERM)."""

    def __init__(self, problem: Problem, signal: int) -> None:
        super().__init__(problem)
        self.args, self.signal = (problem, signal), signal
