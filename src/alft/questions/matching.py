"""Options that views list under other letters: the same text is the same answer (theory.md 1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from alft.answers import canonical
from alft.questions.options import speaks_of_others

Options = Sequence[tuple[str, str]]
"""(letter, text) of each option that a view lists; empty where it lists none."""
AnswerMap = Mapping[str, str] | None
Fault = tuple[str, str]
"""What is wrong with the options of a view, and the remedy."""


def answer_maps(
    listed: Sequence[Options], given: Sequence[AnswerMap], gold: Sequence[str] = ()
) -> tuple[list[AnswerMap], dict[int, Fault]]:
    """The answer map of each view, and by its place what is wrong with one.

    An option is known by its text: it is its letter, pulled back, in the first view that lists it. A map that is
    given counts as it stands, but must keep options apart. Where none is given and a known option has another
    letter, the texts give the map, and must tell of every option. Where gold is no letter, letters are no answers,
    and what texts can't tell is left as it is.

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
    """What each letter of a view's options is in the question's own space.

    >>> own_letters([("A", "one"), ("B", "two"), ("C", "three")], {"(A)": "C", "C": "A"})
    {'A': 'C', 'B': 'B', 'C': 'A'}
    """
    pulled = _by_key(answer_map)
    return {letter: pulled.get(letter, letter) for letter, _ in options}


def text_keys(options: Options) -> dict[str, str]:
    """The key of each letter's text, of those that no other option of the view has."""
    keys = {letter: canonical(text) for letter, text in options}
    count = Counter(keys.values())
    return {letter: key for letter, key in keys.items() if key is not None and count[key] == 1}


def _by_texts(
    options: Options, keys: Mapping[str, str], known: Mapping[str, str], gold: Sequence[str]
) -> tuple[AnswerMap, Fault | None]:
    """The map that texts give, None where no letter is another's elsewhere; or what keeps them from telling."""
    found = {letter: known[key] for letter, key in keys.items() if key in known}
    moved = [letter for letter, own in found.items() if own != letter]
    if not moved:
        return None, None
    why = _untold(options, found)
    if why is None:
        return found, None
    if gold and {canonical(one) for one in gold}.isdisjoint([*dict(options), *known.values()]):
        return None, None
    what = f"option {moved[0]}, {dict(options)[moved[0]]!r:.40}, is {found[moved[0]]} in another view, and {why}"
    return None, (what, 'give the view an answer_map, from its letters to those of the question: {"A": "B", …}')


def _untold(options: Options, found: Mapping[str, str]) -> str | None:
    """Why the texts of options don't tell what each is elsewhere, if they don't."""
    for letter, text in options:
        if letter not in found:
            return f"{text!r:.40} can't be told by its text"
        if speaks_of_others(text):
            return f"{text!r:.40} speaks of other options"
    return "two of its options are one elsewhere" if len(set(found.values())) < len(found) else None


def _merged(options: Options, keys: Mapping[str, str], answer_map: AnswerMap) -> Fault | None:
    """Two options of a view that its map takes for the same answer."""
    pulled = _by_key(answer_map)
    for names in ([letter for letter, _ in options], list(keys.values())):
        first: dict[str | None, str] = {}
        for name in names:
            own = canonical(pulled.get(name, name))
            if first.setdefault(own, name) != name:
                what = f"{first[own]!r:.40} and {name!r:.40}, two options, are both pulled back to {own!r:.40}"
                return what, 'map each to an answer of its own; what is not named stays: {"A": "B", "B": "A"}'
    return None


def _by_key(answer_map: AnswerMap) -> dict[str | None, str]:
    return {canonical(answer): own for answer, own in (answer_map or {}).items()}
