"""Lettered options of a multiple-choice question: write, find, reorder, and match them by their text.

Options with the same text are the same answer (theory.md 1).
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase

from alft.answers import canonical

_OPTION_LINE = re.compile(r"^[ \t]*\(?([A-Z])[.):][ \t]+(\S.*)$", re.MULTILINE)
_MARK = re.compile(r"(?:^|(?<=\s))\(?([A-Z])[.):]\s")
_OPTION_END = re.compile(r"[.?!;](?:\s|$)|\n")
_SPEAKS_OF_OTHERS = re.compile(
    r"\b(?i:above|below|both|neither|all of|none of)\b|\b[A-Z]\b.*(?:\b(?:and|or)\b|&).*\b[A-Z]\b"
)


def lettered(question: str, options: Sequence[str]) -> str:
    r"""A question with its options on separate lines, `A.` to `Z.`.

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
    """(letter, option) of the last run of options within lines; each ends at the next one, or with its sentence.

    Initials look the same: use it to find the order of known options, not to decide whether a text has options.

    >>> options_within("Is it A. one, or B. two? Say A or B.")
    [('A', 'one'), ('B', 'two')]
    """
    _, *pieces = _MARK.split(text)
    texts = [_OPTION_END.split(piece.strip(), maxsplit=1)[0] for piece in pieces[1::2]]
    options = [option.removesuffix(" or").rstrip(" ,") for option in texts]
    return _last_run(list(zip(pieces[::2], options, strict=True)))


def shown_options(text: str) -> list[tuple[str, str]]:
    """The options of a text, on separate lines or within a line."""
    return options_of(text) or options_within(text)


def _last_run(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The options from the last A on, if their letters are in order and there are at least two."""
    start = max((place for place, (letter, _) in enumerate(found) if letter == "A"), default=None)
    options = [] if start is None else found[start:]
    letters = [letter for letter, _ in options]
    in_order = letters == [chr(ord("A") + place) for place in range(len(letters))]
    return options if in_order and len(options) > 1 else []


def speaks_of_others(option: str) -> bool:
    """Whether an option changes its meaning when the others are reordered.

    >>> speaks_of_others("All of the above"), speaks_of_others("A and C"), speaks_of_others("Paris")
    (True, True, False)
    """
    return _SPEAKS_OF_OTHERS.search(option) is not None


def split(text: str) -> tuple[str, str]:
    r"""The text before the options, and the rest from the first option on.

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

    Yields nothing without options, or if one refers to the others ("all of the above").
    """
    options = options_of(text)
    if options and not any(speaks_of_others(option) for _, option in options):
        for order in _orders(len(options), count, seed):
            yield _reordered(text, order)


def _reordered(text: str, order: Sequence[int]) -> tuple[str, str, dict[str, str]]:
    """The options in another order: letter k shows the option `order[k]`."""
    matches = list(_OPTION_LINE.finditer(text))[-len(order) :]
    pieces, end = [], 0
    for place, match in enumerate(matches):
        pieces += [text[end : match.start(2)], matches[order[place]][2]]
        end = match.end(2)
    letters = [match[1] for match in matches]
    pull_back = {letters[place]: letters[own] for place, own in enumerate(order)}
    return "".join(letters[own] for own in order), "".join(pieces) + text[end:], pull_back


def _orders(size: int, count: int, seed: str) -> list[tuple[int, ...]]:
    """Up to `count` different orders of `size` options without the given one: rotations first, shuffled."""
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


Options = Sequence[tuple[str, str]]
"""(letter, text) of each option of a view; empty if it has none."""
AnswerMap = Mapping[str, str] | None
Fault = tuple[str, str]
"""What is wrong with the options of a view, and the remedy."""


def answer_maps(
    listed: Sequence[Options], given: Sequence[AnswerMap], gold: Sequence[str] = ()
) -> tuple[list[AnswerMap], dict[int, Fault]]:
    """The answer map of each view, and errors by the position of the view.

    The text of an option identifies it: its answer is its letter, mapped, in the first view that lists it. A given
    map is used as it is, but must not merge options. Without one, if a known option has another letter, the texts
    give the map, and must identify every option. If gold is not a letter, letters are not answers: a view whose
    texts don't identify its options is left as it is.

    >>> ab, ba = [("A", "one"), ("B", "two")], [("A", "two"), ("B", "one")]
    >>> answer_maps([ab, ba], [None, None])
    ([None, {'A': 'B', 'B': 'A'}], {})
    """
    known: dict[str, str] = {}
    maps, faults = list(given), {}
    for place, options in enumerate(listed):
        keys = text_keys(options)
        if given[place] is None:
            maps[place], fault = _by_texts(options, keys, known, gold)
        else:
            fault = _merged(options, keys, given[place])
        if fault is not None:
            faults[place] = fault
        own = own_letters(options, maps[place])
        for letter, key in keys.items():
            known.setdefault(key, canonical(own[letter]) or letter)
    return maps, faults


def own_letters(options: Options, answer_map: AnswerMap) -> dict[str, str]:
    """The question's own answer for each letter of a view's options.

    >>> own_letters([("A", "one"), ("B", "two"), ("C", "three")], {"(A)": "C", "C": "A"})
    {'A': 'C', 'B': 'B', 'C': 'A'}
    """
    pulled = _by_key(answer_map)
    return {letter: pulled.get(letter, letter) for letter, _ in options}


def text_keys(options: Options) -> dict[str, str]:
    """The key of each letter's text, without keys that two options share."""
    keys = {letter: canonical(text) for letter, text in options}
    count = Counter(keys.values())
    return {letter: key for letter, key in keys.items() if key is not None and count[key] == 1}


def _by_texts(
    options: Options, keys: Mapping[str, str], known: Mapping[str, str], gold: Sequence[str]
) -> tuple[AnswerMap, Fault | None]:
    """The map that the texts give, None where all letters agree; or why they don't give one."""
    found = {letter: known[key] for letter, key in keys.items() if key in known}
    moved = [letter for letter, own in found.items() if own != letter]
    if not moved:
        return None, None
    why = _untold(options, found)
    if why is None:
        return found, None
    if gold and {canonical(one) for one in gold}.isdisjoint([*dict(options), *known.values()]):
        return None, None
    what = f"option {moved[0]}, {dict(options)[moved[0]]!r:.40}, is {found[moved[0]]} in another view, but {why}"
    return None, (what, 'give the view an answer_map from its letters to those of the question: {"A": "B", …}')


def _untold(options: Options, found: Mapping[str, str]) -> str | None:
    """Why the texts don't identify each option in the other views; None if they do."""
    for letter, text in options:
        if letter not in found:
            return f"{text!r:.40} can't be matched by its text"
        if speaks_of_others(text):
            return f"{text!r:.40} refers to other options"
    return "two of its options are the same in another view" if len(set(found.values())) < len(found) else None


def _merged(options: Options, keys: Mapping[str, str], answer_map: AnswerMap) -> Fault | None:
    """Two options of a view that its map merges."""
    pulled = _by_key(answer_map)
    for names in ([letter for letter, _ in options], list(keys.values())):
        first: dict[str | None, str] = {}
        for name in names:
            own = canonical(pulled.get(name, name))
            if first.setdefault(own, name) != name:
                what = f"{first[own]!r:.40} and {name!r:.40}, two options, both map to {own!r:.40}"
                return what, 'map each to a different answer, like {"A": "B", "B": "A"}; others stay as they are'
    return None


def _by_key(answer_map: AnswerMap) -> dict[str | None, str]:
    return {canonical(answer): own for answer, own in (answer_map or {}).items()}
