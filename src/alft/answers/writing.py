r"""How answers are written: dressing taken off, and answers made of parts.

First Unicode variants and LaTeX become one plain spelling: full-width digits, `−` and `-`, `\frac{1}{2}` and
`1/2`, `\text{cm}` and `cm`, `$5$` and `5`. That decides only which spellings are the same writing, by regular
expressions without backtracking traps, repeated a bounded number of times. Then plain text is read as a tuple,
an interval, a set, a bare list, a union, or an expression, which is kept as written.
"""

import re
import unicodedata
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Final

from alft.answers.policy import KeyPolicy
from alft.answers.values import NOTATION, one_spelling

_DEPTH: Final = 8  # groups nested deeper than this are left as they are, or read as an expression or as text
_MAP: Final = {ord(sign): plain for plain, signs in NOTATION["signs"].items() for sign in signs} | {
    ord(sign): form.format(unicodedata.normalize("NFKC", sign).replace("\N{FRACTION SLASH}", "/"))
    for kind, form in (("raised", "^{}"), ("lowered", "_{}"), ("fractions", " {} "))
    for sign in NOTATION[kind]
}
_SHIFTED = re.compile("([⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)|[₀₁₂₃₄₅₆₇₈₉]{2,}")  # `10⁻²³`: one exponent of several signs
_COMMANDS: Final = {word[1:]: word[0] for word in NOTATION["symbols"].split()} | {
    command: plain for plain, commands in NOTATION["commands"].items() for command in commands.split()
}

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_SPACES = re.compile(r"\s+")
_INLINE = re.compile(r"</?(?:b|i|u|em|strong|mark|code)>")
_RAISED = re.compile(r"<su([bp])>([^<>]*)</su\1>")

