"""A run that can start, and whether its directory may be used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from alft.config.schema import RunConfig
from alft.errors import ConfigError, Problem, RunExistsError
from alft.questions import Question
from alft.rewards.scorer import Play


@dataclass(frozen=True)
class Draft:
    """A run as far as it can be made: resolved configuration, questions to train and measure on, its directory."""

    config: RunConfig
    train: list[Question]
    held_out: list[Question]
    directory: Path

    @property
    def views(self) -> int:
        """Views of each question in a step."""
        fewest = min(len(question.views) for question in self.train)
        return self.config.training.views_per_step or fewest

    @property
    def completions_per_step(self) -> int:
        """Completions in one generation batch: questions × views × samples."""
        training = self.config.training
        return training.questions_per_step * self.views * training.samples

    @property
    def steps_per_batch(self) -> int:
        """Optimiser steps on one generation batch."""
        return self.config.training.steps_per_generation * self.config.training.num_iterations


@dataclass(frozen=True)
class Plan(Draft):
    """A run that can start: `play` is how its game is played, built once."""

    play: Play


class Start(Enum):
    """How a run begins: in a new directory, where it was left, or in place of an earlier run."""

    NEW = "new"
    RESUME = "resume"
    OVERWRITE = "overwrite"


def check_directory(directory: Path, start: Start) -> None:
    """Raise RunExistsError if a run may not begin in this directory as it is, or ConfigError if it is none.

    Only a new directory, or one that holds nothing, is written to unasked; what is resumed or overwritten must be
    a run, or hold nothing.
    """
    if not directory.exists():
        return
    where = str(directory)
    if not directory.is_dir():
        raise ConfigError(Problem(where, "is a file, not a directory", "choose another output.name"))
    if all(path.name.startswith(".") for path in directory.iterdir()):
        return
    if not (directory / "config.yaml").is_file():
        raise RunExistsError(Problem(where, "holds files, but no run", "choose another output.name"))
    if start is Start.NEW:
        remedy = "continue with --resume, start over with --overwrite, or choose another output.name"
        raise RunExistsError(Problem(where, "a run is there already", remedy))
