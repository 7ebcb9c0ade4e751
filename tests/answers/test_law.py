r"""A law of keys: another sign, digit, operator, index or case of a unit is another answer.

The grammar is that of formulas as models write them: roots with an index, floors, logarithms, functions, accents,
indices and primes, letters of other alphabets, sums, sets, intervals, tuples, matrices, chains of relations, each
with signs before it, and with a unit or a word behind it; and numbers in digits, words or behind a sign, with a
unit. An answer is a list of pieces; one piece that says something is replaced, and the key must change.
"""

import re

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from alft.answers import KeyPolicy, canonical, kind

DIGITS = tuple("123456789")
OPERATORS = (
    " + ", " - ", " / ", r" \cdot ", r" \pm ", " < ", " = ", r" \mp ", r" \circ ", r" \subset ", r" \supset ",
    r" \in ", r" \notin ", r" \to ", r" \Rightarrow ", r" \iff ", r" \cup ", r" \cap ", r" \setminus ", r" \bmod ",
    r" \equiv ", r" \approx ", r" \cong ", r" \parallel ", r" \perp ", r" \wedge ", r" \vee ", r" \le ", r" \ge ",
    r" \ne ", r" \nmid ", r" \mapsto ", r" \sim ", "+", "-", "/", "^", ":",
)  # fmt: skip
SPACED = OPERATORS[:7]  # `2-cost` may be a hyphen
SIGNS = ("", "-", r"\pm ", "--", r"\neg ")
PRIMES = ("", "'", "''", "^{-1}", "^*", "^T", r"^\prime\prime\prime", r"^{\dagger}", "!")
INDICES = ("_1", "_2", "^2", "^3", "_{12}", "_{-1}", "^{-1}", "_i", "_j", "_{i,j}")
ACCENTS = (
    "", r"\overline", r"\hat", r"\bar", r"\vec", r"\tilde",
    r"\dot", r"\ddot", r"\mathbb", r"\mathcal", r"\mathfrak",
)  # fmt: skip
FUNCTIONS = (
    r"\sin", r"\cos", r"\log", r"\ln", r"\arcsin", r"\det",
    r"\gcd", r"\max", r"\operatorname{lcm}", r"\Re", r"\Im",
)  # fmt: skip
BIG = (r"\sum", r"\prod", r"\int", r"\bigcup", r"\bigcap")
NUMBERS = (
    "five", "twenty", "two hundred", "half a", "one", "thirty-five", "three-quarters of a", "a dozen",
    "about five", "#4", "№ 4", "~5", "5", "-5", "≈ five", "5.5", "5/6", "5-6", "(5)", "x", r"\sqrt{2}", r"\frac12",
)  # fmt: skip
UNITS = (
    ("mW", "MW"),
    ("mHz", "MHz"),
    ("m", "M"),
    ("mm", "Mm"),
    ("g", "G"),
    ("Gb", "GB"),
    ("mJ", "MJ"),
    ("k", "K"),
)
BEHIND_NUMBERS = (
    *UNITS,
    ("mm", "mM", "MM"),
    ("mS", "MS", "ms"),
    ("nm", "Nm", "nM"),
    ("pH", "PH"),
    ("s", "S"),
)
KEPT = KeyPolicy(assignment="keep")  # `x_1 = 5` is 5 otherwise, and `1 + 2 = 3` is 3
Piece = tuple[str, tuple[str, ...]]  # what is written, and all that may stand in its place
Pieces = list[Piece]


def _same(text: str) -> Pieces:
    return [(text, (text,))]


def _one_of(choices: tuple[str, ...]) -> st.SearchStrategy[Pieces]:
    return st.sampled_from(choices).map(lambda choice: [(choice, choices)])


def _around(template: str) -> "st.SearchStrategy[Pieces]":
    r"""A template with a digit for each `i` in brackets `<i>`, and a term for each `<t>`."""
    parts = re.split("<(.)>", template)
    pieces = [SLOTS[part] if place % 2 else st.just(_same(part)) for place, part in enumerate(parts) if part]
    return st.tuples(*pieces).map(lambda found: [piece for part in found for piece in part])


