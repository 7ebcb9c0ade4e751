"""Missing files are reported, places checked before any work starts, and files written whole or not at all.

A run directory has one process (`locked`): the system releases the lock when its process dies, however it dies.
What it was begun for is written down (`claim`), and its logs only grow (`Journal`).
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import math
import os
import socket
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock, Timeout

from alft.errors import CheckpointError, DataError, Problem, RunLockedError

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    import pyarrow as pa


PICTURES: Final = (".svg", ".png", ".pdf")
NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def not_found(path: str | Path, what: str, remedy: str, where: str = "") -> Problem:
    """A path that leads nowhere: where it was looked for, and a name in that directory that is nearly the same.

    `where` is the setting that named it, by default the path itself.
    """
    folder = Path(path).expanduser().absolute().parent
    readable = folder.is_dir() and os.access(folder, os.R_OK)
    others = set(os.listdir(folder)) - {Path(path).name} if readable else ()  # a broken link is there
    close = get_close_matches(Path(path).name, sorted(others), n=1)
    looked = f"in {folder}" if folder.is_dir() else f"(there is no directory {folder})"
    return Problem(where or str(path), f"{what} {looked}", f"did you mean {close[0]!r}?" if close else remedy)


def unreadable(path: str | Path, error: OSError, remedy: str) -> Problem:
    """A file that the system does not give, and why."""
    what = f"can't be read: {error.strerror or error}"
    return (
        not_found(path, what, remedy) if isinstance(error, FileNotFoundError) else Problem(str(path), what, remedy)
    )


def new_problems(*files: Path | None) -> Iterator[Problem]:
    """Each file that already exists or is named twice, or whose folder can't be written to; None is skipped."""
    there = [path for path in files if path is not None]
    for number, path in enumerate(there):
        if path.exists():
            yield Problem(str(path), "exists already", "choose another name")
        if path.absolute() in [other.absolute() for other in there[:number]]:
            yield Problem(str(path), "is named for two outputs", "choose another name for one of them")
    yield from folder_problems(*there)


def folder_problems(*files: Path | None) -> Iterator[Problem]:
    """Each file whose folder does not exist or can't be written to; None is skipped.

    >>> [str(problem) for problem in folder_problems(Path("none/x.json"), None, Path("x.json"))]
    ['none/x.json: its folder does not exist — make it, or choose another name']
    """
    for path in files:
        if path is not None and not path.absolute().parent.is_dir():
            yield Problem(str(path), "its folder does not exist", "make it, or choose another name")
        elif path is not None and not os.access(path.absolute().parent, os.W_OK):
            yield Problem(str(path), "its folder can't be written to", "change its permissions, or choose another")


def check_place(directory: Path) -> None:
    """Raise DataError if a directory, made with its parents where it is missing, can't be written to."""
    places = (directory.absolute(), *directory.absolute().parents)
    there = next(path for path in places if path.exists() or path.is_symlink())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        kind = "is a file" if there.exists() else "is a broken link"
        what = f"{there} {'can not be written to' if there.is_dir() else kind}"
        raise DataError(Problem(str(directory), what, "choose another directory"))


def ending_problems(
    option: str, path: Path | None, kind: str = "picture", endings: Sequence[str] = PICTURES
) -> Iterator[Problem]:
    """A file that is no picture, or none of another kind, by its name."""
    if path is not None and path.suffix.lower() not in endings:
        yield Problem(option, f"{path} is no {kind} by its name", f"end it in {', '.join(endings)}")


