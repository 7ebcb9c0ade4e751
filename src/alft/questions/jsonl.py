"""JSONL, one JSON array, or objects over several lines, read strictly: every error has its file:line:column.

Nothing is converted, and numbers keep the text they were written with. NaN, repeated fields, lone surrogates,
NUL, other encodings and lines over 20 MB are errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import BufferedIOBase
from typing import Final

from alft.questions.fields import Fields, Number, Problems, Row, clean

LINE_LIMIT: Final = 20_000_000  # bytes
_BOM = b"\xef\xbb\xbf"


def texts(stream: BufferedIOBase, problems: Problems) -> Iterator[tuple[int, int, str]]:
    """(line number, offset of the next line, text with its line end) of each line that can be read."""
    offset = 0
    for line, raw in enumerate(_lines(stream), start=1):
        if line == 1 and _other_encoding(raw, problems):
            return
        if line == 1 and raw.startswith(_BOM):
            raw, offset = raw.removeprefix(_BOM), len(_BOM)
        text = _decoded(raw, line, offset, problems)
        offset += len(raw)
        if text is not None:
            yield line, offset, text


def _lines(stream: BufferedIOBase) -> Iterator[bytes]:
    """Lines of a file; a line over the limit is cut just above it."""
    while raw := stream.readline(LINE_LIMIT + 2):
        if len(raw) > LINE_LIMIT + 1:
            while (rest := stream.readline(LINE_LIMIT)) and not rest.endswith(b"\n"):
                pass
        yield raw


def _other_encoding(raw: bytes, problems: Problems) -> bool:
    zeros = raw[:256].count(b"\x00")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or (zeros > 0 and zeros >= len(raw[:256]) // 4):
        problems.add("encoding", problems.source, "the file looks like UTF-16", "save it as UTF-8")
        return True
    return False


def _decoded(raw: bytes, line: int, offset: int, problems: Problems) -> str | None:
    if len(raw) > LINE_LIMIT + 1:
        remedy = "write one JSON object per line, with one question in each"
        what = f"the line is longer than {LINE_LIMIT // 10**6} MB"
        problems.add("line too long", f"{problems.source}:{line}", what, remedy)
        return None
    return utf8(raw, line, offset, problems)


def utf8(raw: bytes, line: int, offset: int, problems: Problems) -> str | None:
    """Text of bytes that begin on `line`, at `offset` in the file; None, and an error, if it is not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        what = f"byte 0x{raw[error.start]:02x} at offset {offset + error.start} is not UTF-8"
        where = f"{problems.source}:{place_of(before, len(before), line)}"
        problems.add("not UTF-8", where, what, "save the file as UTF-8 (it may be Latin-1)")
        return None


def place_of(text: str, place: int, line: int) -> str:
    """`line:column` of a place in a text that begins on `line`."""
    return f"{line + text.count(chr(10), 0, place)}:{place - text.rfind(chr(10), 0, place)}"


_SPACE = re.compile(r"\s*")
_ARRAY: Final = re.compile(r"\s*\]\s*\Z"), re.compile(r"\s*(,|(?=\]))")  # the end, and what separates elements
_OBJECTS: Final = re.compile(r"\s*\Z"), re.compile(r"\s*(?=\{|\Z)()")


class _Constant(ValueError):
    """NaN or Infinity, which are not JSON."""


def rows(stream: BufferedIOBase, problems: Problems) -> Iterator[Row]:
    """The objects of a file, one per line or in one array; what can't be read goes to `problems`."""
    number = 0
    for line, offset, text in texts(stream, problems):
        if not text.strip():
            continue
        if number == 0 and (text.lstrip().startswith("[") or text.strip() == "{"):
            yield from _spread(text, line, offset, stream, problems)
            return
        number += 1
        wrong = Problems(problems.source)
        if (row := _line(text, line, number, wrong)) is not None:
            yield row
        else:
            problems.reject(wrong)


def document(stream: BufferedIOBase, problems: Problems) -> Fields | None:
    """The one object in a file; None, and errors in `problems`, if there is anything else."""
    text = "".join(line for _, _, line in texts(stream, problems)).rstrip()
    start = len(text) - len(text.lstrip())
    parsed = None if len(problems) else _parsed(text, start, 1, problems)
    if parsed is None:
        return None
    value, end = parsed
    if text[end:].strip():
        what = "bad JSON: more text after the object"
        problems.add("bad JSON", f"{problems.source}:{place_of(text, end, 1)}", what, "one object in the file")
    elif not isinstance(value, Fields):
        problems.add("not an object", problems.source, "this is not a JSON object", "begin with { and end with }")
    elif clean(value, problems.source, text, problems):
        return value
    return None


