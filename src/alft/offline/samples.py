"""The samples file: one row per completion in Parquet, with where it came from (theory.md 6).

The columns are `alft.completions.SCHEMA`, as in a run's completions.parquet. Only samples files fill these:

prompt, chat         what the model was asked: plain text, or (`chat`) a JSON list of messages
gold, answer_map     of the question and the view, as JSON; null if there is none
weight               of the completion at the equilibrium; only in a file that `alft solve` wrote, as
lent                 to which other views the completion was lent, with what weight

The file's metadata hold the `Provenance` as JSON under "alft", so that a file explains itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from alft.answers import USUAL, AnswerPolicy, KeyPolicy, ReadPolicy, gold_set
from alft.completions import SCHEMA, VERSION
from alft.counts import UNREAD
from alft.errors import DataError, Problem
from alft.offline.tallies import Loans
from alft.simplex import Array

OLDEST = 2  # version of a samples file that is still read
METADATA = b"alft"
WEIGHT = pa.field("weight", pa.float64())
LENT = pa.field("lent", pa.list_(pa.struct([("view", pa.string()), ("weight", pa.float64())])))
REQUIRED = ("answer_map", "gold", "group", "key", "refusal")
NEVER_NULL = ("question_id", "view", "prompt", "chat", "sample", "completion", "truncated")
Coded = tuple[Array, tuple[str, ...]]
"""Codes, and the texts that they stand for."""
CODED = ("question_id", "view", "gold", "key", "refusal", "answer_map")  # few distinct values, many rows


@dataclass(frozen=True)
class Provenance:
    """Where completions came from.

    `model` (backend, name, revision, digest), `sampling` (how they were drawn), `data` (source, digest, sizes),
    the `version` of alft, and the `solution` that made the weights, if there are any.
    """

    model: Mapping[str, Any]
    sampling: Mapping[str, Any]
    data: Mapping[str, Any]
    version: str
    solution: Mapping[str, Any] | None = None
    format: int = field(default=VERSION)

    @property
    def chat(self) -> bool:
        """Whether text prompts were asked as a user message, and not as they stand."""
        return bool(self.model.get("chat", False))

    @property
    def answers(self) -> AnswerPolicy:
        """How the completions were read and their answers compared."""
        told = self.data.get("answers")
        return USUAL if told is None else AnswerPolicy(KeyPolicy(**told["keys"]), ReadPolicy(**told["reading"]))

    def to_metadata(self) -> dict[bytes, bytes]:
        """Metadata for a Parquet schema."""
        return {**SCHEMA.metadata, METADATA: json.dumps(asdict(self), sort_keys=True).encode()}


@dataclass(frozen=True)
class Samples:
    """What a samples file holds, without the texts: integer codes with axis (completion).

    `question`, `view`: positions in `questions` and `views`. `key`: position in `keys`, −1 if unread. `right`: 1,
    0, or nan where no gold answer is known (unread is wrong). `refusal`: position in `refusals`, −1 if the prompt
    was taken. `space`: a number for each way in which a view's answers are pulled back to the question's.
    `weight` and `loans` (to positions in `views`) are None in a file that was not solved.
    """

    path: Path
    provenance: Provenance
    questions: tuple[str, ...]
    views: tuple[str, ...]
    keys: tuple[str, ...]
    question: Array
    view: Array
    key: Array
    sample: Array
    truncated: Array
    right: Array
    refusal: Array
    refusals: tuple[str, ...]
    space: Array
    weight: Array | None = None
    loans: Loans | None = None

    def __len__(self) -> int:
        return len(self.question)

    @cached_property
    def answer(self) -> Array:
        """`key`, but −1 also where the completion was cut off, unless such completions were to be read."""
        if self.provenance.answers.reading.truncated == "read":
            return self.key
        return np.where(self.truncated, UNREAD, self.key)

    def refused(self) -> dict[tuple[str, str], str]:
        """Why the server did not take a prompt, by question and view of the prompts that it refused."""
        return {
            (self.questions[self.question[row]], self.views[self.view[row]]): self.refusals[self.refusal[row]]
            for row in np.flatnonzero(self.refusal >= 0)
        }

    def texts(self) -> Iterator[pa.RecordBatch]:
        """The rows with their texts, in the order of the codes, batch after batch."""
        yield from pq.ParquetFile(self.path).iter_batches(batch_size=16_384)


def is_samples(path: Path) -> bool:
    """Whether a file looks like Parquet, whatever is in it."""
    try:
        with path.open("rb") as stream:
            return stream.read(4) == b"PAR1"
    except OSError:
        return False


def read_samples(path: Path) -> Samples:
    """Read a samples file strictly; raises DataError with everything that is wrong with it."""
    table, provenance = _open(path)
    problems = list(_wrong_values(path, table))
    coded = {name: _codes(table.column(name)) for name in CODED}
    (question, questions), (view, views), (gold, golds), (key, keys), refusal, space = (
        coded[name] for name in CODED
    )
    sample = table.column("sample").to_numpy()
    problems += _repeated(path, questions, views, (question, view, sample))
    if problems:
        raise DataError(problems)
    return Samples(
        path=path,
        provenance=provenance,
        questions=questions,
        views=views,
        keys=keys,
        question=question,
        view=view,
        key=key,
        sample=sample,
        truncated=table.column("truncated").to_numpy(),
        right=_right((key, keys), (gold, golds), provenance.answers.keys),
        refusal=refusal[0],
        refusals=refusal[1],
        space=space[0] + 1,
        weight=table.column("weight").to_numpy() if "weight" in table.column_names else None,
        loans=_loans(table, views) if "lent" in table.column_names else None,
    )


def read_provenance(path: Path, schema: pa.Schema) -> Provenance:
    """The provenance in a schema's metadata; DataError if it is no file of ours, or of a later format."""
    try:
        fields = json.loads((schema.metadata or {})[METADATA])
        told = Provenance(**fields)
    except (KeyError, TypeError, ValueError):
        what = "was not written by alft: no provenance in its metadata"
        raise DataError(Problem(str(path), what, "make one with `alft sample`")) from None
    if not OLDEST <= told.format <= VERSION:
        what = f"has format {told.format}, and this alft reads {OLDEST} to {VERSION}"
        raise DataError(Problem(str(path), what, "use the alft that wrote it"))
    return told