_TEXTUAL = re.compile(
    r"(?:\\(?:text(?:bf|it|rm|tt|sf|sc|sl|up|md|normal)?|mathnormal|mathrm|mathbf|mathit|mathsf|mathtt"
    r"|operatorname|mbox|hbox|emph|boldsymbol|bm|underline|boxed|fbox|(?:text)?color\s*\{\w+\})\s*\{"
    r"|\{\s*\\color\s*\{\w+\})([^{}]*)\}"
)
_FRAC = re.compile(r"\\(?:[dtcs]|nice)?frac\s*(?:\{([^{}]*)\}|(\w|\\pi))\s*(?:\{([^{}]*)\}|(\w|\\pi))")
_OVER = re.compile(r"\{([^{}]*)\\over(?![a-z])([^{}]*)\}")
_SQRT = re.compile(r"\\sqrt\s*(?:\[\s*(\w+)\s*\])?\s*(?:\{([^{}]*)\}|(\w))")
_SCRIPT = re.compile(r"([\^_])\s*\{([^{}]*)\}")
_ENVIRONMENT = re.compile(r"\\(begin|end)\s*\{([vV]?)[a-z]*(?:matrix|array|cases)\}(?:\s*\{[^{}]*\})?")
_FONT = r"(?:bf|rm|it|sf|tt|sc|sl|em|normalfont|(?:rm|sf|tt)family|(?:bf|md)series|(?:it|sc|sl|up)shape)"
_IN_FONT = re.compile(rf"(?<![A-Za-z}}\]])\{{\s*\\{_FONT}(?![A-Za-z])([^{{}}]*)\}}")  # `{\bf 7}`
_ALIGNED = re.compile(
    r"\\(begin|end)\s*\{(?:align(?:ed|at)?|gather(?:ed)?|split|equation|eqnarray|multline)\*?\}(?:\{\d\})?"
)
_SIZES = re.compile(
    r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|limits|mathstrut"
    rf"|[lL]arge|LARGE|[hH]uge|small|tiny|(?:foot|script|normal)(?:note)?size|script(?:script)?style|{_FONT}"
    rf"|(?<!\{{\\)color\s*\{{\w+\}}(?!\s*\{{)"
    r"|(?:math|text)(?:bf|rm|it|sf|tt)(?=\s*(?:[A-Za-z](?![A-Za-z])|\d)))(?![A-Za-z])"
)
_DEGREE = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z])|\{\s*\\degree\s*\})|\\degree(?![A-Za-z])")
_ENDLESS = re.compile(r"(?:[0-9]*\.[0-9]+|, ?)\.\.\.\Z")  # digits or a list that go on: the dots say something
_MATH = re.compile(r"\$([^\s$](?:[^$]*[^\s$])?)\$(?!\d)")  # a formula; `$5 and $6` are two prices
_CLOCK = re.compile(r"(?<=\d) ?([ap])\.m\b\.?", re.IGNORECASE)  # `3 p.m.`
_ACRONYM = re.compile(  # `the U.S.`, `44 B.C`, but not the initials of a name: `J.K. Rowling`
    r"(?<![\w.])(?:(?:[A-Z]\.){2,}(?![A-Za-z])|(?:[A-Z]\.)+[A-Z]\Z)(?! ?[A-Z][a-z])|(?<![\w.])U\.[SKN]\.(?![A-Z])"
)
_TIMES = re.compile(r"(?<=\d) ?x ?(?=10 ?(?:\^|\*\*))")  # `3 x 10^8`
_DOUBLED = re.compile(
    r"\\\\(?=(?:[dtc]?frac|sqrt|text[a-z]{0,2}|left|right|pi|infty|cdot|times|mathrm|boxed)(?![a-z]))"
)
_APPLIED = re.compile(r"\\((?:arc)?(?:sin|cos|tan)h?|cot|sec|csc|ln|lg|log|exp)\s*\{([^{}]*)\}")
_MODIFIED = re.compile(  # accents, and letters that name another thing than the plain one
    r"\\(overline|overrightarrow|bar|(?:wide)?(?:hat|tilde)|vec|d?dot|math(?:bb|cal|frak|scr)|Bbb)"
    r"\s*(?:\{([^{}]*)\}|([A-Za-z0-9](?![A-Za-z])))"
)
_BINOMIAL = re.compile(
    r"\\[dt]?binom\s*(?:\{([^{}]*)\}|(\w))\s*(?:\{([^{}]*)\}|(\w))|\{([^{}]*)\\choose(?![a-z])([^{}]*)\}"
)
_HIGHER_ROOT = re.compile(r"([∛∜]) ?(?:\(([^()]*)\)|(\d+(?:\.\d+)?|[A-Za-z](?![A-Za-z])))")
_TIED = re.compile(r"(?<=\d)~(?=[A-Za-z])")  # `5~cm`
_NO_SPACE = re.compile(r"\\!\s*")
_BEFORE_INDEX = re.compile(r"(?<=[\w)}]) +(?=[_^])")  # `\text{CO}_2`
_COMMAND = re.compile(r"\\([A-Za-z]+)\s*")
_SIMPLE = re.compile(r"-?\d+(?:\.\d+)?|[A-Za-z]|[a-z]+\([^()]*\)|pi")

_ALPHABETS: Final = {"DOUBLE-STRUCK": "bb", "SCRIPT": "cal", "FRAKTUR": "frak", "BLACK-LETTER": "frak"}
_FONTS: Final = {  # `ℝ` is not `R`
    char: f" math{font}({unicodedata.normalize('NFKC', char)})"
    for char in map(chr, (*range(0x2102, 0x2134), *range(0x1D49C, 0x1D4D0), *range(0x1D504, 0x1D56C)))
    for alphabet, font in _ALPHABETS.items()
    if unicodedata.name(char, "").removeprefix("MATHEMATICAL ").startswith(alphabet) and char not in "ℓ℘ℯℊ"
}
_FONT_LETTER = re.compile(rf"(?<![^\W\d_])[{''.join(_FONTS)}](?![^\W\d_ⁿ])")

LETTERS: Final = {word[0]: word[1:] for word in NOTATION["greek"].split()}
_GREEK = re.compile(  # one alone: not in a word, nor in `μm`, `kΩ`
    rf"(?<![Ͱ-Ͽἀ-῿])(?:[{''.join({*LETTERS} - {*'μΩ'})}]|(?<![A-Za-z])[μΩ](?![A-Za-z]))(?![Ͱ-Ͽἀ-῿\u0300-\u036f])"
)

_PAIRS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("__", "__"), ("`", "`"),
          ('"', '"'), ("'", "'"), *("«»", "‹›", "「」", "『』", "【】"))  # fmt: skip