@contextmanager
def reporting_full_disk(where: str, remedy: str) -> Iterator[None]:
    """Report a disk that is full: raises CheckpointError for it; other errors are raised as they are."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        what = f"{error.filename or 'its output'} can't be written to ({error.strerror or error})"
        raise CheckpointError(Problem(where, what, remedy)) from error


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` to write to; at the end it is flushed to disk and renamed to `path`.

    After an error the temporary file is removed, and an earlier file at `path` is unchanged.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        sync(part)
        part.replace(path)
    except OSError as error:
        if error.errno in NO_ROOM:
            error.filename = str(path)
        raise
    finally:
        part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file or a directory to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically; nan and infinities become null."""
    write_text(path, json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def write_parquet(
    path: Path,
    tables: Iterable[pa.Table],
    schema: pa.Schema,
    compression: str = "zstd",
    metadata: Callable[[], Mapping[bytes, bytes]] | None = None,
) -> None:
    """Write a Parquet file atomically, a row group per table; the schema's `metadata` may be found at the end."""
    import pyarrow.parquet as pq

    with (
        atomic(path) as part,
        pq.ParquetWriter(part, schema, compression=compression, store_schema=metadata is None) as writer,
    ):
        for table in tables:
            writer.write_table(table.cast(schema))
        if metadata is not None:
            late = schema.with_metadata(metadata())
            stored = b64encode(late.serialize())  # where Arrow itself puts a schema, before the first row
            writer.add_key_value_metadata({**late.metadata, b"ARROW:schema": stored})


def plain(value: Any) -> Any:
    """The value with nan and infinities as None, which JSON has no numbers for."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def claim(path: Path, request: Mapping[str, Any]) -> None:
    """Write what is requested to `path`; if it exists, the request there must be the same.

    Raises DataError with every difference.
    """
    asked = json.loads(json.dumps(request))
    if not path.exists():
        write_text(path, json.dumps(asked, indent=2))
        return
    remedy, problems = f"remove {path.parent} to start over", []
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(Problem(str(path), f"is not JSON ({error})", remedy)) from None
    for name, was, now in differences(begun, asked):
        what = f"was begun with {was!r}, and is now {now!r}"
        problems.append(Problem(f"{path}: {name}", what, f"ask for the same, or {remedy}"))
    if problems:
        raise DataError(problems)


def differences(begun: Any, asked: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two records of JSON differ: the place, and both values."""
    if isinstance(begun, dict) and isinstance(asked, dict):
        for key in sorted({*begun, *asked}):
            yield from differences(begun.get(key), asked.get(key), f"{name}.{key}".lstrip("."))
    elif begun != asked:
        yield name, begun, asked


LOCK = ".lock"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a run directory, which must exist; the lock file names the process that holds it.

    Raises RunLockedError with host and process id if another live process holds it.
    """
    path = directory / LOCK
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(path, blocking=False))
        except Timeout:
            what = f"another run is using this directory ({_holder(path)})"
            raise RunLockedError(Problem(str(directory), what, "wait until it ends, or stop it")) from None
        except OSError as error:
            logger.warning("%s can't be locked (%s): don't start a second run there", directory, error)
        path.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}), encoding="utf-8")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


CHUNK = 1 << 22  # bytes read at once


class Journal:
    """One JSON object a line; every append reaches the system at once, `state_dict` the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab")
        self._bytes, self._digest = 0, hashlib.sha256()  # of the file as far as it was read

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add records, which hold nothing that JSON has not."""
        lines = "".join(json.dumps(record, allow_nan=False) + "\n" for record in records)
        self._file.write(lines.encode())
        self._file.flush()

    def records(self) -> Iterator[dict[str, Any]]:
        """Every record, oldest first; a last line cut off by a kill is left out."""
        with self.path.open("rb") as file:
            yield from (json.loads(line) for line in file if line.endswith(b"\n"))

    def state_dict(self) -> dict[str, Any]:
        """The place: how long the log is, and the sha256 of it."""
        os.fsync(self._file.fileno())
        self._read_to(None)
        return {"bytes": self._bytes, "sha256": self._digest.hexdigest()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a place; raises CheckpointError if what was before it was changed since."""
        self._bytes, self._digest = 0, hashlib.sha256()
        self._read_to(state["bytes"])
        if (self._bytes, self._digest.hexdigest()) != (state["bytes"], state["sha256"]):
            what = "was cut or changed since the checkpoint was made"
            raise CheckpointError(Problem(str(self.path), what, "restore it, or start over with --overwrite"))
        self._file.truncate(self._bytes)

    def close(self) -> None:
        """No more records."""
        self._file.close()

    def _read_to(self, end: int | None) -> None:
        """Length and digest of the file as it is, up to `end`, from where it was read before."""
        with self.path.open("rb") as file:
            file.seek(self._bytes)
            while block := file.read(CHUNK if end is None else min(CHUNK, end - self._bytes)):
                self._bytes += len(block)
                self._digest.update(block)
