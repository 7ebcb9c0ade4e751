"""Reweighted completions as a plain SFT set, for any trainer: resampled rows, or each row with its weight.

conversational     {"messages": [{"role": "user", …}, {"role": "assistant", …}]}: TRL, Axolotl, Unsloth, hosted
prompt_completion  {"prompt": …, "completion": …}: TRL; texts, or messages where the prompt was a chat
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from alft.offline.samples import Samples
from alft.simplex import Array

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


def view_groups(samples: Samples) -> Array:
    """A number for each view of each question, axis (completion)."""
    return np.unique(samples.question * len(samples.views) + samples.view, return_inverse=True)[1]


def rows(samples: Samples, counts: Array, form: Form, weights: Array | None = None) -> Iterator[Row]:
    """Completions as often as `counts` says, in the given form, each with its weight if there are `weights`."""
    start = 0
    for batch in samples.texts():
        texts = {name: batch.column(name) for name in ("prompt", "chat", "completion")}
        for index in np.flatnonzero(counts[start : start + len(batch)]).tolist():
            told = shaped({name: column[index].as_py() for name, column in texts.items()}, form)
            if weights is not None:
                told["weight"] = float(weights[start + index])
            yield from [told] * int(counts[start + index])
        start += len(batch)


def shaped(row: Row, form: Form) -> Row:
    """One row of a samples file in a form."""
    asked = json.loads(row["prompt"]) if row["chat"] else [{"role": "user", "content": row["prompt"]}]
    answer = [{"role": "assistant", "content": row["completion"]}]
    if form == "conversational":
        return {"messages": [*asked, *answer]}
    if row["chat"]:
        return {"prompt": asked, "completion": answer}
    return {"prompt": row["prompt"], "completion": row["completion"]}


def export(samples: Samples, weights: Array, path: Path, form: Form, seed: int | None = 0) -> int:
    """Write a JSONL file, whole or not at all, in shuffled order; returns its rows.

    Completions are resampled with `seed`; with None every completion of positive weight is written once, with its
    weight in a column, for trainers that take one.
    """
    weighted = seed is None
    rng = np.random.default_rng(seed or 0)
    counts = (weights > 0).astype(np.int64) if weighted else resample(weights, view_groups(samples), rng)
    told = rows(samples, counts, form, weights if weighted else None)
    lines = [json.dumps(row, ensure_ascii=False) for row in told]
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(lines[index] + "\n" for index in rng.permutation(len(lines)))
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)
    return len(lines)
