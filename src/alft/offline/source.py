"""Where completions are: files that are read some row groups at a time, and cut into pieces of whole questions."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from alft.answers import USUAL, AnswerPolicy, KeyPolicy, ReadPolicy
from alft.completions import SCHEMA, VERSION, upgraded
from alft.counts import UNREAD
from alft.errors import DataError, Problem
from alft.simplex import Array
from alft.storage.files import not_found
from alft.text import visible

OLDEST = 2  # version of a samples file that is still read
METADATA = b"alft"
REQUIRED = ("answer_map", "gold", "group", "key", "refusal")
NEVER_NULL = ("question_id", "view", "prompt", "chat", "sample", "completion", "truncated")
CODED = ("question_id", "view", "gold", "key", "refusal", "answer_map")  # few distinct values, many rows
WEIGHT = pa.field("weight", pa.float64())
LENT = pa.field("lent", pa.list_(pa.struct([("view", pa.string()), ("weight", pa.float64())])))
PIECE = 1 << 18
"""Completions that are solved together; a source that has more is solved in pieces of whole questions."""
TEXTS = 16_384  # completions whose texts are in memory at a time; also the rows of a row group
SORTING = "500MB"
SORTED = """
COPY (
    SELECT * EXCLUDE (file_row_number, first_row)
    FROM (SELECT *, min(file_row_number) OVER (PARTITION BY question_id) AS first_row
          FROM read_parquet($1, file_row_number = true))
    ORDER BY first_row, file_row_number
) TO '{}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {})
"""


@dataclass(frozen=True)
class Provenance:
    """Where completions came from.

    `model` (backend, name, revision, digest), `sampling` (how they were drawn), `data` (source, digest, sizes, of
    the parts of a file also which part), the `version` of alft, and the `solution` that made the weights, if any.
    """

    model: Mapping[str, Any]
    sampling: Mapping[str, Any]
    data: Mapping[str, Any]
    version: str
    solution: Mapping[str, Any] | None = None
    format: int = VERSION

    @property
    def chat(self) -> bool:
        """Whether text prompts were asked as a user message, and not as they stand."""
        return bool(self.model.get("chat", False))

    @property
    def answers(self) -> AnswerPolicy:
        """How the completions were read and their answers compared."""
        policies = self.data.get("answers")
        if policies is None:
            return USUAL
        return AnswerPolicy(KeyPolicy(**policies["keys"]), ReadPolicy(**policies["reading"]))

    def to_metadata(self) -> dict[bytes, bytes]:
        """Metadata for a Parquet schema."""
        return {**SCHEMA.metadata, METADATA: json.dumps(asdict(self), sort_keys=True).encode()}


_RECORDED = {
    "model": {"revision": str, "chat_template_kwargs": dict[str, bool | int | float | str | None]},
    "sampling": {"samples": int, "max_new_tokens": int},
    "data": {"source": str},
    "data.answers": {"keys": KeyPolicy, "reading": ReadPolicy},
    "data.part": {"number": int, "of": int},
    "solution": {"game": str, "beta": float, "shrinkage": float},
}
"""What sections of a provenance hold; those behind `data` may be missing."""
_STORED = {"gold": list[str], "answer_map": dict[str, str] | None, "prompt": list[dict[str, str]]}
"""What columns of JSON hold."""
_adapter = cache(TypeAdapter)


def _damage(recorded: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each field of a provenance that is of another type, or needed and missing, and what is wrong."""
    if not isinstance(recorded.get("model"), dict):
        yield "model", "is no mapping"
    for section, fields in _RECORDED.items():
        found: Any = recorded
        for key in section.split("."):
            found = found.get(key) if isinstance(found, dict) else None
        for name, kind in fields.items() if found is not None or section in ("sampling", "data") else ():
            value: Any = found.get(name) if isinstance(found, dict) else None
            if value is None and isinstance(found, dict) and section in ("model", "sampling", "data"):
                continue  # older files have less
            try:
                _adapter(kind).validate_json(json.dumps(value), strict=True)
                if section == "data.answers":
                    kind(**cast(dict[str, Any], value))  # raises for a choice that is not known
            except (ValidationError, TypeError) as error:
                what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
                yield f"{section}.{name}", what


def wrong_json(path: Path, name: str, texts: Iterable[str]) -> Iterator[Problem]:
    """The first text of a column that is not the JSON that belongs there."""
    for text in texts:
        try:
            _adapter(_STORED[name]).validate_json(text, strict=True)
        except ValidationError as error:
            what = f"{visible(text, 60)!r} can't be read ({error.errors()[0]['msg']})"
            yield Problem(f"{path}: {name}", what, "sample again")
            return