def plain(text: str) -> str:
    r"""Write `text` without its dressing: one line, single spaces, no LaTeX, no invisible characters.

    >>> plain(r"$\dfrac{1}{2}\,\text{cm}$."), plain("２½"), plain(r"\left(1,\,\sqrt{2}\right)")
    ('1/2 cm', '2 1/2', '(1, sqrt(2))')
    """
    undressed = undress(_characters(text))
    if "\\" in undressed or "{" in undressed:
        undressed = undress(_SPACES.sub(" ", _latex(undressed)))
    undressed = _CLOCK.sub(lambda found: f" {found[1]}{'M' if found[1].isupper() else 'm'}", undressed)
    undressed = _ACRONYM.sub(lambda found: found[0].replace(".", ""), undressed)
    undressed = _TIMES.sub("*", undressed)
    undressed = _TIED.sub(" ", undressed) if "~" in undressed else undressed
    undressed = one_spelling(undressed)
    if "$" in undressed:
        undressed = undress(_MATH.sub(r"\1", undressed))
    return undressed


def undress(text: str) -> str:
    """Take off what encloses the whole answer: math delimiters, bold, quotes, and a closing stop."""
    text = _SPACES.sub(" ", text).strip() if not text.isalnum() else text
    for _ in range(_DEPTH):
        if text[:1].isalnum() and text[-1:].isalnum():
            break
        before = text
        text = text.rstrip(".,;: ") if _ENDLESS.search(text) is None else text
        if text.endswith("\\"):  # the comma or semicolon was half of a LaTeX space
            text = text[:-1].rstrip()
        for left, right in _PAIRS:
            if text.startswith(left) and text.endswith(right) and len(text) > len(left) + len(right):
                inside = text[len(left) : -len(right)]
                whole = left not in inside or (inside.startswith(left) and inside.endswith(right))
                text = inside.strip() if whole else text
        if text == before:
            break
    return text


def _characters(text: str) -> str:
    """Unicode to one spelling: mapped symbols, NFKC, ASCII digits; invisible and control characters go."""
    text = _ANSI.sub("", text)
    if "</" in text:
        text = _RAISED.sub(lambda found: f"{'^' if found[1] == 'p' else '_'}{{{found[2]}}}", text)
        text = _INLINE.sub("", text)
    if text.isascii() and text.isprintable():
        return text
    text = _HIGHER_ROOT.sub(lambda root: f" root({'3' if root[1] == '∛' else '4'},{root[2] or root[3]})", text)
    text = _FONT_LETTER.sub(lambda letter: _FONTS[letter[0]], text)
    text = _SHIFTED.sub(lambda run: ("^" if run[1] else "_") + unicodedata.normalize("NFKC", run[0]), text)
    folded = unicodedata.normalize("NFKC", text.translate(_MAP)).translate(_MAP)
    folded = _GREEK.sub(lambda letter: f" {LETTERS[letter[0]]} ", folded)
    return folded if folded.isascii() and folded.isprintable() else "".join(map(_character, folded))


def _character(char: str) -> str:
    if " " <= char <= "~":
        return char
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category == "Cs":
        return "\N{REPLACEMENT CHARACTER}"
    if category in ("Zs", "Zl", "Zp"):
        return " "
    return "" if category in ("Cc", "Cf") else char


