"""The questions that a configuration asks for: source, schema, views, split, instruction."""

import warnings
from dataclasses import dataclass, replace
from typing import Unpack, cast

from alft.config.answers import AnswersConfig
from alft.config.schema import DataConfig, RunConfig
from alft.errors import ConfigError, Problem
from alft.questions import (
    AnswerRule,
    DataWarning,
    Question,
    Source,
    SourceOptions,
    load_questions,
    made_views,
    overlap,
    source_of,
    with_instruction,
)
from alft.questions.hub import Hub
from alft.questions.sources import BuiltIn, ReasoningGym, kind_of
from alft.text import counted

HELD_OUT_SHARE = 5  # one question in five is held out when nothing else is asked for
Questions = tuple[list[Question], list[Question]]


@dataclass(frozen=True)
class Asked:
    """Questions to train and to measure on, the `data` section that finds the same again, and `answers`."""

    train: list[Question]
    held_out: list[Question]
    data: DataConfig
    answers: AnswersConfig


def asked_questions(config: RunConfig, answers: AnswerRule = "uniform") -> Asked:
    """Questions of a configuration, with their views and the instruction; Hub datasets are pinned to a commit.

    `answers` is what the game needs, unless the configuration says. Raises ConfigError or DataError.
    """
    data = _pinned(config.data)
    most = config.evaluation.questions
    read = _Reader(data, config.training.seed, data.answers or answers)
    train, held_out = read.both(data.held_out or most, most)
    asked = read.finished(train), read.finished(held_out[:most])
    known = (text for part in asked for question in part for text in question.spellings)
    return Asked(*asked, data, config.answers.suited_to(known))


def evaluation_questions(config: RunConfig) -> list[Question]:
    """What `alft evaluate` measures on: the held-out questions if they are named, else all of `data.path`."""
    data, most = config.data, config.evaluation.questions
    read = _Reader(data, config.training.seed, data.answers or "uniform")
    if read.generated or data.eval_path or data.eval_split or data.held_out:
        return read.finished(read.both(data.held_out or most, most)[1][:most])
    return read.finished(read.load(read.source())[:most])


def all_questions(config: RunConfig) -> list[Question]:
    """Every question of `data.path`, with its views and without instruction; nothing is held out."""
    data = config.data.model_copy(update={"instruction": None, "system_prompt": None})
    read = _Reader(data, config.training.seed, data.answers or "uniform")
    return read.finished(read.load(read.source()))


def made_by_program(path: str) -> bool:
    """Whether a source's questions are generated, those to measure on apart from the others."""
    return issubclass(kind_of(path), BuiltIn | ReasoningGym)


@dataclass(frozen=True)
class _Reader:
    """Reads what a `data` section names, as it says."""

    data: DataConfig
    seed: int
    answers: AnswerRule

    @property
    def generated(self) -> bool:
        return made_by_program(self.data.path)

    def both(self, wanted: int, most: int) -> Questions:
        data = self.data
        if self.generated and data.eval_split is not None and data.eval_path is None:
            told = f"{data.path} is made by a program, which has no split {data.eval_split!r}"
            raise ConfigError(Problem("data.eval_split", told, "leave it out: others are made to measure on"))
        if self.generated and data.eval_path is None:
            held_out, train = self.load(self.source(held_out=True, size=wanted)), self.load(self.source())
            if shared := {first for first, _ in overlap(train, held_out)}:
                message = f"{data.path}: {counted(len(shared), 'question')} held out: not trained on"
                warnings.warn(message, DataWarning, stacklevel=2)
            return [question for question in train if question.id not in shared], held_out
        if data.eval_path is None and data.eval_split is None:
            return _split(self.load(self.source()), data, most)
        if data.eval_path is None:
            measured = source_of(data.path, subset=data.subset, split=data.eval_split, revision=data.revision)
        else:
            measured = source_of(data.eval_path, split=data.eval_split)
        return self.load(self.source()), self.load(measured)[:wanted]

    def load(self, source: Source) -> list[Question]:
        data = self.data
        return load_questions(
            source, answers=self.answers, preset=data.preset, columns=data.columns, bad_rows=data.bad_rows
        )

    def finished(self, questions: list[Question]) -> list[Question]:
        """Questions with the views that the section makes, and the instruction in every view."""
        made = made_views(questions, self.data.views)
        told = [with_instruction(question, self.data.instruction) for question in made]
        return [_with_system(question, self.data.system_prompt) for question in told]

    def source(self, **more: Unpack[SourceOptions]) -> Source:
        data = self.data
        options = SourceOptions(subset=data.subset, split=data.split, revision=data.revision, size=data.size)
        seed = self.seed if self.generated and data.seed is None else data.seed
        if seed is not None:
            options["seed"] = seed
        if data.settings:
            options["settings"] = data.settings
        options.update(more)
        return source_of(data.path, **options)


def _with_system(question: Question, system: str | None) -> Question:
    """The question with a system message at the head of every view that has none."""
    if not system:
        return question
    head = {"role": "system", "content": system}
    views = []
    for view in question.views:
        chat = ({"role": "user", "content": view.text},) if isinstance(view.text, str) else view.text
        views.append(view if chat[0]["role"] == "system" else replace(view, text=(head, *chat)))
    return replace(question, views=tuple(views))


def _pinned(data: DataConfig) -> DataConfig:
    """The section with Hub datasets at the commit that their revision means now."""
    update: dict[str, str] = {}
    if kind_of(data.path) is Hub:
        pinned = cast(Hub, source_of(data.path, revision=data.revision)).pinned()
        update = {"path": replace(pinned, revision=None).name, "revision": str(pinned.revision)}
    if data.eval_path is not None and kind_of(data.eval_path) is Hub:
        update["eval_path"] = cast(Hub, source_of(data.eval_path)).pinned().name
    return data.model_copy(update=update)


def _split(questions: list[Question], data: DataConfig, most: int) -> Questions:
    """The last questions are held out: as many as asked for, else one in five, `most` at the most."""
    size = data.held_out if data.held_out is not None else min(len(questions) // HELD_OUT_SHARE, most)
    cut = max(len(questions) - size, 0)
    return questions[:cut], questions[cut:]
