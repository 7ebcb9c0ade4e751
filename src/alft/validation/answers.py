"""Gold answers: one that a completion gives back word for word must be graded as right, in every view."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from alft.answers import USUAL, AnswerPolicy, KeyPolicy, canonical, gold_set, read
from alft.errors import Problem
from alft.questions import Question, View
from alft.questions.model import normalised, text_of
from alft.questions.options import options_of


def gold_problems(questions: Iterable[Question], policy: AnswerPolicy = USUAL) -> Iterator[Problem]:
    """Gold answers and aliases that are not right when a completion says them, and maps that lose them."""
    for question in questions:
        for gold in question.gold:
            yield from _unread(question, gold, policy)
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
                what = f"the same text as question '{first.id}', with another answer ({first.answer!r:.40})"
                yield Problem(question.place, what, "mend the answer, or leave one out")


def _unread(question: Question, gold: str, policy: AnswerPolicy) -> Iterator[Problem]:
    found = read(f"\\boxed{{{gold}}}", replace(policy.reading, pattern=None))
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
        yield Problem(f"{question.place} answer", what, "mend the answer, or the options")


def _lost(question: Question, view: View, policy: KeyPolicy) -> Iterator[Problem]:
    """Some answer of the view must be pulled back to the gold answer."""
    pulled = {canonical(own, policy): canonical(answer, policy) for own, answer in (view.answer_map or {}).items()}
    gold = gold_set(question.gold, policy)
    if pulled and not gold & set(pulled.values()) and gold <= pulled.keys():
        what = f"no answer of this view is pulled back to the gold answer {question.answer!r:.40}"
        yield Problem(f"{question.place}, {view.name} answer_map", what, "map one of its answers to it")
