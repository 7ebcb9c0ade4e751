"""Questions that a program makes: `starter` (built in) and `reasoning-gym:NAME` (extra), a function of the seed.

Questions to measure on (`held_out`) come from a stream of their own, the same whatever the seed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

from alft.errors import ConfigError, DataError, Problem
from alft.questions.fields import Fields, Row
from alft.questions.model import DataWarning, Question, normalised
from alft.questions.problems import Problems, did_you_mean
from alft.questions.sources.base import Source
from alft.questions.tables import plain
from alft.questions.writing import fields_of

SIZE: Final = 480
"""How many questions are made where it is left open."""
PREFIX: Final = "reasoning-gym:"
_HELD_OUT_SEED: Final = 2**31 - 1

BUILT_IN: Final = {
    "starter": "alft.starter.problems:questions",
    "starter:shared": "alft.starter.problems:shared_questions",
    "starter:numbers": "alft.starter.choices:number_questions",
    "starter:loans": "alft.starter.choices:loan_questions",
}
"""Built-in questions by name, and who makes them: `(count, *, held_out, seed) -> list[Question]`."""


@dataclass(frozen=True)
class BuiltIn(Source):
    """`size` built-in questions to train on, chosen by the seed, or to measure on."""

    key: str
    size: int = SIZE
    seed: int = 0
    held_out: bool = False

    @property
    def name(self) -> str:
        """As in `BUILT_IN`."""
        return self.key

    def rows(self, problems: Problems) -> list[Row]:
        """One row per question."""
        module, _, function = BUILT_IN[self.name].partition(":")
        make: Callable[..., list[Question]] = getattr(import_module(module), function)
        made = make(self.size, held_out=self.held_out, seed=0 if self.held_out else self.seed)
        return [
            Row(f"{self.name} question {number}", number, plain(fields_of(question)))
            for number, question in enumerate(made, start=1)
        ]


@dataclass(frozen=True)
class ReasoningGym(Source):
    """`size` different questions of a reasoning-gym generator, with its `settings`."""

    generator: str
    size: int = SIZE
    seed: int = 0
    held_out: bool = False
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`reasoning-gym:NAME`."""
        return f"{PREFIX}{self.generator}"

    def rows(self, problems: Problems) -> list[Row]:
        """One row per different question, with the generator's answer where it has one."""
        seed = _HELD_OUT_SEED if self.held_out else self.seed
        entries = {normalised(entry["question"]).casefold(): entry for entry in reversed(self._entries(seed))}
        if (repeated := self.size - len(entries)) > 0:
            message = f"{self.name}: {repeated} of {self.size} questions are repeated: left out"
            warnings.warn(message, DataWarning, stacklevel=2)
        return [self._row(number, seed, entry) for number, entry in enumerate(reversed(entries.values()), start=1)]

    def _row(self, number: int, seed: int, entry: Mapping[str, Any]) -> Row:
        identity = f"{self.generator}-{seed}-{entry['metadata']['source_index']}"
        fields = Fields(id=identity, question=entry["question"].strip(), answer=entry["answer"])
        if entry["answer"] is None:
            del fields["answer"]
        return Row(f"{self.name} question {number}", number, plain(fields))

    def _entries(self, seed: int) -> list[dict[str, Any]]:
        try:
            from reasoning_gym import create_dataset
            from reasoning_gym.factory import DATASETS
        except ImportError as error:
            remedy = "pip install 'alft[reasoning-gym]'"
            raise DataError(Problem(self.name, "reasoning-gym is not installed", remedy)) from error
        if self.generator not in DATASETS:
            remedy = did_you_mean(self.generator, sorted(DATASETS))
            raise ConfigError(Problem(self.name, "there is no such generator", remedy))
        try:
            made = create_dataset(self.generator, seed=seed, size=self.size, **self.settings)
            return [made[place] for place in range(self.size)]
        except (TypeError, ValueError, AssertionError) as error:  # how its generators refuse their settings
            told = str(error).replace(f"{DATASETS[self.generator][1].__name__}.__init__() ", "")
            raise ConfigError(Problem(f"{self.name} data.settings", told, "see the generator's config")) from error
