"""A question and its views: the same question asked in several ways, with answers in one common space."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Message = dict[str, str]  # {"role": "user", "content": "…"}
Prompt = str | tuple[Message, ...]


class DataWarning(UserWarning):
    """Something in a file of questions was mended on reading, and the user should know."""


@dataclass(frozen=True)
class View:
    """One way of asking: a prompt (text or chat messages) under a name.

    `answer_map` pulls answers of this view back to the question's own space; None where they are the same.
    """

    text: Prompt
    name: str
    answer_map: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Question:
    """One question: its `views` (the first is the question as given), and what is known about it.

    `answer` is the gold answer as text, None where there is none, and `aliases` other texts that are as right;
    `group` is its group in games of parity; `where` (file:line) is where it was read, for messages only.

    >>> Question("a", (View("Where is it?", "view 1"),), "New York City", aliases=("NYC",)).gold
    ('New York City', 'NYC')
    """

    id: str
    views: tuple[View, ...]
    answer: str | None = None
    group: str | None = None
    aliases: tuple[str, ...] = ()
    where: str = field(default="", compare=False, repr=False)

    @property
    def place(self) -> str:
        """How messages call the question."""
        return f"{self.where} question '{self.id}'".strip()

    @property
    def gold(self) -> tuple[str, ...]:
        """The answer and its aliases; empty where there is no answer."""
        return () if self.answer is None else (self.answer, *self.aliases)


def normalised(prompt: Prompt) -> str:
    r"""Text of a prompt for telling doubles: NFKC and single spaces; letter case and punctuation count.

    >>> normalised("How  many?\n") == normalised("How many?")
    True
    """
    if not isinstance(prompt, str):
        return "\n".join(f"{message['role']}: {normalised(message['content'])}" for message in prompt)
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", prompt)).strip()


def overlap(first: Iterable[Question], second: Iterable[Question]) -> list[tuple[str, str]]:
    """Pairs (id in first, id in second) of questions that share a view's text, whatever its letter case.

    >>> ask = lambda id, text: Question(id, (View(text, "view 1"),))
    >>> overlap([ask("a", "How many?"), ask("b", "Why?")], [ask("c", "how  many?")])
    [('a', 'c')]
    """
    seen: dict[str, str] = {}
    for question in first:
        for view in question.views:
            seen.setdefault(normalised(view.text).casefold(), question.id)
    pairs: dict[tuple[str, str], None] = {}
    for question in second:
        for view in question.views:
            if (match := seen.get(normalised(view.text).casefold())) is not None:
                pairs[match, question.id] = None
    return list(pairs)


def digest(questions: Sequence[Question], *, answers: bool = True) -> str:
    """SHA-256 of the questions in their order; with `answers=False`, of what a label-free run can see.

    >>> q = Question("a", (View("1+1?", "view 1"),), answer="2")
    >>> unlabelled = [Question("a", q.views)]
    >>> digest([q]) == digest(unlabelled), digest([q], answers=False) == digest(unlabelled)
    (False, True)
    """
    content = hashlib.sha256()
    for question in questions:
        row = [
            question.id,
            [[view.name, view.text, dict(view.answer_map or {})] for view in question.views],
            list(question.gold) if answers else [],
            question.group,
        ]
        content.update(json.dumps(row, sort_keys=True).encode("ascii") + b"\n")
    return content.hexdigest()