LEAVES = st.one_of(
    _one_of(DIGITS),
    st.sampled_from(["x", "n", r"\pi", "x_1"]).map(_same),
    st.deferred(lambda: _around("x_<i>")),
    st.deferred(lambda: _around(r"\frac<i><i>")),
    st.deferred(
        lambda: st.sampled_from(["f<'>", "A<_>", "<^>{R}", "<^>{z}", "∛<i>", "∜<i>", "√<i>"]).flatmap(_around)
    ),
)
TEMPLATES = (
    r"\sqrt{<t>}", r"\sqrt[<i>]{<t>}", r"<i>\sqrt[<i>]{<t>}", r"\frac{<t>}{<t>}", r"\frac{<t>}{<i>}<i>",
    r"\log_<i> (<t>)", r"\log_{<i>}<i>", r"\sin <i>", r"\lfloor <t> \rfloor", r"|<t>|", r"n^{<t>}", r"n^{<i>}<i>",
    r"\left(<t> - <t>\right)", r"f(<t>)", r"\binom{<t>}{<i>}", r"\angle <t>", r"<i>!", r"\lceil <s><t> \rceil",
    r"<f>(<s><t>)", r"<f> x", r"\{<t>, <s><t>\}", r"[<s><t>, <t>)", r"(<t>, <s><t>)", r"\langle <t>, <i>\rangle",
    r"\begin{pmatrix}<t> & <i>\\ <s><i> & <i>\end{pmatrix}", r"<b>_{i=<i>}^{<i>} x", r"\|<s><t>\|",
    r"<t><o><t><o><t>",
    r"<^>{<s><t>}", r"(<s><t>)<'>", r"<s>\sqrt[<i>]{<s><t>}",
)  # fmt: skip
TERMS: "st.SearchStrategy[Pieces]" = st.recursive(
    LEAVES, lambda _: st.deferred(lambda: st.sampled_from(TEMPLATES).flatmap(_around)), max_leaves=4
)
SLOTS = {
    "i": _one_of(DIGITS), "t": TERMS, "s": _one_of(SIGNS), "o": _one_of(OPERATORS), "f": _one_of(FUNCTIONS),
    "b": _one_of(BIG), "'": _one_of(PRIMES), "_": _one_of(INDICES), "^": _one_of(ACCENTS),
}  # fmt: skip
TAILS = st.one_of(
    st.just(_same("")),
    st.sampled_from([" cups", " square feet", r" \text{ apples}", " of them"]).map(_same),
    st.sampled_from(UNITS).flatmap(lambda pair: _one_of(pair)).map(lambda unit: [*_same(" "), *unit]),
)
WORDS = st.sampled_from(["profit", "cost", "speed"]).map(_same)


@st.composite
def answers(draw: st.DrawFn) -> Pieces:
    """Pieces of an answer: a sign, one or two terms with an operator between them, a unit or words."""
    pieces = draw(_one_of(SIGNS)) + draw(TERMS)
    if draw(st.booleans()):
        pieces += draw(_one_of(OPERATORS)) + draw(TERMS)
    elif draw(st.booleans()):
        pieces += draw(_one_of(SPACED)) + draw(WORDS)
    return pieces + draw(TAILS)


@st.composite
def amounts(draw: st.DrawFn) -> Pieces:
    """A number, in digits or words, with a unit."""
    number, tail = (
        draw(st.sampled_from(NUMBERS)),
        draw(st.sampled_from(["", " per day", " of power", "/h", " each"])),
    )
    return [*_same(f"{number} "), *draw(st.sampled_from(BEHIND_NUMBERS).flatmap(_one_of)), *_same(tail)]


def _written(pieces: Pieces) -> str:
    return "".join(text for text, _ in pieces)


@settings(max_examples=300)
@given(st.one_of(answers(), amounts()), st.data())
def test_another_sign_digit_operator_index_or_case_of_a_unit_is_another_answer(
    pieces: Pieces, data: st.DataObject
) -> None:
    places = [n for n, (_, choices) in enumerate(pieces) if len(choices) > 1]
    place = data.draw(st.sampled_from(places))
    text, choices = pieces[place]
    other = data.draw(st.sampled_from([choice for choice in choices if choice.strip() != text.strip()]))
    changed = [*pieces[:place], (other, choices), *pieces[place + 1 :]]
    key, other_key = canonical(_written(pieces), KEPT), canonical(_written(changed), KEPT)
    assume("--" not in (text, other) or kind(key) != "number")  # numbers are compared by their value
    assert key is not None
    assert key != other_key


@given(st.one_of(answers(), amounts()))
def test_keys_of_this_grammar_are_their_own_keys(pieces: Pieces) -> None:
    key = canonical(_written(pieces))
    assert canonical(key) == key


@given(st.sampled_from(["profit", "speed"]), st.sampled_from(["cost", "time"]), st.sampled_from(DIGITS))
@example("profit", "cost", "1")
def test_operators_between_words_are_kept(left: str, right: str, digit: str) -> None:
    operators = [" + ", " - ", " / ", " * ", " = ", " < ", " "]
    assert len({canonical(f"{left}{sign}{right}") for sign in operators}) == len(operators)
    assert len({canonical(f"{left}{sign}{digit}") for sign in operators}) == len(operators)
