"""Samples with a weight for each completion, and for each that another view borrowed: rows to train on.

They are exported as a plain SFT set, for any trainer: resampled rows, or each row with its weight.

conversational     {"messages": [{"role": "user", …}, {"role": "assistant", …}]}: TRL, Axolotl, Unsloth, hosted
prompt_completion  {"prompt": …, "completion": …}: TRL; messages where the model was asked by messages, else texts
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from alft.errors import DataError, Problem
from alft.offline.samples import Samples
from alft.offline.source import WEIGHT, placed
from alft.offline.tallies import Loans
from alft.questions.model import as_chat
from alft.simplex import Array
from alft.storage.files import atomic

ASKED = ["view", "prompt", "chat", "answer_map"]  # what a loan takes from the view that it is lent to


@dataclass(frozen=True)
class Weighted:
    """`samples` with the `weights` of their completions, the `loans`, and what was `solved` and predicted.

    A row to train on is a completion, or a completion that was lent to another view: `row_weights` and `groups`, a
    number for each view of each question, have axis (row), in the order of `tables`.
    """

    samples: Samples
    weights: Array
    solved: Mapping[str, Any]
    loans: Loans = field(default_factory=Loans.joined)

    def __post_init__(self) -> None:
        if not (self.row_weights > 0).any():
            what = "no completion has a weight: no question could be helped"
            raise DataError(Problem(str(self.samples.path), what, "sample more, or choose another game"))

    @cached_property
    def row_weights(self) -> Array:
        """Weights of the completions, then of the loans."""
        return np.concatenate([self.weights, self.loans.weight])

    @cached_property
    def groups(self) -> Array:
        """Which view of which question a row trains."""
        return np.unique(np.concatenate([self._own, self._borrowing]), return_inverse=True)[1]

    def tables(self) -> Iterator[pa.Table]:
        """The rows with texts, prompts and weights, part after part: the completions, then the loans."""
        for here, table in placed(self.samples.texts()):
            yield table.append_column(WEIGHT, pa.array(self.weights[here]))
        if len(self.loans.weight) > 0:
            yield from self._lent()

    def _lent(self) -> Iterator[pa.Table]:
        """Each completion that was lent, beside the prompt of the view that it was lent to."""
        loans = self.loans
        pairs, first = np.unique(self._own, return_index=True)
        rows = first[np.searchsorted(pairs, self._borrowing)]  # each holds the prompt of a borrowing view
        wanted, which = np.unique(rows, return_inverse=True)
        prompts = pa.concat_tables(part.select(ASKED) for part in self._taken(wanted))
        for here, part in placed(self._taken(loans.completion)):
            asked = prompts.take(which[here])
            for name in ASKED:
                part = part.set_column(part.schema.get_field_index(name), name, asked.column(name))
            yield part.append_column(WEIGHT, pa.array(loans.weight[here]))

    def _taken(self, rows: Array) -> Iterator[pa.Table]:
        """These rows of the file, which are in order, part after part."""
        for here, table in placed(self.samples.texts()):
            first, last = np.searchsorted(rows, [here.start, here.stop])
            yield table.take(rows[first:last] - here.start)

    @property
    def _own(self) -> Array:
        return self.samples.question * len(self.samples.views) + self.samples.view

    @property
    def _borrowing(self) -> Array:
        question = self.samples.question[self.loans.completion]
        return question * len(self.samples.views) + self.loans.view


def weighted_of(samples: Samples) -> Weighted:
    """The weights that `alft solve` wrote into a samples file; raises DataError where it wrote none."""
    solved = samples.provenance.solution
    if samples.weight is None or solved is None:
        raise DataError(Problem(str(samples.path), "has no weights", "run `alft solve` on it, or give --game"))
    return Weighted(samples, samples.weight, solved, samples.loans or Loans.joined())


Form = Literal["conversational", "prompt_completion"]
Row = dict[str, Any]


def resample(weights: Array, group: Array, rng: np.random.Generator, *, together: bool = False) -> Array:
    """How often each completion is drawn, axis (completion): Σw of its group, in expectation w each.

    Systematic resampling within every group (a view of a question): each count is w rounded down or up, so that
    counts of answers follow ν* closer than independent draws would. `together`: one draw of all groups in order,
    of whose counts and of all together the same holds.

    >>> int(resample(np.array([0.5, 2.5, 1.0]), np.zeros(3, dtype=int), np.random.default_rng(0)).sum())
    4
    """
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(weights[order])
    groups = group[order]
    starts = np.concatenate([[0.0], ends[:-1]])
    first = starts[np.searchsorted(groups, groups, side="left")]
    offset = rng.random(int(group.max(initial=0)) + 1)[groups]
    if together:
        first, offset = 0.0, offset[:1]
    drawn = np.floor(ends - first + offset) - np.floor(starts - first + offset)
    counts = np.zeros(len(weights), dtype=np.int64)
    counts[order] = drawn.astype(np.int64)
    return counts


def rows(weighted: Weighted, counts: Array, form: Form, *, with_weights: bool = False) -> Iterator[Row]:
    """The rows of `weighted` as often as `counts` says, in a form, each with its weight if asked for."""
    chat = weighted.samples.provenance.chat
    for here, table in placed(weighted.tables()):
        texts = {name: table.column(name) for name in ("prompt", "chat", "completion")}
        for index in np.flatnonzero(counts[here]).tolist():
            row = shaped({name: column[index].as_py() for name, column in texts.items()}, form, chat)
            if with_weights:
                row["weight"] = float(weighted.row_weights[here.start + index])
            yield from [row] * int(counts[here.start + index])


def shaped(row: Row, form: Form, chat: bool) -> Row:
    """One row of a samples file in a form; `chat` says whether its text was asked as a user message."""
    asked = as_chat(json.loads(row["prompt"]) if row["chat"] else row["prompt"])
    answer = [{"role": "assistant", "content": row["completion"]}]
    if form == "conversational":
        return {"messages": [*asked, *answer]}
    if chat or row["chat"]:
        return {"prompt": asked, "completion": answer}
    return {"prompt": row["prompt"], "completion": row["completion"]}


@dataclass(frozen=True)
class Export:
    """What an exported file is like.

    `form`: by default messages if the model was asked by messages, else prompt and completion. `rows`: how many,
    by default about as many as the weights add up to. `weighted`: each completion once, with its weight in a
    column, for trainers that take one; otherwise completions are resampled with `seed`.
    """

    form: Form | None = None
    rows: int | None = None
    weighted: bool = False
    seed: int = 0


def export(weighted: Weighted, path: Path, how: Export | None = None) -> int:
    """Write a JSONL file, whole or not at all, in shuffled order; returns its rows."""
    how = how or Export()
    weights = weighted.row_weights
    form = how.form or ("conversational" if weighted.samples.provenance.chat else "prompt_completion")
    rng = np.random.default_rng(how.seed)
    scale = 1.0 if how.rows is None else how.rows / weights.sum()
    once = (weights > 0).astype(np.int64)
    drawn = resample(weights * scale, weighted.groups, rng, together=how.rows is not None)
    counts = once if how.weighted else drawn
    found = rows(weighted, counts, form, with_weights=how.weighted)
    lines = [json.dumps(row, ensure_ascii=False) for row in found]
    with atomic(path) as part, part.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(lines[index] + "\n" for index in rng.permutation(len(lines)))
    return len(lines)
