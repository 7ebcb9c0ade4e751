"""The questions that a configuration asks for: source, schema, views, split, instruction."""

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack, cast

from alft.answers import USUAL, AnswerPolicy, KeyPolicy, canonical, gold_set, read
from alft.config.answers import AnswersConfig
from alft.config.schema import DataConfig, RunConfig
from alft.errors import AlftError, ConfigError, DataError, Problem, collecting
from alft.questions import (
    AnswerRule,
    DataWarning,
    Question,
    Source,
    SourceOptions,
    View,
    item_problems,
    load_questions,
    made_views,
    overlap,
    source_of,
    with_examples,
    with_instruction,
)
from alft.questions.hub import Hub
from alft.questions.model import as_chat, normalised, text_of
from alft.questions.options import options_of
from alft.questions.sources import BuiltIn, ReasoningGym, kind_of
from alft.text import counted, visible

MOST_EXAMPLES = 32
HELD_OUT_SHARE = 5  # one question in five, the last ones, is held out when nothing else is asked for


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
    read = _Reader(config, data, data.answers or answers)
    try:
        train, held_out = read.both(data.held_out or most, most)
    except AlftError as error:
        wrong = [*item_problems(data.views), *read.example_problems(config.answers)]
        raise DataError([*error.problems, *dict.fromkeys(wrong)]) if wrong else error from None
    asked = read.finished(train), read.finished(held_out[:most])
    suited = config.answers.suited_to(text for part in asked for question in part for text in question.spellings)
    if wrong := read.example_problems(suited):
        raise DataError(wrong)
    return Asked(*asked, data, suited)


def evaluation_questions(config: RunConfig) -> list[Question]:
    """What `alft evaluate` measures on: the held-out questions if they are named, else all of `data.path`."""
    data, most = config.data, config.evaluation.questions
    read = _Reader(config, data, data.answers or "uniform")
    if made_by_program(data.path) or data.eval_path or data.eval_split or data.held_out:
        return read.finished(read.both(data.held_out or most, most)[1][:most])
    return read.finished(read.load(read.source())[:most])


def all_questions(config: RunConfig) -> list[Question]:
    """Every question of `data.path`, with its views and without instruction; nothing is held out."""
    data = config.data.model_copy(update={"instruction": None, "system_prompt": None, "examples": None})
    read = _Reader(config, data, data.answers or "uniform")
    return read.finished(read.load(read.source()))


def example_problems(config: RunConfig, questions: Iterable[Question]) -> list[Problem]:
    """What is wrong with the solved examples that a configuration shows before these questions."""
    answers = config.answers.suited_to(text for question in questions for text in question.spellings)
    return _Reader(config, config.data, "uniform").example_problems(answers)


def made_by_program(path: str) -> bool:
    """Whether a source's questions are generated, those to measure on apart from the others."""
    return issubclass(kind_of(path), BuiltIn | ReasoningGym)