@dataclass(frozen=True)
class Source:
    """Samples `files` of one provenance, one after the other; `path` is what messages call them."""

    path: Path
    files: tuple[Path, ...]
    provenance: Provenance

    @cached_property
    def rows(self) -> int:
        """How many completions there are."""
        return sum(self._sizes)

    @cached_property
    def _sizes(self) -> list[int]:
        return [pq.read_metadata(file).num_rows for file in self.files]

    def place(self, row: int) -> str:
        """A row for a message: its file, and its number there."""
        ends = np.cumsum(self._sizes)
        file = int(np.searchsorted(ends, row, side="right"))
        shown = self.files[file] if len(self.files) > 1 else self.path
        return f"{shown}: row {row + 1 - int(ends[file] - self._sizes[file])}"

    def codes(self, rows: int) -> Iterator[tuple[int, pa.Table]]:
        """The columns without texts, coded, `rows` or so at a time, of whole questions, and where they begin.

        Everything at once, in any order of the rows, if there are not more.
        """
        start, held = 0, None
        for table in self._tables([*CODED, "sample", "truncated", "weight", "lent"], rows):
            held = table if held is None else pa.concat_tables([_recoded(held), table])
            while self.rows > rows and len(held) > rows:
                ends = np.flatnonzero(np.diff(codes_of(held.column("question_id"))[0])) + 1
                if len(ends) == 0:
                    break
                end = int(ends[max(np.searchsorted(ends, rows, side="right") - 1, 0)])
                yield start, held.slice(0, end)
                start, held = start + end, held.slice(end)
        if held is not None:
            yield start, held

    def _tables(self, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
        """Row groups, joined until they have at least `rows` rows or the file ends."""
        for path in self.files:
            with _readable(path):
                file = pq.ParquetFile(path, read_dictionary=list(CODED))
                names = [name for name in columns if name in file.schema_arrow.names]
                sizes, done = _groups(file), 0
                while done < len(sizes):
                    end = done + 1 + int(np.searchsorted(np.cumsum(sizes[done:]), rows))
                    yield file.read_row_groups(list(range(done, min(end, len(sizes)))), columns=names)
                    done = end

    def texts(self, rows: range) -> Iterator[pa.Table]:
        """These rows with every column of `SCHEMA`, part after part."""
        first = 0
        for path in self.files:
            with _readable(path):
                file = pq.ParquetFile(path)
                sizes = _groups(file)
                ends = first + np.cumsum(sizes)
                groups = np.flatnonzero((ends > rows.start) & (ends - sizes < rows.stop)).tolist()
                start = int((ends - sizes)[groups[0]]) if groups else 0
                for batch in file.iter_batches(batch_size=TEXTS, row_groups=groups) if groups else ():
                    low, high = max(rows.start - start, 0), min(rows.stop - start, len(batch))
                    if low < high:
                        asked = batch.column("prompt").filter(batch.column("chat")).unique().to_pylist()
                        if wrong := list(wrong_json(path, "prompt", asked)):
                            raise DataError(wrong)
                        yield upgraded(pa.Table.from_batches([batch.slice(low, high - low)]))
                    start += len(batch)
                first = int(ends[-1])

    def returns(self) -> Iterator[tuple[int, str]]:
        """Each row where a question appears again after another one, and the question."""
        seen: set[str] = set()
        last = None
        for here, table in placed(self._tables(["question_id"], PIECE)):
            codes, names = codes_of(table.column(0))
            for row in [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist()]:
                name = names[codes[row]]
                if name != last and name in seen:
                    yield here.start + row, name
                seen.add(name)
                last = name

    @contextmanager
    def in_order(self, folder: Path | None) -> Iterator[Self]:
        """The same with the rows of each question together, sorted by DuckDB into a file in `folder` if need be.

        Parts are in order since they were opened. Raises DataError if DuckDB is needed and is not installed.
        """
        back = next(self.returns(), None) if len(self.files) == 1 else None
        if back is None:
            yield self
            return
        try:
            import duckdb  # pyright: ignore[reportMissingImports]
        except ImportError:
            many = f"{self.rows:,} completions are too many to hold"
            what = f"question {back[1]!r} comes back after others, and {many}"
            remedy = "pip install 'alft[duckdb]', and `alft solve` sorts them on disk"
            raise DataError(Problem(self.place(back[0]), what, remedy)) from None
        with TemporaryDirectory(dir=folder) as place:
            limits = {"memory_limit": SORTING, "temp_directory": place, "threads": 1}
            made = Path(place) / "sorted.parquet"
            with duckdb.connect(config=limits) as connection:
                connection.execute(SORTED.format(str(made).replace("'", "''"), TEXTS), [str(self.files[0])])
            yield replace(self, files=(made,))


def _groups(file: pq.ParquetFile) -> Array:
    return np.array([file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)])


