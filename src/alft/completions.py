"""One record per completion, and the records of an evaluation as arrays with axes (question, view, sample)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from alft.counts import ABSENT, UNREAD

Kind = Literal["sampled", "greedy"]


@dataclass(frozen=True)
class Generated:
    """What a model told: a `text`; `truncated` if it was cut off at the limit of new tokens.

    `refusal`: why there is no text, where a server did not take the prompt.
    """

    text: str
    truncated: bool = False
    refusal: str | None = None


@dataclass(frozen=True)
class Record:
    """One completion: `question` id, `view` name, how and as which `sample` of its view it was generated.

    `completion` is None where a file was read without its texts. `key` is the answer key (None: unread), `right`
    is None where no gold answer is known. `truncated`: cut off by the limit of tokens. `group` is its question's.
    `refusal`: why a server did not take the prompt, while it is in memory; files do not keep it.
    """

    question: str
    view: str
    kind: Kind
    sample: int
    completion: str | None
    key: str | None
    right: bool | None = None
    truncated: bool = False
    group: str | None = None
    refusal: str | None = None

    @property
    def text(self) -> str:
        """The completion, under the name by which flags of limits know it. ValueError where it was not read."""
        if self.completion is None:
            raise ValueError("this completion was read without its text")
        return self.completion


@dataclass(frozen=True)
class Grid:
    """Records of one kind as arrays: `codes` are shared by all questions (equal keys have equal codes)."""

    codes: Int[np.ndarray, "question view sample"]
    right: Float[np.ndarray, "question view sample"]


def grid(
    records: Iterable[Record], questions: Sequence[str], views: Sequence[str], numbers: dict[str, int]
) -> Grid:
    """Place records of one kind; what no record is for is ABSENT. New keys are added to `numbers`.

    Raises ValueError where two records claim the same place.
    """
    places = list(records)
    row = {name: index for index, name in enumerate(questions)}
    column = {name: index for index, name in enumerate(views)}
    samples = max((record.sample for record in places), default=-1) + 1
    codes = np.full((len(questions), len(views), samples), ABSENT, dtype=np.int64)
    right = np.full(codes.shape, np.nan)
    for record in places:
        place = row[record.question], column[record.view], record.sample
        if codes[place] != ABSENT:
            raise ValueError(f"two {record.kind} completions are sample {record.sample} of {place[:2]}")
        codes[place] = UNREAD if record.key is None else numbers.setdefault(record.key, len(numbers))
        right[place] = np.nan if record.right is None else float(record.right)
    return Grid(codes, right)
