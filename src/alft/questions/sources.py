"""Sources of questions by name: a file, a folder, the Hub, and generators (`starter`, `reasoning-gym:NAME`).

Generated questions depend on the seed alone; those to measure on (`held_out`) are the same for every seed.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Unpack

from alft.errors import ConfigError, DataError, DataWarning, Problem
from alft.questions import hub
from alft.questions.fields import Problems, Row, Source, SourceOptions, did_you_mean
from alft.questions.files import plain, read_rows, rows_of_files
from alft.questions.hub import CARD, Hub, Part, data_files
from alft.questions.model import Question, normalised
from alft.questions.rows import fields_of


@dataclass(frozen=True)
class LocalFile(Source):
    """A JSONL, CSV or Parquet file, compressed by gzip or not."""

    path: Path

    @property
    def name(self) -> str:
        """The path, as given."""
        return str(self.path)

    def rows(self, problems: Problems) -> list[Row]:
        """Every row of the file."""
        return read_rows(self.path, problems)


@dataclass(frozen=True)
class LocalFolder(LocalFile):
    """A copy of a dataset repository on disk: files by subset and split, with or without a README.md."""

    part: Part

    def rows(self, problems: Problems) -> list[Row]:
        """The rows of the chosen subset and split."""
        names = sorted(str(file.relative_to(self.path)) for file in self.path.rglob("*") if file.is_file())
        card = (self.path / CARD).read_text("utf-8", "replace") if CARD in names else None
        chosen = data_files(names, card, self.part, self.name)
        return rows_of_files([(f"{self.path}/{name}", self.path / name) for name in chosen], problems)


SIZE: Final = 480  # how many questions are made by default
GYM: Final = "reasoning-gym:"
_HELD_OUT_SEED: Final = 2**31 - 1

BUILT_IN: Final = ("starter", "starter:shared", "starter:numbers", "starter:loans")
"""Built-in questions by name; `alft.starter.QUESTIONS` makes them."""


@dataclass(frozen=True)
class BuiltIn(Source):
    """`size` built-in questions: to train on, chosen by the seed, or to measure on."""

    key: str
    size: int = SIZE
    seed: int = 0
    held_out: bool = False

    @property
    def name(self) -> str:
        """One of `BUILT_IN`."""
        return self.key

    def rows(self, problems: Problems) -> list[Row]:
        """One row per question."""
        make = import_module("alft.starter").QUESTIONS[self.name]
        made: list[Question] = make(self.size, held_out=self.held_out, seed=0 if self.held_out else self.seed)
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
        return f"{GYM}{self.generator}"

    def rows(self, problems: Problems) -> list[Row]:
        """One row per different question, with the generator's answer where it has one."""
        seed = _HELD_OUT_SEED if self.held_out else self.seed
        entries = {normalised(entry["question"]).casefold(): entry for entry in reversed(self._entries(seed))}
        if (repeated := self.size - len(entries)) > 0:
            message = f"{self.name}: {repeated} of {self.size} questions are repeated: left out"
            warnings.warn(message, DataWarning, stacklevel=2)
        rows: list[Row] = []
        for number, entry in enumerate(reversed(entries.values()), start=1):
            identity = f"{self.generator}-{seed}-{entry['metadata']['source_index']}"
            answer = {} if entry["answer"] is None else {"answer": entry["answer"]}
            fields = plain({"id": identity, "question": entry["question"].strip(), **answer})
            rows.append(Row(f"{self.name} question {number}", number, fields))
        return rows

    def _entries(self, seed: int) -> list[dict[str, Any]]:
        try:
            from reasoning_gym import create_dataset
            from reasoning_gym.factory import DATASETS
        except ImportError as error:
            remedy = "pip install 'alft[reasoning-gym]'"
            raise DataError(Problem(self.name, "reasoning-gym is not installed", remedy)) from error
        if self.generator not in DATASETS:
            remedy = did_you_mean(self.generator, sorted(DATASETS))
            raise ConfigError(Problem(self.name, "no such generator", remedy))
        try:
            made = create_dataset(self.generator, seed=seed, size=self.size, **self.settings)
            return [made[place] for place in range(self.size)]
        except (TypeError, ValueError, AssertionError) as error:  # how its generators refuse their settings
            what = str(error).replace(f"{DATASETS[self.generator][1].__name__}.__init__() ", "")
            raise ConfigError(Problem(f"{self.name} data.settings", what, "see the generator's config")) from error


_OPTIONS: dict[type[Source], tuple[str, ...]] = {
    LocalFile: (),
    LocalFolder: ("subset", "split"),
    Hub: ("subset", "split", "revision"),
    BuiltIn: ("size", "seed", "held_out"),
    ReasoningGym: ("size", "seed", "held_out", "settings"),
}


def kind_of(name: str | Path) -> type[Source]:
    """The class of source that a name means.

    >>> kind_of("hub:openai/gsm8k").__name__, kind_of("starter").__name__, kind_of("q.jsonl").__name__
    ('Hub', 'BuiltIn', 'LocalFile')
    """
    text = str(name)
    if text in BUILT_IN:
        return BuiltIn
    if text.startswith(hub.PREFIX):
        return Hub
    if text.startswith(GYM):
        return ReasoningGym
    return LocalFolder if Path(text).expanduser().is_dir() else LocalFile


def source_of(name: str | Path, **options: Unpack[SourceOptions]) -> Source:
    """The source that a name and options mean (see `load_questions`); an option that is None counts as not given.

    Raises ConfigError with every option that does not apply to it.

    >>> source_of("hub:openai/gsm8k@main", subset="main", split="test")
    Hub(repository='openai/gsm8k', part=Part(subset='main', split='test'), revision='main')
    """
    kind, text = kind_of(name), str(name)
    given: dict[str, Any] = {option: value for option, value in options.items() if value is not None}
    if wrong := [option for option in given if option not in _OPTIONS[kind]]:
        remedy = f"options that do: {', '.join(_OPTIONS[kind]) or 'none'}"
        raise ConfigError([Problem(text, f"'{one}' does not apply to this source", remedy) for one in wrong])
    part = Part(given.pop("subset", None), given.pop("split", None))
    if kind is Hub:
        repository, revision = hub.parse(text.removeprefix(hub.PREFIX))
        if revision is not None and given.get("revision", revision) != revision:
            raise ConfigError(Problem(text, f"its revision is also given as {given['revision']!r}", "keep one"))
        return Hub(repository, part, given.get("revision", revision))
    if kind is ReasoningGym:
        return ReasoningGym(text.removeprefix(GYM), **given)
    if kind is BuiltIn:
        return BuiltIn(text, **given)
    path = Path(text).expanduser()
    return LocalFolder(path, part) if kind is LocalFolder else LocalFile(path)