def placed(tables: Iterable[pa.Table]) -> Iterator[tuple[slice, pa.Table]]:
    """Each table, and where its rows are among those of all."""
    start = 0
    for table in tables:
        yield slice(start, start + len(table)), table
        start += len(table)


def codes_of(column: pa.ChunkedArray) -> tuple[Array, tuple[str, ...]]:
    """Codes of a column of texts in order of first appearance, −1 for null, and the texts by code."""
    whole = pa.concat_arrays(column.unify_dictionaries().chunks)
    codes = whole.indices.fill_null(UNREAD).to_numpy(zero_copy_only=False).astype(np.int64)
    used = np.bincount(codes[codes >= 0], minlength=len(whole.dictionary)) > 0
    if used.all():
        return codes, tuple(whole.dictionary.to_pylist())
    numbers = np.append(np.cumsum(used) - 1, UNREAD)  # a slice does not have all texts of its table
    return numbers[codes], tuple(whole.dictionary.filter(pa.array(used)).to_pylist())


def _recoded(table: pa.Table) -> pa.Table:
    """The table with dictionaries that hold only its own texts."""
    for place, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type):
            own = column.cast(column.type.value_type).dictionary_encode()
            table = table.set_column(place, table.column_names[place], own)
    return table


def _provenance(path: Path, schema: pa.Schema) -> Provenance:
    """The provenance in a schema's metadata; DataError if it is no file of ours, damaged, or of a later format."""
    try:
        recorded = dict(json.loads((schema.metadata or {})[METADATA]))
    except (KeyError, TypeError, ValueError):
        what = "was not written by alft: no provenance in its metadata"
        raise DataError(Problem(str(path), what, "make one with `alft sample`")) from None
    if (version := recorded.get("format", VERSION)) not in range(OLDEST, VERSION + 1):
        what = f"has format {version!r}, and this alft reads {OLDEST} to {VERSION}"
        raise DataError(Problem(str(path), what, "use the alft that wrote it"))
    if wrong := list(_damage(recorded)):
        raise DataError([Problem(f"{path}: metadata: {name}", what, "sample again") for name, what in wrong])
    try:
        return Provenance(**recorded)
    except TypeError as error:
        raise DataError(Problem(f"{path}: metadata", str(error), "use the alft that wrote it")) from None


def open_file(path: Path) -> Source:
    """One file, whose schema is checked."""
    with _readable(path):
        file = pq.ParquetFile(path)
        provenance = _provenance(path, file.schema_arrow)
        _check_schema(path, file)
    return Source(path, (path,), provenance)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataError(not_found(path, "no such file", "give a file that `alft sample` wrote")) from None
    except (pa.ArrowException, OSError) as error:
        what = f"can't be read as Parquet ({' '.join(str(error).split())[:200]})"
        raise DataError(
            Problem(str(path), what, "sample again; for a file of questions, first run `alft sample`")
        ) from None


def _check_schema(path: Path, file: pq.ParquetFile) -> None:
    found = {field.name: field.type for field in file.schema_arrow}
    found |= {name: type.value_type for name, type in found.items() if pa.types.is_dictionary(type)}
    problems = [
        Problem(f"{path}: {wanted.name}", f"the column is missing or not {wanted.type}", "sample again")
        for wanted in map(SCHEMA.field, (*NEVER_NULL, *REQUIRED))
        if found.get(wanted.name) != wanted.type
    ]
    problems += [
        Problem(f"{path}: {wanted.name}", f"is not {wanted.type}", "run `alft solve` again")
        for wanted in (WEIGHT, LENT)
        if found.get(wanted.name, wanted.type) != wanted.type
    ]
    if not problems and file.metadata.num_rows == 0:
        problems.append(Problem(str(path), "0 completions", "sample again"))
    for name in NEVER_NULL if not problems else ():
        if missing := _nulls(file, name):
            problems.append(Problem(f"{path}: {name}", f"{missing} rows have no value", "sample again"))
    if problems:
        raise DataError(problems)


def _nulls(file: pq.ParquetFile, name: str) -> int:
    """How many rows have no value in a column, without reading it where the file says so itself."""
    metadata, at = file.metadata, file.schema_arrow.names.index(name)
    known = [metadata.row_group(i).column(at).statistics for i in range(metadata.num_row_groups)]
    if all(each is not None and each.has_null_count for each in known):
        return sum(each.null_count for each in known)
    return file.read(columns=[name]).column(name).null_count