def parse(text: str, where: str, problems: Problems) -> object | None:
    """The JSON value of a cell; None, and an error at `where`, if it is not JSON."""
    inner = Problems(where)
    parsed = _parsed(text.strip(), 0, 1, inner)
    if parsed is None or text.strip()[parsed[1] :]:
        problems.add("bad JSON in a cell", where, "this is not JSON", 'write a list or a map, like ["…"]')
        return None
    return parsed[0]


def _line(text: str, line: int, number: int, problems: Problems) -> Row | None:
    """The one object on a line."""
    text = text.rstrip()
    start = len(text) - len(text.lstrip())
    parsed = _parsed(text, start, line, problems)
    if parsed is None:
        return None
    value, end = parsed
    if text[end:].strip():
        column = end + 1 + len(text[end:]) - len(text[end:].lstrip())
        what = "bad JSON: more text after the object"
        problems.add("bad JSON", f"{problems.source}:{line}:{column}", what, "one JSON object per line")
        return None
    return _row(value, text, line, number, problems)


def _parsed(text: str, start: int, line: int, problems: Problems) -> tuple[object, int] | None:
    """The JSON value that begins at `start`, and where it ends; None, and an error, if it is not JSON."""
    try:
        return _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        where = f"{problems.source}:{line + error.lineno - 1}:{error.colno}"
        problems.add("bad JSON", where, f"bad JSON: {error.msg}", _remedy(text, error.pos))
    except _Constant as error:
        match = re.compile(rf'(?<![\w"])-?{str(error).lstrip("-")}').search(text, start)
        place = start if match is None else match.start()
        where = f"{problems.source}:{place_of(text, place, line)}"
        problems.add("not JSON", where, f"{error} is not JSON", "write a number or a text, or leave it out")
    except RecursionError:
        problems.add("nesting", f"{problems.source}:{line}", "brackets are nested too deeply", "use a flat object")
    return None


def _row(value: object, text: str, line: int, number: int, problems: Problems) -> Row | None:
    """A parsed value as a row; None, and errors, if it is not an object or has invalid text."""
    where = f"{problems.source}:{line}"
    if not isinstance(value, Fields):
        problems.add("not an object", where, "this is not a JSON object", 'write {"question": "…", …}')
        return None
    return Row(where, number, value) if clean(value, where, text, problems) else None


def _remedy(text: str, place: int) -> str:
    before = text[:place].rstrip()
    if before.endswith(",") and text[place : place + 1] in "}]":
        return "remove the comma before the closing bracket"
    return "one JSON object per line" if text.strip() in ("{", "[") else "check the quotes, commas and brackets"


def _spread(head: str, line: int, offset: int, stream: BufferedIOBase, problems: Problems) -> Iterator[Row]:
    """The elements of a file that is one JSON array, or objects over several lines, each with its first line."""
    rest = utf8(stream.read(), line + 1, offset, problems)
    if rest is None:
        return
    text = head + rest
    array = text.lstrip().startswith("[")
    (end, separator), place = (_ARRAY, text.index("[") + 1) if array else (_OBJECTS, 0)
    number, here, counted = 0, line, 0
    while end.match(text, place) is None:
        start = _SPACE.match(text, place).end()  # pyright: ignore[reportOptionalMemberAccess]
        here, counted = here + text.count("\n", counted, start), start
        if (parsed := _parsed(text, start, line, problems)) is None:
            return
        number += 1
        wrong = Problems(problems.source)
        if (row := _row(parsed[0], text[start : parsed[1]], here, number, wrong)) is not None:
            yield row
        else:
            problems.reject(wrong)
        between = separator.match(text, parsed[1])
        if between is None or (between[1] == "," and end.match(text, between.end())):
            expected = "expected ',' or ']'" if array else "expected {"
            what = f"bad JSON: {expected if between is None else 'a comma before the closing ]'}"
            problems.add("bad JSON", f"{problems.source}:{place_of(text, parsed[1], line)}", what)
            return
        place = between.end()


def _pairs(pairs: list[tuple[str, object]]) -> Fields:
    fields = Fields(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        fields.repeated = tuple(name for name in fields if names.count(name) > 1)
    return fields


def _constant(name: str) -> object:
    raise _Constant(name)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=Number, parse_float=Number, parse_constant=_constant
)
