"""A set of questions in a few counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from alft.answers import DEFAULT, KeyPolicy, kind
from alft.questions import Question
from alft.questions.model import normalised


@dataclass(frozen=True)
class Summary:
    """Counts: `questions`; of questions by their number of `views`, kind of answer and `groups`; `duplicates`.

    A duplicate is a question with a text that an earlier one has, letter case apart; `answers` counts those
    without an answer under "none", and `groups` is empty where no question has one.
    """

    questions: int = 0
    views: dict[int, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0


def summary_of(questions: Sequence[Question], policy: KeyPolicy = DEFAULT) -> Summary:
    """The counts of a set of questions.

    >>> from alft.questions import View
    >>> summary_of([Question("a", (View("1+1?", "view 1"),), "2")])
    Summary(questions=1, views={1: 1}, answers={'number': 1}, groups={}, duplicates=0)
    """
    grouped = any(question.group is not None for question in questions)
    return Summary(
        len(questions),
        dict(sorted(Counter(len(question.views) for question in questions).items())),
        dict(Counter(kind(question.answer, policy) or "none" for question in questions).most_common()),
        dict(Counter(question.group or "none" for question in questions).most_common()) if grouped else {},
        _duplicates(questions),
    )


def _duplicates(questions: Sequence[Question]) -> int:
    seen: set[str] = set()
    count = 0
    for question in questions:
        texts = {normalised(view.text).casefold() for view in question.views}
        count += bool(texts & seen)
        seen |= texts
    return count
