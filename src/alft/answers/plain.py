r"""Dressing taken off: Unicode variants and LaTeX become one plain spelling, which keys.py then reads.

Nothing here decides what an answer means; it decides only which spellings are the same writing:
full-width digits, `−` and `-`, `\frac{1}{2}` and `1/2`, `\text{cm}` and `cm`, `$5$` and `5`.
All passes are regular expressions without backtracking traps, repeated a bounded number of times.
"""

from __future__ import annotations

import re
import unicodedata

_DEPTH = 8  # LaTeX groups nested deeper than this are left as they are

_VULGAR = ("12", "13", "23", "14", "34", "15", "25", "35", "45", "16", "56", "18", "38", "58", "78")
_MAP: dict[int, str] = {
    **{ord(c): "-" for c in "−‐‑‒–—―﹣－"},
    **{ord(c): "'" for c in "‘’‛′´"},
    **{ord(c): '"' for c in "“”„″"},
    **{ord(c): f" {f[0]}/{f[1]} " for c, f in zip(
        "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞", _VULGAR, strict=True)},
    **{ord(c): f"^{p}" for c, p in zip("⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ", "0123456789n", strict=True)},
    **{ord(c): f"_{p}" for c, p in zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True)},
    **{ord(c): " " for c in "\u00a0\u2007\u2009\u202f\u3000\t\r\n\v\f"},
    ord("×"): "*", ord("·"): "*", ord("⋅"): "*", ord("÷"): "/", ord("⁄"): "/", ord("∕"): "/",
    ord("≤"): "<=", ord("≥"): ">=", ord("≠"): "!=", ord("π"): " pi ", ord("√"): " sqrt ",
    ord("∞"): " infinity ", ord("∅"): "{}", ord("º"): "°", ord("˚"): "°",
}  # fmt: skip

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_SPACES = re.compile(r"\s+")

_TEXTUAL = re.compile(
    r"\\(?:text|textbf|textit|textrm|texttt|textsf|mathrm|mathbf|mathit|mathsf|mathtt|mathbb|mathcal"
    r"|operatorname|mbox|hbox|emph|boldsymbol|bm|underline|boxed|fbox)\s*\{([^{}]*)\}"
)
_FRAC = re.compile(r"\\[dtc]?frac\s*(?:\{([^{}]*)\}|(\w))\s*(?:\{([^{}]*)\}|(\w))")
_SQRT = re.compile(r"\\sqrt\s*(?:\[\s*(\w+)\s*\])?\s*(?:\{([^{}]*)\}|(\w))")
_SCRIPT = re.compile(r"([\^_])\s*\{([^{}]*)\}")
_ENVIRONMENT = re.compile(r"\\(begin|end)\s*\{[a-z]*(?:matrix|array|cases)\}(?:\s*\{[^{}]*\})?")
_SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|limits|mathstrut)(?![A-Za-z])")
_DEGREE = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z])|\{\s*\\degree\s*\})|\\degree(?![A-Za-z])")
_ENDLESS = re.compile(r"(?:[0-9]*\.[0-9]+|, ?)\.\.\.\Z")  # digits or a list that go on: the dots say something
_MATH = re.compile(r"\$([^\s$](?:[^$]*[^\s$])?)\$(?!\d)")  # a formula; `$5 and $6` are two prices
_DOUBLED = re.compile(
    r"\\\\(?=(?:[dtc]?frac|sqrt|text[a-z]{0,2}|left|right|pi|infty|cdot|times|mathrm|boxed)(?![a-z]))"
)
_APPLIED = re.compile(r"\\((?:arc)?(?:sin|cos|tan)h?|cot|sec|csc|ln|lg|log|exp)\s*\{([^{}]*)\}")
_COMMAND = re.compile(r"\\([A-Za-z]+)\s*")
_SIMPLE = re.compile(r"-?\d+(?:\.\d+)?|[A-Za-z]|[a-z]+\([^()]*\)|pi")

_COMMANDS = {
    "times": "*", "cdot": "*", "ast": "*", "div": "/", "infty": " infinity ", "pi": " pi ", "leq": "<=",
    "le": "<=", "leqslant": "<=", "geq": ">=", "ge": ">=", "geqslant": ">=", "lt": "<", "gt": ">",
    "neq": "!=", "ne": "!=", "pm": "±", "mp": "∓", "cup": "∪", "cap": "∩", "in": "∈", "to": "→",
    "rightarrow": "→", "emptyset": "{}", "varnothing": "{}", "quad": " ", "qquad": " ", "dots": "...",
    "ldots": "...", "cdots": "...", "mid": "|", "vert": "|", "lbrace": "{", "rbrace": "}",
    "lbrack": "[", "rbrack": "]", "langle": "<", "rangle": ">", "lor": " or ", "land": " and ",
    "newline": ";",
}  # fmt: skip

_PAIRS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("__", "__"), ("`", "`"),
          ('"', '"'), ("'", "'"))  # fmt: skip


def plain(text: str) -> str:
    r"""Write `text` without its dressing: one line, single spaces, no LaTeX, no invisible characters.

    >>> plain(r"$\dfrac{1}{2}\,\text{cm}$."), plain("２½"), plain(r"\left(1,\,\sqrt{2}\right)")
    ('1/2 cm', '2 1/2', '(1, sqrt(2))')
    """
    undressed = undress(_characters(text))
    if "\\" in undressed or "{" in undressed:
        undressed = undress(_SPACES.sub(" ", _latex(undressed)))
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
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if text.isascii() and text.isprintable():
        return text
    folded = unicodedata.normalize("NFKC", text.translate(_MAP)).translate(_MAP)
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
    text = text.replace("{,}", ",").replace("\\!", "").replace("\\\\", ";")
    text = _ENVIRONMENT.sub(lambda m: "[" if m[1] == "begin" else "]", text).replace("&", ",")
    text = re.sub(r"\\[,;:> ]|~", " ", text)
    text = re.sub(r"\\([$%#&_()\[\]])", lambda m: "" if m[1] in "$()[]" else m[1], text)
    text = _DEGREE.sub("°", _SIZES.sub("", text))
    for _ in range(_DEPTH):
        before = text
        text = _TEXTUAL.sub(r" \1 ", text)
        text = _SCRIPT.sub(lambda m: m[1] + _group(m[2]), text)
        text = _FRAC.sub(_fraction, _SQRT.sub(_root, _APPLIED.sub(r"\\\1 (\2)", text)))
        if text == before:
            break
    text = _COMMAND.sub(_command, text).replace("\\", "")
    return text.replace("\x01", "{").replace("\x02", "}")


def _group(inside: str) -> str:
    """Parentheses where a group's content is not a single thing."""
    inside = inside.strip()
    content = _COMMAND.sub(_command, inside).strip()
    return content if _SIMPLE.fullmatch(content) else f"({inside})"


def _fraction(match: re.Match[str]) -> str:
    above, below = match[1] or match[2] or "", match[3] or match[4] or ""
    return f" {_group(above)}/{_group(below)}"


def _root(match: re.Match[str]) -> str:
    inside = (match[2] if match[2] is not None else match[3]).strip()
    return f" sqrt({inside})" if match[1] is None else f" root({match[1]}, {inside})"


def _command(match: re.Match[str]) -> str:
    return _COMMANDS.get(match[1], f" {match[1]} ")
