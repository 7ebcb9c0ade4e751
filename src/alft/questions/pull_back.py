"""What the answers of a view mean in the question's own space, options included (theory.md 1)."""

from __future__ import annotations

from alft.answers import canonical, kind
from alft.questions.matching import own_letters, text_keys
from alft.questions.model import Question, View, text_of
from alft.questions.options import options_of


def pull_back(question: Question, view: View) -> dict[str, str] | None:
    r"""The view's `answer_map`, with letter and text of each option that it lists; None without either.

    A model may answer `B`, `B. Paris` or `Paris`: all are the option's letter in the question itself. Options are
    left alone where the gold answer is no letter of theirs, and texts that two options share say nothing.

    >>> asked = Question("a", (View("Where?\nA. Rome\nB. Paris", "view 1"),), "B")
    >>> pull_back(asked, asked.views[0])
    {'A': 'A', 'B': 'B', 'Rome': 'A', 'Paris': 'B'}
    """
    given = dict(view.answer_map or {})
    listed = options_of(text_of(view.text))
    letters = own_letters(listed, given)
    of_letters = {canonical(answer) for answer in given} <= letters.keys()
    if not letters or not of_letters or not _answered_by(question, set(letters.values())):
        return given or None
    telling = text_keys(listed)
    texts = {text: letters[letter] for letter, text in listed if letter in telling and kind(text) != "option"}
    return letters | texts


def _answered_by(question: Question, letters: set[str]) -> bool:
    """Whether the gold answer, if there is one, is an option's letter."""
    return question.answer is None or not letters.isdisjoint(map(canonical, question.gold))