@dataclass(frozen=True)
class _Reader:
    """Reads what a `data` section names, as it and the rest of the configuration say."""

    config: RunConfig
    data: DataConfig
    answers: AnswerRule

    def both(self, wanted: int, most: int) -> tuple[list[Question], list[Question]]:
        data = self.data
        if made_by_program(data.path) and data.eval_split is not None and data.eval_path is None:
            told = f"{data.path} is made by a program, which has no split {data.eval_split!r}"
            raise ConfigError(Problem("data.eval_split", told, "leave it out: others are made to measure on"))
        if made_by_program(data.path) and data.eval_path is None:
            held_out, train = self.load(self.source(held_out=True, size=wanted)), self.load(self.source())
            if shared := {first for first, _ in overlap(train, held_out)}:
                message = f"{data.path}: {counted(len(shared), 'question')} held out: not trained on"
                warnings.warn(message, DataWarning, stacklevel=2)
            return [question for question in train if question.id not in shared], held_out
        if data.eval_path is None and data.eval_split is None:
            questions = self.load(self.source())
            size = data.held_out or min(len(questions) // HELD_OUT_SHARE, most)
            cut = max(len(questions) - size, 0)
            return questions[:cut], questions[cut:]
        if data.eval_path is None:
            measured = source_of(data.path, subset=data.subset, split=data.eval_split, revision=data.revision)
        else:
            measured = source_of(data.eval_path, split=data.eval_split)
        found, problems = list[list[Question]](), list[Problem]()
        for source in (self.source(), measured):
            with collecting(problems):
                found.append(self.load(source))
        if problems:
            raise DataError(problems)
        return found[0], found[1][:wanted]

    def load(self, source: Source) -> list[Question]:
        data = self.data
        found = load_questions(
            source, answers=self.answers, preset=data.preset, columns=data.columns, bad_rows=data.bad_rows
        )
        dropping = data.bad_rows == "drop" or (data.bad_rows is None and data.preset is not None)
        return _rightly_labelled(found, self.config.answers) if dropping else found

    def finished(self, questions: list[Question]) -> list[Question]:
        """Questions with the views that the section makes, the instruction in each, and examples before it."""
        texts = {text for each in self.examples for text in _texts(each)}
        kept = [question for question in questions if texts.isdisjoint(_texts(question))]
        if left_out := len(questions) - len(kept):
            what = f"{counted(left_out, 'question')} shown as an example: left out"
            if not kept:
                raise DataError(Problem(str(self.data.examples), what, "none is left: choose other examples"))
            warnings.warn(f"{self.data.examples}: {what}", DataWarning, stacklevel=3)
        shown, plain = self._instructed(self.examples), self.config.model.chat == "plain"
        asked = (_with_system(question, self.data.system_prompt) for question in self._instructed(kept))
        return [with_examples(question, shown, plain=plain) for question in asked]

    @cached_property
    def examples(self) -> list[Question]:
        """The examples; raises DataError for what can't be shown before every question."""
        path = self.data.examples
        if not path:
            return []
        if Path(path).exists() and not Path(path).is_file():
            raise DataError(Problem("data.examples", f"{path} is not a file", "name a file of solved questions"))
        shown = load_questions(source_of(path), answers="solved")
        chats = [each for each in shown if any(not isinstance(view.text, str) for view in each.views)]
        what, remedy = "chat messages can't be shown as an example", "write the question as a text"
        problems = [Problem(each.place, what, remedy) for each in chats]
        problems += double_problems(shown, comparing(self.config.answers))
        if len(shown) > MOST_EXAMPLES:
            what = f"{len(shown)} examples before every question"
            problems.append(Problem(path, what, f"use at most {MOST_EXAMPLES}; two or three are usual"))
        if problems:
            raise DataError(problems)
        return shown

    def example_problems(self, answers: AnswersConfig) -> list[Problem]:
        """What is wrong with the examples, including answers that would be unread in a completion."""
        problems: list[Problem] = []
        with collecting(problems):
            for each in self.examples if answers.reader is None else ():
                if (found := read(str(each.answer), answers.policy.reading)).unread:
                    what = f"as a completion, {each.answer!r:.40} is unread: {found.unread}"
                    remedy = "write it as the model should answer, or say in answers how it is read"
                    problems.append(Problem(f"{each.place} answer", what, remedy))
        return problems

    def _instructed(self, questions: list[Question]) -> list[Question]:
        made = made_views(questions, self.data.views)
        return [with_instruction(question, self.data.instruction) for question in made]

    def source(self, **more: Unpack[SourceOptions]) -> Source:
        data = self.data
        seed = self.config.training.seed if made_by_program(data.path) and data.seed is None else data.seed
        options: dict[str, Any] = data.model_dump(include={"subset", "split", "revision", "size"})
        options |= {"seed": seed, "settings": data.settings or None, **more}
        return source_of(data.path, **options)


def _texts(question: Question) -> set[str]:
    """The texts of a question's views, as far as two questions with one of them are the same."""
    return {normalised(text_of(view.text)).casefold() for view in question.views}


def _rightly_labelled(questions: list[Question], answers: AnswersConfig) -> list[Question]:
    """The questions whose gold answers are sound, with a warning for the others; all if none is sound."""
    policy = comparing(answers)
    again = {problem.where for problem in double_problems(questions, policy)}
    kept = [each for each in questions if each.place not in again and not any(gold_problems([each], policy))]
    if not kept or len(kept) == len(questions):
        return questions
    first = label_problems(questions, answers)[0]
    left = f"{len(questions) - len(kept)} of {counted(len(questions), 'question')} left out, such as: {first.what}"
    warnings.warn(f"{first.where}: {left}", DataWarning, stacklevel=3)
    return kept


def _with_system(question: Question, system: str | None) -> Question:
    """The question with a system message at the head of every view that has none."""
    if not system:
        return question
    head, chats = {"role": "system", "content": system}, [(view, as_chat(view.text)) for view in question.views]
    views = (view if chat[0]["role"] == "system" else replace(view, text=(head, *chat)) for view, chat in chats)
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


def comparing(answers: AnswersConfig) -> AnswerPolicy:
    """The policy for comparing answers, which does not load a reader of the user's own."""
    policy = answers.model_copy(update={"reader": None}).policy
    return replace(policy, reading=replace(policy.reading, reader=answers.reader))


def label_problems(questions: Sequence[Question], answers: AnswersConfig) -> list[Problem]:
    """What is wrong with the gold answers of questions, each by itself and of one text."""
    policy = comparing(answers)
    return [*gold_problems(questions, policy), *double_problems(questions, policy)]


def gold_problems(questions: Iterable[Question], policy: AnswerPolicy = USUAL) -> Iterator[Problem]:
    """Gold answers of which no spelling is right when a completion says it, and maps that lose them."""
    for question in questions:
        unread = [problem for gold in question.gold for problem in _unread(question, gold, policy)]
        if len(unread) == len(question.gold):
            yield from unread
        if question.answer is not None:
            yield from _no_option(question, question.answer)
            for view in question.views:
                yield from _lost(question, view, policy.keys)


def double_problems(questions: Iterable[Question], policy: AnswerPolicy = USUAL) -> Iterator[Problem]:
    """Texts that are asked twice with different gold answers."""
    seen: dict[str, Question] = {}
    for question in questions:
        for text in {normalised(view.text) for view in question.views}:
            first = seen.setdefault(text, question)
            labelled = question.answer is not None and first.answer is not None
            if labelled and not gold_set(question.gold, policy.keys) & gold_set(first.gold, policy.keys):
                same = f"the same text as question '{visible(first.id, 80)}'"
                what = f"{same}, with another answer ({first.answer!r:.40})"
                yield Problem(question.place, what, "fix the answer, or leave one out")


def _unread(question: Question, gold: str, policy: AnswerPolicy) -> Iterator[Problem]:
    if policy.reading.pattern is not None or policy.reading.reader is not None:
        return  # that decides what an answer is, not a box
    found = read(f"\\boxed{{{gold}}}", policy.reading)
    if canonical(found.answer, policy.keys) in gold_set(question.gold, policy.keys):
        return
    reason = found.unread or f"it is read as {found.answer!r:.40}"
    what = f"a completion with \\boxed{{{gold:.60}}} is not right: {reason}"
    yield Problem(f"{question.place} answer", what, "write the answer alone, in one way")


def _no_option(question: Question, answer: str) -> Iterator[Problem]:
    """A letter must be one of the options that the question lists."""
    letters = [letter for letter, _ in options_of(text_of(question.views[0].text))]
    letter = re.fullmatch(r"\(?([A-Z])[).]?", answer.strip())
    if letters and letter and letter[1] not in letters:
        what = f"the answer is {letter[1]}, and the options are {', '.join(letters)}"
        yield Problem(f"{question.place} answer", what, "fix the answer, or the options")


def _lost(question: Question, view: View, policy: KeyPolicy) -> Iterator[Problem]:
    """Some answer of the view must be pulled back to the gold answer."""
    pulled = {canonical(own, policy): canonical(answer, policy) for own, answer in (view.answer_map or {}).items()}
    gold = gold_set(question.gold, policy)
    if pulled and not gold & set(pulled.values()) and gold <= pulled.keys():
        what = f"no answer of this view is pulled back to the gold answer {question.answer!r:.40}"
        yield Problem(f"{question.place}, {view.name} answer_map", what, "map one of its answers to it")