def _open(path: Path) -> tuple[pa.Table, Provenance]:
    """The columns without texts, coded; the schema is checked first."""
    try:
        file = pq.ParquetFile(path)
        provenance = read_provenance(path, file.schema_arrow)
        _check_schema(path, file)
        file = pq.ParquetFile(path, read_dictionary=list(CODED))
        wanted = [*CODED, "sample", "truncated", *({"weight", "lent"} & set(file.schema_arrow.names))]
        return file.read(columns=wanted), provenance
    except FileNotFoundError:
        raise DataError(Problem(str(path), "no such file", "give a file that `alft sample` wrote")) from None
    except (pa.ArrowException, OSError) as error:
        told = " ".join(str(error).split())[:200]
        raise DataError(Problem(str(path), f"can't be read as Parquet ({told})", "sample again")) from None


def _check_schema(path: Path, file: pq.ParquetFile) -> None:
    found = file.schema_arrow
    problems = [
        Problem(f"{path}: {wanted.name}", f"the column is missing or not {wanted.type}", "sample again")
        for wanted in map(SCHEMA.field, (*NEVER_NULL, *REQUIRED))
        if wanted.name not in found.names or not _same_type(found.field(wanted.name).type, wanted.type)
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
    told = [metadata.row_group(i).column(at).statistics for i in range(metadata.num_row_groups)]
    if all(each is not None and each.has_null_count for each in told):
        return sum(each.null_count for each in told)
    return file.read(columns=[name]).column(name).null_count


def _same_type(found: pa.DataType, wanted: pa.DataType) -> bool:
    return (found.value_type if pa.types.is_dictionary(found) else found) == wanted


def _wrong_values(path: Path, table: pa.Table) -> Iterator[Problem]:
    if "weight" in table.column_names:
        weight = table.column("weight").to_numpy()
        if not (np.isfinite(weight).all() and (weight >= 0).all()):
            yield Problem(f"{path}: weight", "a weight is negative or not finite", "run `alft solve` again")
    if "lent" in table.column_names:
        lent = table.column("lent").combine_chunks().flatten()
        weight = lent.field("weight").to_numpy(zero_copy_only=False)
        if not (np.isfinite(weight).all() and (weight >= 0).all()):
            yield Problem(f"{path}: lent", "a weight is negative or not finite", "run `alft solve` again")
        unknown = set(lent.field("view").to_pylist()) - set(table.column("view").unique().to_pylist())
        if unknown:
            yield Problem(f"{path}: lent", f"no view is called {sorted(unknown, key=str)[0]!r}", "solve again")


def _codes(column: pa.ChunkedArray) -> tuple[Array, tuple[str, ...]]:
    """Codes of a column of texts in order of first appearance, −1 for null, and the texts by code."""
    whole = pa.concat_arrays(column.unify_dictionaries().chunks)
    codes = whole.indices.fill_null(UNREAD).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, tuple(whole.dictionary.to_pylist())


def _repeated(path: Path, questions: tuple[str, ...], views: tuple[str, ...], places: tuple) -> list[Problem]:
    question, view, sample = places
    order = np.lexsort((sample, view, question))
    same = np.ones(max(len(order) - 1, 0), dtype=bool)
    for column in places:
        same &= np.diff(column[order]) == 0
    twice = order[1:][same][:5]
    return [
        Problem(
            f"{path}: row {row + 1}",
            f"sample {sample[row]} of view {views[view[row]]!r} of question {questions[question[row]]!r} again",
            "give every completion of a view its own number",
        )
        for row in twice
    ]


def _right(told: Coded, expected: Coded, policy: KeyPolicy) -> Array:
    """1 where the key is one of the gold answers' keys, nan without gold; each pair is looked up once."""
    (key, keys), (gold, golds) = told, expected
    known = [gold_set(tuple(json.loads(text)), policy) for text in golds]
    pairs, place = np.unique((key + 1) * (len(golds) + 1) + gold + 1, return_inverse=True)
    right = np.full(len(pairs), np.nan)
    for index, pair in enumerate(pairs.tolist()):
        its_key, its_gold = pair // (len(golds) + 1) - 1, pair % (len(golds) + 1) - 1
        if its_gold >= 0:
            right[index] = float(its_key >= 0 and keys[its_key] in known[its_gold])
    return right[place]


def _loans(table: pa.Table, views: tuple[str, ...]) -> Loans:
    """The loans of a file, in the order of the completions."""
    lists = table.column("lent").combine_chunks()
    lengths = np.diff(lists.offsets.to_numpy())
    lent = lists.flatten()
    known = {name: code for code, name in enumerate(views)}
    codes = [known[name] for name in lent.field("view").to_pylist()]
    weights = lent.field("weight").to_numpy(zero_copy_only=False)
    return Loans(np.repeat(np.arange(len(lengths)), lengths), np.array(codes, dtype=int), weights)
