r"""A law of keys: another sign, digit, operator, index or case of a unit is another answer.

The grammar is that of answers that no reader of numbers, sets or plain formulas takes: roots with an index,
floors, logarithms, subscripts, functions, and formulas with a unit or a word. An answer is a list of pieces; one
piece that says something is replaced, and the key must change.
"""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from alft.answers import KeyPolicy, canonical

DIGITS = tuple("123456789")
OPERATORS = (" + ", " - ", " / ", r" \cdot ", r" \pm ", " < ", " = ", "+", "-", "/", "^", ":")
SPACED = OPERATORS[:7]  # `2-cost` may be a hyphen
SIGNS = ("", "-")
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
KEPT = KeyPolicy(assignment="keep")  # `x_1 = 5` is 5 otherwise, and `1 + 2 = 3` is 3
Piece = tuple[str, tuple[str, ...]]  # what is written, and all that may stand in its place
Pieces = list[Piece]


def _same(text: str) -> Pieces:
    return [(text, (text,))]


def _one_of(choices: tuple[str, ...]) -> st.SearchStrategy[Pieces]:
    return st.sampled_from(choices).map(lambda choice: [(choice, choices)])


def _around(template: str) -> "st.SearchStrategy[Pieces]":
    r"""A template with a digit for each `i` in brackets `<i>`, and a term for each `<t>`."""
    parts = template.replace(">", "<").split("<")
    pieces = [{"i": _one_of(DIGITS), "t": TERMS}.get(part, st.just(_same(part))) for part in parts if part]
    return st.tuples(*pieces).map(lambda found: [piece for part in found for piece in part])


LEAVES = st.one_of(
    _one_of(DIGITS),
    st.sampled_from(["x", "n", r"\pi", "x_1"]).map(_same),
    st.deferred(lambda: _around("x_<i>")),
    st.deferred(lambda: _around(r"\frac<i><i>")),
)
TEMPLATES = (
    r"\sqrt{<t>}", r"\sqrt[<i>]{<t>}", r"<i>\sqrt[<i>]{<t>}", r"\frac{<t>}{<t>}", r"\frac{<t>}{<i>}<i>",
    r"\log_<i> (<t>)", r"\log_{<i>}<i>", r"\sin <i>", r"\lfloor <t> \rfloor", r"|<t>|", r"n^{<t>}", r"n^{<i>}<i>",
    r"\left(<t> - <t>\right)", r"f(<t>)", r"\binom{<t>}{<i>}", r"\angle <t>", r"<i>!",
)  # fmt: skip
TERMS: "st.SearchStrategy[Pieces]" = st.recursive(
    LEAVES, lambda _: st.deferred(lambda: st.sampled_from(TEMPLATES).flatmap(_around)), max_leaves=4
)
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


def _written(pieces: Pieces) -> str:
    return "".join(text for text, _ in pieces)


@settings(max_examples=300)
@given(answers(), st.data())
def test_another_sign_digit_operator_index_or_case_of_a_unit_is_another_answer(
    pieces: Pieces, data: st.DataObject
) -> None:
    place = data.draw(st.sampled_from([n for n, (_, choices) in enumerate(pieces) if len(choices) > 1]))
    text, choices = pieces[place]
    other = data.draw(st.sampled_from([choice for choice in choices if choice.strip() != text.strip()]))
    changed = [*pieces[:place], (other, choices), *pieces[place + 1 :]]
    key, other_key = canonical(_written(pieces), KEPT), canonical(_written(changed), KEPT)
    assert key is not None
    assert key != other_key


@given(answers())
def test_keys_of_this_grammar_are_their_own_keys(pieces: Pieces) -> None:
    key = canonical(_written(pieces))
    assert canonical(key) == key


@given(st.sampled_from(["profit", "speed"]), st.sampled_from(["cost", "time"]), st.sampled_from(DIGITS))
@example("profit", "cost", "1")
def test_operators_between_words_are_kept(left: str, right: str, digit: str) -> None:
    operators = [" + ", " - ", " / ", " * ", " = ", " < ", " "]
    assert len({canonical(f"{left}{sign}{right}") for sign in operators}) == len(operators)
    assert len({canonical(f"{left}{sign}{digit}") for sign in operators}) == len(operators)
