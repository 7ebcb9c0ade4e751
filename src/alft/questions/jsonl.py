"""JSONL, one JSON array, or objects over several lines, read strictly: every error has its file:line:column.

Nothing is converted, and numbers keep the text they were written with. NaN, repeated fields, lone surrogates,
NUL, other encodings and lines over 20 MB are errors.
"""

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
    line = offset = 0
    while raw := stream.readline(LINE_LIMIT + 2):
        line, text, too_long = line + 1, None, len(raw) > LINE_LIMIT + 1
        zeros = raw[:256].count(b"\x00")
        if line == 1 and (raw.startswith((b"\xff\xfe", b"\xfe\xff")) or 0 < zeros >= len(raw[:256]) // 4):
            problems.add("encoding", problems.source, "the file looks like UTF-16", "save it as UTF-8")
            return
        if line == 1 and raw.startswith(_BOM):
            raw, offset = raw.removeprefix(_BOM), len(_BOM)
        if too_long:
            while (rest := stream.readline(LINE_LIMIT)) and not rest.endswith(b"\n"):
                pass
            what = f"the line is longer than {LINE_LIMIT // 10**6} MB"
            remedy = "write one JSON object per line, with one question in each"
            problems.add("line too long", f"{problems.source}:{line}", what, remedy)
        else:
            text = utf8(raw, line, offset, problems)
        offset += len(raw)
        if text is not None:
            yield line, offset, text


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
        where = f"{problems.source}:{line}"
        with problems.of_row() as row:
            if (fields := _only(text, line, where, row)) is not None:
                yield Row(where, number, fields)


def document(stream: BufferedIOBase, problems: Problems) -> Fields | None:
    """The one object in a file; None, and errors in `problems`, if there is anything else."""
    text = "".join(line for _, _, line in texts(stream, problems))
    remedies = "one object in the file", "begin with { and end with }"
    return None if len(problems) else _only(text, 1, problems.source, problems, remedies)


def parse(text: str, where: str, problems: Problems) -> object | None:
    """The JSON value of a cell; None, and an error at `where`, if it is not JSON."""
    parsed = _parsed(text.strip(), 0, 1, Problems(where))
    if parsed is None or text.strip()[parsed[1] :]:
        problems.add("bad JSON in a cell", where, "this is not JSON", 'write a list or a map, like ["…"]')
        return None
    return parsed[0]


_REMEDIES: Final = "one JSON object per line", 'write {"question": "…", …}'


def _only(
    text: str, line: int, where: str, problems: Problems, remedies: tuple[str, str] = _REMEDIES
) -> Fields | None:
    """The only object in a text that begins on `line`; `remedies` are for more text, and for another value."""
    text = text.rstrip()
    if (parsed := _parsed(text, len(text) - len(text.lstrip()), line, problems)) is None:
        return None
    value, end = parsed
    if behind := text[end:].lstrip():
        place = f"{problems.source}:{place_of(text, len(text) - len(behind), line)}"
        problems.add("bad JSON", place, "bad JSON: more text after the object", remedies[0])
        return None
    return _object(value, where, text, problems, remedies[1])


def _object(value: object, where: str, text: str, problems: Problems, remedy: str = _REMEDIES[1]) -> Fields | None:
    """A parsed value; None, and errors, if it is not an object or has invalid text."""
    if not isinstance(value, Fields):
        problems.add("not an object", where, "this is not a JSON object", remedy)
        return None
    return value if clean(value, where, text, problems) else None


def _parsed(text: str, start: int, line: int, problems: Problems) -> tuple[object, int] | None:
    """The JSON value that begins at `start`, and where it ends; None, and an error, if it is not JSON."""
    try:
        return _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        where = f"{problems.source}:{line + error.lineno - 1}:{error.colno}"
        remedy = (
            "one JSON object per line" if text.strip() in ("{", "[") else "check the quotes, commas and brackets"
        )
        if text[: error.pos].rstrip().endswith(",") and text[error.pos : error.pos + 1] in "}]":
            remedy = "remove the comma before the closing bracket"
        problems.add("bad JSON", where, f"bad JSON: {error.msg}", remedy)
    except ValueError as error:
        match = re.compile(rf'(?<![\w"])-?{str(error).lstrip("-")}').search(text, start)
        place = start if match is None else match.start()
        where = f"{problems.source}:{place_of(text, place, line)}"
        problems.add("not JSON", where, f"{error} is not JSON", "write a number or a text, or leave it out")
    except RecursionError:
        problems.add("nesting", f"{problems.source}:{line}", "brackets are nested too deeply", "use a flat object")
    return None


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
        where = f"{problems.source}:{here}"
        with problems.of_row() as row:
            if (fields := _object(parsed[0], where, text[start : parsed[1]], row)) is not None:
                yield Row(where, number, fields)
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
    raise ValueError(name)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=Number, parse_float=Number, parse_constant=_constant
)
