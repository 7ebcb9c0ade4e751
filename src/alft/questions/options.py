"""Lettered options of a question: read from columns, write, find, reorder, and match them by their text.

Options with the same text are the same answer (theory.md 1).
"""

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from alft.answers import canonical
from alft.questions.fields import Number, asked_in, column, is_text, parallel, plain_text

_OWN_LETTER = re.compile(r"\(?([A-Z])[).:]\s*")  # AQuA
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
    start = max((place for place, (letter, _) in enumerate(found) if letter == "A"), default=len(found))
    options = found[start:]
    in_order = "".join(letter for letter, _ in options) == ascii_uppercase[: len(options)]
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
    if not options or any(speaks_of_others(option) for _, option in options):
        return
    matches = list(_OPTION_LINE.finditer(text))[-len(options) :]
    letters = [match[1] for match in matches]
    for order in _orders(len(options), count, seed):
        pieces, end = [], 0
        for own, match in zip(order, matches, strict=True):  # letter k shows the option order[k]
            pieces += [text[end : match.start(2)], matches[own][2]]
            end = match.end(2)
        own_letters = [letters[own] for own in order]
        pull_back = dict(zip(letters, own_letters, strict=True))
        yield "".join(own_letters), "".join(pieces) + text[end:], pull_back


def _orders(size: int, count: int, seed: str) -> list[tuple[int, ...]]:
    """Up to `count` different orders of `size` options without the given one: rotations first, shuffled."""
    rng = random.Random(seed)
    rotations = [tuple((k + turn) % size for k in range(size)) for turn in range(1, size)]
    rng.shuffle(rotations)
    orders, given = dict.fromkeys(rotations), tuple(range(size))
    for _ in range(20 * count):
        if len(orders) >= count:
            break
        if (order := tuple(rng.sample(given, size))) != given:
            orders[order] = None
    return list(orders)[:count]


Options = Sequence[tuple[str, str]]  # (letter, text) of each option of a view; empty if it has none
AnswerMap = Mapping[str, str] | None
Fault = tuple[str, str]  # what is wrong with the options of a view, and the remedy


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
    found, texts = {letter: known[key] for letter, key in keys.items() if key in known}, dict(options)
    moved = next((letter for letter, own in found.items() if own != letter), None)
    if moved is None:
        return None, None
    for letter, text in options:
        if letter not in found or speaks_of_others(text):
            what = "refers to other options" if letter in found else "can't be matched by its text"
            why = f"{text!r:.40} {what}"
            break
    else:
        if len(set(found.values())) == len(found):
            return found, None
        why = "two of its options are the same in another view"
    if gold and {canonical(one) for one in gold}.isdisjoint([*texts, *known.values()]):
        return None, None
    what = f"option {moved}, {texts[moved]!r:.40}, is {found[moved]} in another view, but {why}"
    return None, (what, 'give the view an answer_map from its letters to those of the question: {"A": "B", …}')


def _merged(options: Options, keys: Mapping[str, str], answer_map: AnswerMap) -> Fault | None:
    """Two options of a view that its map merges."""
    pulled = _by_key(answer_map)
    for names in (dict(options), keys.values()):
        first: dict[str | None, str] = {}
        for name in names:
            own = canonical(pulled.get(name, name))
            if first.setdefault(own, name) != name:
                what = f"{first[own]!r:.40} and {name!r:.40}, two options, both map to {own!r:.40}"
                return what, 'map each to a different answer, like {"A": "B", "B": "A"}; others stay as they are'
    return None


def _by_key(answer_map: AnswerMap) -> dict[str | None, str]:
    return {canonical(answer): own for answer, own in (answer_map or {}).items()}


Published = Mapping[str, object]


def multiple_choice(fields: Published, base: int | None = None) -> dict[str, object]:
    """question; choices, or a column for each; answer: a label, a number, or the text; or the right and the wrong.

    Choices are a list, a map of label → text, or a map of `text` and `label` with a list each (ARC). Numbers count
    from `base`; where it is unknown, those in a list from 0.
    """
    options, labels, right = _choices(fields := _flat(fields))
    if not 2 <= len(options) <= 26 or not all(map(is_text, options)):
        raise ValueError("the choices are not a list of 2 to 26 texts")
    if len({" ".join(option.split()) for option in options}) < len(options):
        raise ValueError("two choices are the same")
    if not isinstance(question := asked_in(fields), str):
        raise ValueError("the question is not a text")
    if right is None:
        place = _place(fields.get(column(fields, "gold") or ""), options, labels, base)
    else:  # published in the first place: a hash decides the order
        question = question.strip()
        options.sort(key=lambda option: hashlib.sha256(f"{question}\n{option}".encode()).digest())
        place = options.index(right)
    own = [_OWN_LETTER.match(option) for option in options]
    if "".join(match[1] if match else "-" for match in own) == ascii_uppercase[: len(options)]:
        options = [option[match.end() :] for option, match in zip(options, own, strict=True) if match]
    answer = None if place is None else ascii_uppercase[place]
    name = fields.get(column(fields, "id") or "")
    return {"id": name, "question": lettered(question, options), "answer": answer}


