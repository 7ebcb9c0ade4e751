"""More views of a question, made by program, and the check that a view asks the same question.

Views vary the template, the place of the instruction, the order of sentences or options, and how numbers are
written. A maker takes the text of a question and returns the text of a view; None, or the same text, changes
nothing. Views with permuted options have an answer map.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Final

from alft.errors import ConfigError, Problem
from alft.questions import options
from alft.questions.checks import differences, in_words
from alft.questions.model import Question, View, normalised, text_of, with_text
from alft.questions.options import text_keys

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")
_BIG_NUMBER = re.compile(r"(?<![\w.,/-])(?!0)\d{5,}(?![\w,/-]|\.\d)")
_SEPARATED = re.compile(r"(?<![\w.,/(\[-])\d{1,3}(?:,\d{3})+(?![\w,/-]|\.\d)")


def with_views(question: Question, texts: Iterable[tuple[str, str | None]]) -> Question:
    """The question with more views, each (name, text); texts that are None or already a view are ignored.

    >>> asked = Question("a", (View("How many?", "view 1"),))
    >>> [v.name for v in with_views(asked, [("polite", "Please: how many?"), ("same", "How  many?")]).views]
    ['view 1', 'polite']
    """
    first = question.views[0].text
    return _added(question, [View(with_text(first, text), name) for name, text in texts if text is not None])


def templated(question: Question, templates: Mapping[str, str]) -> Question:
    """The question in each template (name → text that contains `{question}` once).

    Raises ConfigError with every template that doesn't.

    >>> asked = Question("a", (View("How many?", "view 1"),))
    >>> templated(asked, {"Q and A": "Q: {question} A:"}).views[1].text
    'Q: How many? A:'
    """
    wrong = [name for name, template in templates.items() if template.count("{question}") != 1]
    if wrong:
        what = "the template does not contain {question} exactly once"
        raise ConfigError([Problem(f"template '{name}'", what, "like 'Q: {question}'") for name in wrong])
    text = text_of(question.views[0].text)
    return with_views(question, [(name, t.replace("{question}", text)) for name, t in templates.items()])


def instructed(question: Question, instruction: str) -> Question:
    """The question with two more views: an instruction before it, and after it."""
    text = text_of(question.views[0].text)
    before, after = f"{instruction}\n\n{text}", f"{text}\n\n{instruction}"
    return with_views(question, [("instruction first", before), ("instruction last", after)])


def programmed(question: Question, names: Sequence[str]) -> Question:
    """The question with a view by each named maker of `MAKERS` that changes its text.

    >>> asked = Question("a", (View("Ann has 12000 pens. She sells 2. How many are left?", "view 1"),))
    >>> [view.text for view in programmed(asked, ["question first", "separators"]).views[1:]]
    ['How many are left? Ann has 12000 pens. She sells 2.', 'Ann has 12,000 pens. She sells 2. How many are left?']
    """
    known = f"known: {', '.join(MAKERS)}"
    if unknown := [Problem("views", f"no maker '{name}'", known) for name in names if name not in MAKERS]:
        raise ConfigError(unknown)
    text = text_of(question.views[0].text)
    return with_views(question, [(name, MAKERS[name](text)) for name in names])


def permuted(question: Question, count: int, seed: int = 0) -> Question:
    r"""The question with `count` more views whose options have other orders, each with its answer map.

    Orders are a function of (seed, question id); the first are rotations, so that no option keeps its letter.
    A question without options, or whose options refer to each other, is returned as it is.

    >>> asked = Question("a", (View("Which?\nA. one\nB. two", "view 1"),), "A")
    >>> view = permuted(asked, 1).views[1]
    >>> view.name, view.text, view.answer_map
    ('options BA', 'Which?\nA. two\nB. one', {'A': 'B', 'B': 'A'})
    """
    first, *_ = question.views
    own_map = first.answer_map or {}
    views: list[View] = []
    for letters, shown, pull_back in options.reorderings(text_of(first.text), count, f"{seed}:{question.id}"):
        answer_map = {letter: own_map.get(own, own) for letter, own in pull_back.items()}
        views.append(View(with_text(first.text, shown), f"options {letters}", answer_map))
    return _added(question, views)


def suspects(questions: Iterable[Question]) -> list[Problem]:
    """Views whose numbers differ from those of the question: they may ask something else.

    >>> asked = Question("a", (View("2 pens at 3 dollars?", "view 1"), View("2 pens at 5 dollars?", "view 2")))
    >>> str(suspects([asked])[0])
    "question 'a', view 2: numbers differ from view 1: 5 instead of 3 — fix the view, or leave it out"
    """
    found: list[Problem] = []
    for question in questions:
        first = question.views[0]
        for view in question.views[1:]:
            added, lost = differences(text_of(first.text), text_of(view.text))
            if added or lost:
                what = f"{', '.join(added) or 'nothing'} instead of {', '.join(lost) or 'nothing'}"
                what, remedy = f"numbers differ from {first.name}: {what}", "fix the view, or leave it out"
                found.append(Problem(f"{question.place}, {view.name}", what, remedy))
    return found


def _added(question: Question, views: Iterable[View]) -> Question:
    """The question with the views that it does not have yet; ConfigError if a name is taken.

    A new view gets the map of the first one, unless it lists the same options: then their texts give the map.
    """
    kept = list(question.views)
    seen = {normalised(view.text) for view in kept}
    for view in views:
        if normalised(view.text) in seen:
            continue
        if view.name in {other.name for other in kept}:
            where = f"question '{question.id}'"
            raise ConfigError(Problem(where, f"two views are named '{view.name}'", "give one another name"))
        seen.add(normalised(view.text))
        kept.append(view)
    made = replace(question, views=tuple(kept)).views
    known, *shown = (set(text_keys(options.shown_options(text_of(view.text))).values()) for view in made)
    for place, view in list(enumerate(made))[len(question.views) :]:
        inherits = view.answer_map is None and known.isdisjoint(shown[place - 1])
        kept[place] = replace(view, answer_map=made[0].answer_map) if inherits else view
    return replace(question, views=tuple(kept))


def _question_first(text: str) -> str | None:
    """The last sentence first, if it is the only question and no options follow it."""
    sentences = _SENTENCE.split(text.strip())
    asks = [sentence.endswith("?") for sentence in sentences]
    if len(sentences) < 2 or "\n" in text.strip() or asks != [*[False] * (len(sentences) - 1), True]:
        return None
    return " ".join([sentences[-1], *sentences[:-1]])


MAKERS: Final[dict[str, Callable[[str], str | None]]] = {
    "question first": _question_first,
    "separators": lambda text: _BIG_NUMBER.sub(lambda match: f"{int(match[0]):,}", text),
    "no separators": lambda text: _SEPARATED.sub(lambda match: match[0].replace(",", ""), text),
    "number words": in_words,
    "question and answer": lambda text: f"Q: {text}\nA:",
    "lower case": lambda text: text if options.options_of(text) else text.lower(),
}


PERMUTED = "permuted options"
_INSTRUCTION = re.compile(r"instruction: (.*\S.*)", re.DOTALL)
_PERMUTED = re.compile(rf"(?:(\d{{1,2}}) )?{PERMUTED}")


def made_views(questions: Iterable[Question], items: Sequence[str], seed: int = 0) -> list[Question]:
    r"""The questions; one that has a single view gets a view by each item that changes its text.

    An item is as in `data.views` and `--make`: the name of a maker (`MAKERS`), a template that contains
    `{question}`, `instruction: …` (before the question, and after it), or `permuted options`, with a number before
    it or not. Raises ConfigError with every item that is unknown.

    >>> from alft.questions import View
    >>> asked = Question("a", (View("Which?\nA. one\nB. two", "view 1"),), "A")
    >>> [view.name for view in made_views([asked], ["permuted options", "Q: {question}"])[0].views]
    ['view 1', 'options BA', 'template 1']
    """
    listed = list(questions)
    made = iter(more_views([question for question in listed if len(question.views) == 1], items, seed))
    return [next(made) if len(question.views) == 1 else question for question in listed]


def more_views(questions: Iterable[Question], items: Sequence[str], seed: int = 0) -> list[Question]:
    """The questions, each with one more view by each item that changes its text. Raises as `made_views`."""
    if problems := item_problems(items):
        raise ConfigError(problems)
    written = [item for item in items if "{question}" in item and item not in MAKERS]
    templates = {f"template {number}": item for number, item in enumerate(written, start=1)}
    makers = [item for item in items if item in MAKERS]
    orders = sum(int(match[1] or 1) for item in items if (match := _PERMUTED.fullmatch(item)))
    made: list[Question] = []
    for question in questions:
        question = programmed(question, makers)
        question = permuted(question, orders, seed) if orders else question
        for match in filter(None, map(_INSTRUCTION.fullmatch, items)):
            question = instructed(question, match[1])
        made.append(templated(question, templates))
    return made


def item_problems(items: Sequence[str], where: str = "data.views") -> list[Problem]:
    """The unknown items of a list; `where` is its place in messages."""
    problems: list[Problem] = []
    for item in items:
        if item in MAKERS or "{question}" in item or _PERMUTED.fullmatch(item) or _INSTRUCTION.fullmatch(item):
            continue
        close = get_close_matches(item, [*MAKERS, PERMUTED], n=1)
        known = f"known: {', '.join(MAKERS)}, N {PERMUTED}, instruction: …, or a template with {{question}}"
        remedy = f"did you mean {close[0]!r}?" if close else known
        problems.append(Problem(where, f"unknown kind of view {item!r}", remedy))
    return problems