def _latex(text: str) -> str:
    """LaTeX to plain writing, innermost groups first, at most eight levels deep."""
    text = text.replace("\\{", "\x01").replace("\\}", "\x02")  # literal braces are not groups
    text = _DOUBLED.sub(r"\\", text)
    if _ALIGNED.search(text) is not None:  # `x &= 3 + 4 \\ &= 7` is a chain
        text = re.sub(r"&(?=\s*(?:[=<>]|\\[lgna]))", "", _ALIGNED.sub(" ", text).strip())
        text = re.sub(r"\\\\\s*(?=[=]|\Z)", " ", text)
    text = re.sub(r"\\p?mod\s*\{([^{}]*)\}", r" (mod \1)", text)
    text = re.sub(r"\\n(?![A-Za-z])", " ", text)  # the escape of a line's end
    text = re.sub(r"(?<=\d)\{([:;.=<>/+-])\}", r"\1", text)  # `7{:}00`
    text = _NO_SPACE.sub("", text.replace("{,}", ",")).replace("\\\\", ";").replace("\\not=", "!=")
    text = text.replace("\\|", "||").replace("&", ",")
    text = _ENVIRONMENT.sub(_environment, text)
    text = re.sub(r"\\[,;:> ]|~", " ", text)
    text = re.sub(r"\\([$%#&_()\[\]])", lambda m: "" if m[1] in "()[]" else m[1], text)
    text = _DEGREE.sub("°", _SIZES.sub("", _IN_FONT.sub(r" \1 ", text)))
    for _ in range(_DEPTH):
        before = text
        text = _TEXTUAL.sub(r" \1 ", text)
        text = _SCRIPT.sub(lambda match: _apart(match[1] + _group(match[2]), match), text)
        text = _MODIFIED.sub(_modified, _APPLIED.sub(r"\\\1 (\2)", text))
        text = _OVER.sub(r"\\frac{\1}{\2}", text)
        text = _FRAC.sub(_fraction, _SQRT.sub(_root, text))
        text = _BINOMIAL.sub(_binomial, text)
        if text == before:
            break
    text = _BEFORE_INDEX.sub("", _COMMAND.sub(_command, text).replace("\\", ""))
    return text.replace("\x01", "{").replace("\x02", "}")


def _environment(match: re.Match[str]) -> str:
    bars = {"": "", "v": "|", "V": "||"}[match[2]]
    return f"{bars}[" if match[1] == "begin" else f"]{bars}"


def _group(inside: str) -> str:
    """Parentheses where a group's content is not a single thing."""
    inside = inside.strip()
    content = _COMMAND.sub(_command, inside).strip()
    return content if _SIMPLE.fullmatch(content) else f"({inside})"


def _apart(written: str, match: re.Match[str]) -> str:
    """A number that ends a group does not run into a digit behind it: `2^{3}4`."""
    behind = match.string[match.end() : match.end() + 1]
    return f"{written} " if written[-1:].isdigit() and behind.isdigit() else written


_SIGNS_BEFORE: Final = frozenset("+-*/=<>:^(")


def _fraction(match: re.Match[str]) -> str:
    above, below = match[1] or match[2] or "", match[3] or match[4] or ""
    lead = "" if match.string[max(match.start() - 1, 0) : match.start()] in _SIGNS_BEFORE else " "
    return _apart(f"{lead}{_group(above)}/{_group(below)}", match)


def _root(match: re.Match[str]) -> str:
    inside = (match[2] if match[2] is not None else match[3]).strip()
    return f" sqrt({inside})" if match[1] is None else f" root({match[1]},{inside})"


def _modified(match: re.Match[str]) -> str:
    name, inside = match[1].replace("Bbb", "mathbb"), match[2] if match[2] is not None else match[3]
    return f" {name}({inside.strip()})"


def _binomial(match: re.Match[str]) -> str:
    above, below = (part.strip() for part in match.groups() if part is not None)
    return f" binom({above},{below})"


def _command(match: re.Match[str]) -> str:
    return _COMMANDS.get(match[1], f" {match[1]} ")


Element = Callable[[str], tuple[str, str | None]]  # plain text → (kind, key)

_OPENING, _CLOSING = "([{⟨", ")]}⟩"
KNOWN: Final = frozenset(NOTATION["names"].split())
ELEMENTS: Final = "|".join(NOTATION["elements"].split())
SIGNS: Final[str] = NOTATION["operators"]
_VALUES = re.compile(r"[A-Za-z](?:_\w+)? ?=(?=[^=]*\Z)")
_STATEMENT = re.compile(r"[=<>≈∈]|\A[A-Za-z]\Z")
_HIDDEN: Final = {"point": "", "comma": "\x03"}  # commas inside numbers
_RUNS: Final = {
    decimal: re.compile(rf"([(\[{{⟨] ?[-+$€£]*)?(?<![\d.,]){digits}(?!\d|,\d)( ?[)\]}}⟩])?", re.ASCII)
    for decimal, digits in (("point", r"[1-9]\d{0,2}(?:,\d{3})+"), ("comma", r"\d+,\d+"))
}
_FOREIGN = re.compile(r"[+-]?[0-9]{1,3}(?:[. ][0-9]{3})+,[0-9]+")  # a number, or a list? `1.234,5` is not guessed


