"""Bytes of a file to lines of text: UTF-8 only, the place of what is not, and a limit per line."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedIOBase
from typing import Final

from alft.questions.problems import Problems

LINE_LIMIT: Final = 20_000_000  # bytes
_BOM = b"\xef\xbb\xbf"


def texts(stream: BufferedIOBase, problems: Problems) -> Iterator[tuple[int, int, str]]:
    """(line number, offset behind the line, text with its line end) of each line that can be read."""
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
    """Lines of a file; of one over the limit only what shows that it is."""
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
        remedy = "one JSON object per line, with one question in each"
        problems.add(
            "line too long",
            f"{problems.source}:{line}",
            f"the line is longer than {LINE_LIMIT // 10**6} MB",
            remedy,
        )
        return None
    return utf8(raw, line, offset, problems)


def utf8(raw: bytes, line: int, offset: int, problems: Problems) -> str | None:
    """Text of bytes that begin on `line`, at `offset` in the file; None, and a problem, if not UTF-8."""
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