def _choices(fields: Published) -> tuple[list[Any], Sequence[str] | None, str | None]:
    """The options; their labels, or None: numbers count from 0; and the right one if it is named."""
    if (right := column(fields, "right")) and (wrong := parallel(fields, "wrong")):
        options = [str(option).strip() for option in (fields[right], *wrong.values())]
        return options, (), options[0]
    if (name := column(fields, "choices")) is None:
        if (listed := listed_choices(fields)) is not None:
            return listed, None, None
        if not (apart := parallel(fields, "parallel")):
            raise KeyError("choices")
        return list(map(str, apart.values())), [end for end in apart if not end.isdigit()], None
    given: Any = fields[name]
    if isinstance(given, list) and given and all(isinstance(item, Mapping) for item in given):
        given = {key: [item.get(key) for item in given] for key in ("text", "label")}
    if not isinstance(given, Mapping):
        return list(given) if isinstance(given, list) else [], None, None
    options = given.get("text", given.get("choices", list(given.values())))
    if not isinstance(options, list):
        return [], None, None
    marks, labels = given.get("labels"), given.get("label", list(given))
    if isinstance(marks, list) and sorted(marks) == ["0"] * (len(options) - 1) + ["1"]:  # TruthfulQA
        return list(options), (), options[marks.index("1")]
    return list(options), labels if isinstance(labels, list) and len(labels) == len(options) else (), None


def listed_choices(fields: Published) -> list[Any] | None:
    """The choices where `answers` lists them, and a number in another column says which is right (ReClor)."""
    listed, gold = fields.get("answers"), [fields.get(column(fields, "gold") or "")]
    gold += [value for name, value in fields.items() if re.search(r"correct|label|right", name, re.IGNORECASE)]
    numbered = any(isinstance(each, Number | int) and not isinstance(each, bool) for each in gold)
    return listed if numbered and isinstance(listed, list) and len(listed) > 1 else None


def _place(value: object, options: Sequence[str], labels: Sequence[str] | None, base: int | None) -> int | None:
    """Which of the options is the answer; None if there is no answer (a published test split)."""
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    text, named = plain_text(value), [name.strip() for name in labels or ascii_uppercase[: len(options)]]
    if text in ("", "-1"):
        return None
    number = isinstance(value, Number | float)
    base = 0 if base is None and labels is None and number else base
    texts = [] if number and base is not None else [option.strip() for option in options]
    names = {text} if text in (*texts, *named) else {str(canonical(text))}  # `b`, `(B)`
    found = {at for known in (texts, named) for at, name in enumerate(known) if name in names}
    if not found and text.isdecimal() and base is not None:
        found = {int(text) - base} & set(range(len(options)))
    if len(found) == 1:
        return found.pop()
    if found:
        raise ValueError(f"the answer is the label of one choice and the text of another: {text!r:.40}")
    unknown = "the rows don't show whether numbers count from 0 or 1: map 'answer' to a column of letters"
    remedies = [unknown] if text.isdecimal() and base is None else []
    raise ValueError(f"the answer is none of the choices: {text!r:.40}", *remedies)


def base_of(rows: Iterable[Published]) -> int | None:
    """What the numbers of choices count from: 0 if one is 0, 1 if all others are there; else unknown."""
    seen, most = set[int](), 0
    for fields in map(_flat, rows):
        try:
            options, labels, right = _choices(fields)
        except KeyError:
            continue
        text = plain_text(fields.get(column(fields, "gold") or ""))
        if right is None and text.isdecimal() and len(text) < 3 and text not in (*options, *(labels or ())):
            seen.add(int(text))
            most = max(most, len(options))
    return 0 if 0 in seen else 1 if seen and seen == set(range(1, most + 1)) else None


def _flat(fields: Published) -> Published:
    """With the parts of a question that is a map (ARC as first published) as fields."""
    inner = fields.get("question")
    return {**fields, "question": None, **inner} if isinstance(inner, Mapping) else fields
