"""Views made by program, as a configuration or a command line lists them.

An item is the name of a maker (`MAKERS`), a template with `{question}` in it, `instruction: …` (before the
question, and behind it), or `permuted options`, which may have a number before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from alft.errors import ConfigError, Problem
from alft.questions.model import Question
from alft.questions.views import MAKERS, instructed, permuted, programmed, templated

PERMUTED = "permuted options"
_INSTRUCTION = re.compile(r"instruction: (.*\S.*)", re.DOTALL)
_PERMUTED = re.compile(rf"(?:(\d{{1,2}}) )?{PERMUTED}")


def made_views(questions: Iterable[Question], items: Sequence[str], seed: int = 0) -> list[Question]:
    r"""The questions, each that has one view only with a view by each item that has something to change.

    Raises ConfigError naming every item that is not known.

    >>> from alft.questions import View
    >>> asked = Question("a", (View("Which?\nA. one\nB. two", "view 1"),), "A")
    >>> [view.name for view in made_views([asked], ["permuted options", "Q: {question}"])[0].views]
    ['view 1', 'options BA', 'template 1']
    """
    if problems := item_problems(items):
        raise ConfigError(problems)
    return [_made(question, items, seed) if len(question.views) == 1 else question for question in questions]


def more_views(questions: Iterable[Question], items: Sequence[str], seed: int = 0) -> list[Question]:
    """The questions, each with a view more by each item that has something to change. Raises as `made_views`."""
    if problems := item_problems(items):
        raise ConfigError(problems)
    return [_made(question, items, seed) for question in questions]


def item_problems(items: Sequence[str], where: str = "data.views") -> list[Problem]:
    """What is wrong with a list of items, that stands in `where`."""
    unknown = [item for item in items if not (item in MAKERS or "{question}" in item or _told(item))]
    return [Problem(where, f"no maker of views is called {item!r}", _remedy(item)) for item in unknown]


def _told(item: str) -> bool:
    return any(pattern.fullmatch(item) for pattern in (_PERMUTED, _INSTRUCTION))


def _remedy(item: str) -> str:
    close = get_close_matches(item, [*MAKERS, PERMUTED], n=1)
    known = f"known: {', '.join(MAKERS)}, N {PERMUTED}, instruction: …, or a template with {{question}}"
    return f"did you mean {close[0]!r}?" if close else known


def _made(question: Question, items: Sequence[str], seed: int) -> Question:
    templates = {f"template {number}": item for number, item in enumerate(_templates(items), start=1)}
    makers = [item for item in items if item in MAKERS]
    orders = sum(int(match[1] or 1) for item in items if (match := _PERMUTED.fullmatch(item)))
    question = permuted(programmed(question, makers), orders, seed) if orders else programmed(question, makers)
    for match in filter(None, map(_INSTRUCTION.fullmatch, items)):
        question = instructed(question, match[1])
    return templated(question, templates)


def _templates(items: Sequence[str]) -> list[str]:
    return [item for item in items if "{question}" in item and item not in MAKERS]
