"""How numbers and untrusted text are shown: the same on a terminal and on a page."""

import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

Number = float | int  # a number as JSON may hold it

UNDEFINED = "–"
HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))  # controls, format (bidi, tags), surrogates, separators
JOINERS = "\u200c\u200d"  # Persian words and emoji need them, and they can't mislead

LABELS: dict[str, str] = tomllib.loads(Path(__file__).with_name("labels.toml").read_text("utf-8"))
"""Metric → its label with its unit, for every table, figure and card."""
METRICS: Final = (
    "agreement_greedy",
    "agreement_sampled",
    "incoherence_corrected",
    "incoherence_euclidean",
    "entropy",
    "gini",
    "distinct",
    "unread",
    "truncated",
)
"""Metrics of a summary that are one number and need no gold answer; older summaries lack some."""
CONSENSUS: Final = ("vote_greedy", "vote_sampled", "geometric_sampled")
"""Votes over the views, which need no training."""
SOLVED = {
    name: LABELS[f"{name}_corrected" if name == "incoherence" else name]
    for name in ("accuracy", "accuracy_readable", "agreement", "entropy", "incoherence")
} | {"accuracy_readable": "… of the readable answers"}
"""Metric of a solution → its label; its incoherence is bias-corrected."""


def number(value: Number | None, digits: int = 3) -> str:
    """The number with a fixed count of digits, zero without a sign, or a dash where it is not defined.

    >>> number(0.5), number(-0.5), number(-0.0001), number(None)
    ('0.500', '−0.500', '0.000', '–')
    """
    return signed(value, digits).removeprefix("+")


def counted(count: int, what: str) -> str:
    """So many of something.

    >>> counted(1, "question"), counted(1200, "question")
    ('1 question', '1,200 questions')
    """
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def heading(label: str) -> str:
    """The label with a capital first letter.

    >>> heading(LABELS["entropy"])
    'Answer entropy (nats)'
    """
    return label[:1].upper() + label[1:]


def signed(value: Number | None, digits: int = 3) -> str:
    """A difference with its sign.

    >>> signed(0.25), signed(-0.1), signed(0.0)
    ('+0.250', '−0.100', '0.000')
    """
    if value is None:
        return UNDEFINED
    size = f"{abs(value):.{digits}f}"
    if float(size) == 0:
        return size
    return ("+" if value > 0 else "−") + size


def interval(bounds: Sequence[Number] | None, digits: int = 2, *, sign: bool = False) -> str:
    """The interval in brackets; nothing where it is not defined.

    >>> interval([-0.001, 0.5]), interval([-0.25, 0.5], sign=True), interval(None)
    ('[0.00, 0.50]', '[−0.25, +0.50]', '')
    """
    if bounds is None:
        return ""
    shown = signed if sign else number
    return f"[{shown(bounds[0], digits)}, {shown(bounds[1], digits)}]"


def occurrences(text: str, part: str, start: int = 0) -> Iterator[int]:
    """Where a part begins in a text, each time: several times faster than an expression.

    >>> list(occurrences("abcab", "ab")), list(occurrences("abcab", "ab", 1))
    ([0, 3], [3])
    """
    place = text.find(part, start)
    while place >= 0:
        yield place
        place = text.find(part, place + 1)


def visible(text: str, limit: int = 4000, *, lines: bool = False) -> str:
    r"""Untrusted text with everything that is invisible or acts on a display made visible, and cut at `limit`.

    Terminal escapes, bidirectional overrides, tag characters and lone surrogates become ⟨U+…⟩, so nothing is
    lost. With `lines`, line feeds and tabs stay.

    >>> visible("\x1b[2Jgone\u202e"), visible("a\nb"), visible("a\nb", lines=True)
    ('␛[2Jgone⟨U+202E⟩', 'a␊b', 'a\nb')
    """
    cut = text[:limit]
    kept = "\n\t" + JOINERS if lines else JOINERS
    shown = "".join(
        character if character in kept or unicodedata.category(character) not in HIDDEN else _named(character)
        for character in cut
    )
    left = len(text) - len(cut)
    return f"{shown} … ({left:,} more characters)" if left else shown


def short(text: str, limit: int) -> str:
    """A name from a file, made visible and cut at `limit` with an ellipsis.

    >>> short("story", 8), short("a very long story", 8)
    ('story', 'a very …')
    """
    return visible(text) if len(text) <= limit else visible(text[: limit - 1]) + "…"


def encodable(text: str) -> str:
    """The text with lone surrogates escaped, which no UTF-8 file can hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _named(character: str) -> str:
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"


def equilibrium(beta: float, power: float) -> str:
    """Which equilibrium of a game is meant.

    >>> equilibrium(0.1, 1.0), equilibrium(0.0, 4.0)
    ('β = 0.1', 'the limit β → 0, reference to the power 4')
    """
    limit = "the limit β → 0" if beta == 0 else f"β = {beta:g}"
    return limit if power == 1 else f"{limit}, reference to the power {power:g}"
