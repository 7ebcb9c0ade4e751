"""Lettered options of a multiple-choice question: written, found in a text, and put in other orders."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from string import ascii_uppercase

_OPTION_LINE = re.compile(r"^[ \t]*\(?([A-Z])[.):][ \t]+(\S.*)$", re.MULTILINE)
_MARK = re.compile(r"(?:^|(?<=\s))\(?([A-Z])[.):]\s")
_OPTION_END = re.compile(r"[.?!;](?:\s|$)|\n")
_SPEAKS_OF_OTHERS = re.compile(
    r"\b(?i:above|below|both|neither|all of|none of)\b|\b[A-Z]\b.*(?:\b(?:and|or)\b|&).*\b[A-Z]\b"
)


def lettered(question: str, options: Sequence[str]) -> str:
    r"""A question with its options on lines of their own, `A.` to `Z.`.

    >>> lettered("Which?", ["one", "two"])
    'Which?\n\nA. one\nB. two'
    """
    lines = [f"{letter}. {option}" for letter, option in zip(ascii_uppercase, options, strict=False)]
    return f"{question}\n\n" + "\n".join(lines)


def options_of(text: str) -> list[tuple[str, str]]:
    r"""(letter, option) of the last run of option lines `A. …`, `B. …` in a text; empty if there is none.

    >>> options_of("Which?\nA. one\nB. two")
    [('A', 'one'), ('B', 'two')]
    """
    return _last_run([(match[1], match[2].strip()) for match in _OPTION_LINE.finditer(text)])


def options_within(text: str) -> list[tuple[str, str]]:
    """(letter, option) of the last run of options within lines: each ends where the next, or a sentence, does.

    Initials look the same: it tells which options stand in another order, not that a text has options.

    >>> options_within("Is it A. one, or B. two? Say A or B.")
    [('A', 'one'), ('B', 'two')]
    """
    _, *pieces = _MARK.split(text)
    told = [_OPTION_END.split(piece.strip(), maxsplit=1)[0] for piece in pieces[1::2]]
    options = [option.removesuffix(" or").rstrip(" ,") for option in told]
    return _last_run(list(zip(pieces[::2], options, strict=True)))


def shown_options(text: str) -> list[tuple[str, str]]:
    """The options of a text, on lines of their own or within a line."""
    return options_of(text) or options_within(text)


def _last_run(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What stands from the last A on, if that is several letters in their order."""
    start = max((place for place, (letter, _) in enumerate(found) if letter == "A"), default=None)
    options = [] if start is None else found[start:]
    letters = [letter for letter, _ in options]
    in_order = letters == [chr(ord("A") + place) for place in range(len(letters))]
    return options if in_order and len(options) > 1 else []


def speaks_of_others(option: str) -> bool:
    """Whether an option means something else where the others stand in another order.

    >>> speaks_of_others("All of the above"), speaks_of_others("A and C"), speaks_of_others("Paris")
    (True, True, False)
    """
    return _SPEAKS_OF_OTHERS.search(option) is not None


def split(text: str) -> tuple[str, str]:
    r"""What stands before the options of a text, and the rest from their first line on.

    >>> split("Which?\nA. one\nB. two\nSay the letter."), split("How many?")
    (('Which?', '\nA. one\nB. two\nSay the letter.'), ('How many?', ''))
    """
    listed = options_of(text)
    if not listed:
        return text, ""
    start = list(_OPTION_LINE.finditer(text))[-len(listed)].start()
    stem = text[:start].rstrip()
    return stem, text[len(stem) :]


def reorderings(text: str, count: int, seed: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Up to `count` other orders of a text's options: (letters in their order, text, map shown → own letter).

    None where there are no options, or where one speaks of the others ("all of the above").
    """
    options = options_of(text)
    if options and not any(speaks_of_others(option) for _, option in options):
        for order in _orders(len(options), count, seed):
            yield _reordered(text, order)


def _reordered(text: str, order: Sequence[int]) -> tuple[str, str, dict[str, str]]:
    """The options in another order: at the letter k stands the option `order[k]`."""
    matches = list(_OPTION_LINE.finditer(text))[-len(order) :]
    pieces, end = [], 0
    for place, match in enumerate(matches):
        pieces += [text[end : match.start(2)], matches[order[place]][2]]
        end = match.end(2)
    letters = [match[1] for match in matches]
    pull_back = {letters[place]: letters[own] for place, own in enumerate(order)}
    return "".join(letters[own] for own in order), "".join(pieces) + text[end:], pull_back


def _orders(size: int, count: int, seed: str) -> list[tuple[int, ...]]:
    """Up to `count` different orders of `size` options, none the given one: rotations first, shuffled."""
    rng = random.Random(seed)
    rotations = [tuple((k + turn) % size for k in range(size)) for turn in range(1, size)]
    rng.shuffle(rotations)
    orders = dict.fromkeys(rotations)
    given = tuple(range(size))
    for _ in range(20 * count):
        if len(orders) >= count:
            break
        order = tuple(rng.sample(given, size))
        if order != given:
            orders[order] = None
    return list(orders)[:count]
