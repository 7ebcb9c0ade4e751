"""One completion from the model's reply to the reward and the file, and completions as arrays for evaluation.

A model fills in the text; reading adds the answer key; the question gives its id, view and group. Runs, samples
files and `alft evaluate -o` write the same Parquet columns, `SCHEMA`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from alft.counts import ABSENT, UNREAD
from alft.errors import DataError, Problem
from alft.text import encodable

STOP = ("\nQuestion:", "\nQ:", "\nProblem:", "\nUser:")
"""Default stop strings of models without a chat template: they write the next question after an answer."""

Kind = Literal["sampled", "greedy"]
VERSION = 3
"""Version of the columns. Version 1 lacked some of them, and runs and samples files differed in version 2."""
VERSION_KEY = b"alft_completions"
SCHEMA = pa.schema(
    [
        ("phase", pa.string()),  # before, train, at_stop, after, measured; null in a samples file
        ("step", pa.int64()),  # of training
        ("question_id", pa.string()),
        ("view", pa.string()),
        ("kind", pa.string()),
        ("sample", pa.int64()),
        ("completion", pa.string()),
        ("key", pa.string()),
        ("right", pa.bool_()),
        ("truncated", pa.bool_()),
        ("refusal", pa.string()),
        ("error", pa.string()),
        ("group", pa.string()),
        ("prompt", pa.string()),  # this and the following: samples files only
        ("chat", pa.bool_()),
        ("answer_map", pa.string()),
        ("gold", pa.string()),
    ],
    metadata={VERSION_KEY: str(VERSION).encode()},
)
READ: list[str] = SCHEMA.names[2:13]  # columns that `from_row` reads; older files lack some
_ATTRIBUTES = {"question_id": "question", "completion": "text"}  # where they have another name than the column


@dataclass(slots=True)  # not frozen: a frozen record takes twice as long to make
class Completion:
    """A completion. `text` is None if a file was read without texts; `truncated`: it reached the token limit.

    `question` id, `view` name, and `place`, the number of the view among its question's (in memory only); it is
    number `sample` of its `kind`. `key` is the answer key (None: unread), `gold` are the keys of the gold answers
    (in memory only), `right` is None without a gold answer. `group` is the question's. `refusal`: why the server
    rejected the prompt. `error`: what failed while the text was read; such a completion counts as unread.
    """

    text: str | None
    truncated: bool = False
    _: KW_ONLY
    question: str = ""
    view: str = ""
    place: int = 0
    kind: Kind = "sampled"
    sample: int = 0
    key: str | None = None
    gold: frozenset[str] | None = None
    right: bool | None = None
    group: str | None = None
    refusal: str | None = None
    error: str | None = None

    @property
    def full_text(self) -> str:
        """The text. Raises ValueError if the completion was read without it."""
        if self.text is None:
            raise ValueError("this completion was read without its text")
        return self.text


def cut(text: str, stop: Sequence[str]) -> str:
    r"""The text before its first stop string.

    >>> cut("It is 7.\nQuestion: what is 8?", STOP)
    'It is 7.'
    """
    return text[: min((place for string in stop if (place := text.find(string)) >= 0), default=len(text))]


def to_row(completion: Completion, **columns: Any) -> dict[str, Any]:
    """The completion as a row of `SCHEMA`; `columns` are those a record lacks, such as phase, step and prompt.

    >>> row = to_row(Completion("#### 7", question="q", view="plain", key="7"), phase="train", step=3)
    >>> row["question_id"], row["completion"], row["key"], row["phase"], row["refusal"]
    ('q', '#### 7', '7', 'train', None)
    """
    own = {name: getattr(completion, _ATTRIBUTES.get(name, name)) for name in READ}
    said = ("completion", "key", "refusal", "error")
    own |= {name: encodable(own[name]) for name in said if own[name] is not None}
    return {"phase": None, "step": None, **own, **columns}


def from_row(row: Mapping[str, Any]) -> Completion:
    """The completion of a row, of this version or an older one; columns that are not there are unknown."""
    known = {_ATTRIBUTES.get(name, name): row[name] for name in READ if row.get(name) is not None}
    return Completion(**{"text": None, **known})


def upgraded(table: pa.Table) -> pa.Table:
    """A table of this version or an older one with every column of `SCHEMA`, null where there was none."""
    whole = pa.concat_tables([table, SCHEMA.empty_table()], promote_options="default")
    return whole.select(SCHEMA.names).replace_schema_metadata()


def check_version(where: str, schema: pa.Schema) -> None:
    """Raise DataError for a file whose columns a later alft wrote."""
    version = (schema.metadata or {}).get(VERSION_KEY, b"2").decode()
    if not version.isdecimal() or int(version) > VERSION:
        what = f"has completions of version {version}, and this alft reads up to {VERSION}"
        raise DataError(Problem(where, what, "use the alft that wrote the file"))


@dataclass(frozen=True)
class Grid:
    """Completions of one kind as arrays: `codes` are shared by all questions (equal keys have equal codes)."""

    codes: Int[np.ndarray, "question view sample"]
    right: Float[np.ndarray, "question view sample"]


def grid(
    completions: Iterable[Completion], questions: Sequence[str], views: Sequence[str], numbers: dict[str, int]
) -> Grid:
    """Place completions of one kind; a place without a completion is ABSENT. New keys are added to `numbers`.

    Raises ValueError where two completions claim the same place.
    """
    found = list(completions)
    row = {name: index for index, name in enumerate(questions)}
    column = {name: index for index, name in enumerate(views)}
    samples = max((one.sample for one in found), default=-1) + 1
    codes = np.full((len(questions), len(views), samples), ABSENT, dtype=np.int64)
    right = np.full(codes.shape, np.nan)
    for one in found:
        place = row[one.question], column[one.view], one.sample
        if codes[place] != ABSENT:
            raise ValueError(f"two {one.kind} completions are sample {one.sample} of {place[:2]}")
        codes[place] = UNREAD if one.key is None else numbers.setdefault(one.key, len(numbers))
        right[place] = np.nan if one.right is None else float(one.right)
    return Grid(codes, right)