def _hidden(text: str, decimal: str) -> str:
    """`1,200 and 5,500` without the commas inside its numbers, which may part a pair: `(1,234)`, `1,200,5,500`."""
    bare = _RUNS[decimal].sub(
        lambda run: run[0] if run[1] and run[2] else run[0].replace(",", _HIDDEN[decimal]), text
    )
    return bare if "," in bare or " and " in bare else text


def split(text: str, separator: str, decimal: str = "point") -> list[str]:
    """Parts of `text` between separators that stand outside all brackets, and outside numbers."""
    text = _hidden(text, decimal) if separator == "," else text
    levels = zip(text, _levels(text), strict=False)
    cuts = [place for place, (char, level) in enumerate(levels) if char == separator and level == 0]
    return [text[a + 1 : b].strip().replace("\x03", ",") for a, b in pairwise([-1, *cuts, len(text)])]


def _levels(text: str) -> list[int]:
    """How many brackets are open before each character, and at the end; negative where too many were closed."""
    return list(accumulate(((char in _OPENING) - (char in _CLOSING) for char in text), initial=0))


def bracketed_key(text: str, element: Element, depth: int, policy: KeyPolicy) -> str | None:
    """Key of a tuple or interval `(1, 2]`, whose order and brackets count, or of a set `{2, 1, 1}`: `{1, 2}`.

    `(1, 2)` is the pair and the open interval: no text tells them apart. `(5)` and `(5,)` are 5.
    With `tuples: set` what stands in round brackets is a set as well.
    """
    if text.replace(" ", "") == "{}":
        return "{}"
    if depth >= _DEPTH:
        return None
    is_set = text.startswith("{")
    if len(text) < 3 or text[0] not in _OPENING or text[-1] not in ("}" if is_set else ")]⟩"):
        return None
    if (keys := _keys(split(text[1:-1].rstrip(", "), ",", policy.decimal), element)) is None:
        return None
    if len(keys) == 1 and text[0] == "(" and text[-1] == ")":
        return keys[0]
    if is_set or (policy.tuples == "set" and text[0] == "(" and text[-1] == ")"):
        return _set_key(keys)
    return f"{text[0]}{', '.join(keys)}{text[-1]}"


def list_key(text: str, element: Element, depth: int, policy: KeyPolicy) -> str | None:
    """Key of a bare list of numbers, options, expressions or bracketed things: as a set, or in its order."""
    if ("," not in text and " and " not in text) or _FOREIGN.fullmatch(text):
        return None
    parts = [
        part for chunk in split(text, ",", policy.decimal) for part in re.split(r"(?:^| )and ", chunk) if part
    ]
    first = _VALUES.match(parts[0]) if parts else None
    if first is not None and not any(_STATEMENT.search(part) for part in parts[1:]):
        parts = [parts[0], *(f"{first[0]}{part}" for part in parts[1:])]  # `x = 2, 3`
    keys = _keys(parts, element, free_text=False) if len(parts) > 1 else None
    if keys is None:
        return None
    return ", ".join(keys) if policy.lists == "ordered" else _set_key(keys)


def balanced(text: str) -> bool:
    """Whether every bracket has its other half, in order, of whichever shape: `[2, 3)` is."""
    levels = _levels(text)
    return min(levels) == levels[-1] == 0


def _set_key(keys: list[str]) -> str:
    return f"{{{', '.join(sorted(set(keys)))}}}"


def union_key(text: str, element: Element, depth: int) -> str | None:
    """Key of a union of intervals or sets, its parts sorted."""
    if "∪" not in text or depth >= _DEPTH:
        return None
    parts = split(text, "∪")
    keys = _keys(parts, element) if len(parts) > 1 else None
    return None if keys is None else " ∪ ".join(sorted(keys))


def _keys(parts: list[str], element: Element, *, free_text: bool = True) -> list[str] | None:
    """Keys of the parts; None at the first that has none, or that is free text where none may be."""
    keys: list[str] = []
    for part in parts:
        name, key = element(part) if balanced(part) else ("", None)
        if key is None or (name == "text" and not free_text):
            return None
        keys.append(key)
    return keys
