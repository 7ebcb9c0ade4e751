"""Reweighted completions as a plain SFT set, for any trainer: resampled rows, or each row with its weight.

conversational     {"messages": [{"role": "user", …}, {"role": "assistant", …}]}: TRL, Axolotl, Unsloth, hosted
prompt_completion  {"prompt": …, "completion": …}: TRL; messages where the model was asked by messages, else texts
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from alft.offline.weighted import Weighted
from alft.simplex import Array
from alft.storage.files import atomic

Form = Literal["conversational", "prompt_completion"]
FORMS: tuple[Form, ...] = get_args(Form)
Row = dict[str, Any]


def resample(weights: Array, group: Array, rng: np.random.Generator) -> Array:
    """How often each completion is drawn, axis (completion): Σw of its group, in expectation w each.

    Systematic resampling within every group (a view of a question): each count is w rounded down or up, so that
    counts of answers follow ν* closer than independent draws would.

    >>> int(resample(np.array([0.5, 2.5, 1.0]), np.zeros(3, dtype=int), np.random.default_rng(0)).sum())
    4
    """
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(weights[order])
    groups = group[order]
    starts = np.concatenate([[0.0], ends[:-1]])
    first = starts[np.searchsorted(groups, groups, side="left")]
    offset = rng.random(int(group.max(initial=0)) + 1)[groups]
    drawn = np.floor(ends - first + offset) - np.floor(starts - first + offset)
    counts = np.zeros(len(weights), dtype=np.int64)
    counts[order] = drawn.astype(np.int64)
    return counts


def rows(weighted: Weighted, counts: Array, form: Form, *, with_weights: bool = False) -> Iterator[Row]:
    """The rows of `weighted` as often as `counts` says, in a form, each with its weight if asked for."""
    start, chat = 0, weighted.samples.provenance.chat
    for table in weighted.tables():
        texts = {name: table.column(name) for name in ("prompt", "chat", "completion")}
        for index in np.flatnonzero(counts[start : start + len(table)]).tolist():
            told = shaped({name: column[index].as_py() for name, column in texts.items()}, form, chat)
            if with_weights:
                told["weight"] = float(weighted.row_weights[start + index])
            yield from [told] * int(counts[start + index])
        start += len(table)


def shaped(row: Row, form: Form, chat: bool) -> Row:
    """One row of a samples file in a form; `chat` says whether its text was asked as a user message."""
    asked = json.loads(row["prompt"]) if row["chat"] else [{"role": "user", "content": row["prompt"]}]
    answer = [{"role": "assistant", "content": row["completion"]}]
    if form == "conversational":
        return {"messages": [*asked, *answer]}
    if chat or row["chat"]:
        return {"prompt": asked, "completion": answer}
    return {"prompt": row["prompt"], "completion": row["completion"]}


@dataclass(frozen=True)
class Export:
    """What an exported file is like.

    `form`: by default messages if the model was asked by messages, else prompt and completion. `rows`: about how
    many, by default as many as the weights add up to. `weighted`: each completion once, with its weight in a
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
    counts = once if how.weighted else resample(weights * scale, weighted.groups, rng)
    told = rows(weighted, counts, form, with_weights=how.weighted)
    lines = [json.dumps(row, ensure_ascii=False) for row in told]
    with atomic(path) as part, part.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(lines[index] + "\n" for index in rng.permutation(len(lines)))
    return len(lines)
