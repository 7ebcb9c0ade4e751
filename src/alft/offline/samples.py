"""The samples file: one row per completion in Parquet, with where it came from (theory.md 6).

The columns are `alft.completions.SCHEMA`, as in a run's completions.parquet. Only samples files fill these:

prompt, chat         what the model was asked: plain text, or (`chat`) a JSON list of messages
gold, answer_map     of the question and the view, as JSON; null if there is none
weight               of the completion at the equilibrium; only in a file that `alft solve` wrote, as
lent                 to which other views the completion was lent, with what weight

The file's metadata hold the `Provenance` as JSON under "alft", so that a file explains itself.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from alft.answers import KeyPolicy, gold_set
from alft.completions import Completion, from_row
from alft.counts import UNREAD
from alft.errors import DataError, Problem
from alft.evaluation import Evaluation
from alft.offline.parts import open_samples
from alft.offline.source import CODED, PIECE, Provenance, Source, codes_of, wrong_json
from alft.offline.tallies import Loans, Tallies
from alft.questions import Question, View
from alft.simplex import Array

Coded = tuple[Array, tuple[str, ...]]  # codes, and the texts that they stand for


@dataclass(frozen=True)
class Samples:
    """What these rows of a samples file hold, without the texts: integer codes with axis (completion).

    `question`, `view`: positions in `questions` and `views`. `key`: position in `keys`, −1 if unread. `right`: 1,
    0, or nan where no gold answer is known (unread is wrong). `refusal`: position in `refusals`, −1 if the prompt
    was taken. `space`: a number for each way in which a view's answers are pulled back to the question's.
    `weight` and `loans` (to positions in `views`) are None in a file that was not solved.
    """

    source: Source
    rows: range
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

    @property
    def path(self) -> Path:
        """What messages call the file."""
        return self.source.path

    @cached_property
    def answer(self) -> Array:
        """`key`, but −1 also where the completion was cut off, unless such completions were to be read."""
        if self.provenance.answers.reading.truncated == "read":
            return self.key
        return np.where(self.truncated, UNREAD, self.key)

    @cached_property
    def tallies(self) -> Tallies:
        """The readable answers, placed by question and view."""
        return Tallies.of(self.question, self.view, self.answer, self.right, self.space)

    def refused(self) -> dict[tuple[str, str], str]:
        """Why the server did not take a prompt, by question and view of the prompts that it refused."""
        rows = np.flatnonzero(self.refusal >= 0)
        asked = ((self.questions[self.question[row]], self.views[self.view[row]]) for row in rows)
        return dict(zip(asked, (self.refusals[code] for code in self.refusal[rows]), strict=True))

    def texts(self) -> Iterator[pa.Table]:
        """The rows with their texts, in the order of the codes, part after part."""
        yield from self.source.texts(self.rows)


def read_samples(path: Path) -> Samples:
    """Read a samples file, or a folder of its parts, strictly; raises DataError with everything wrong with it."""
    source = open_samples(path)
    (samples,) = pieces(source, source.rows)
    return samples


def pieces(source: Source, rows: int = PIECE) -> Iterator[Samples]:
    """The samples in pieces of whole questions, of about `rows` rows; all pieces number the `views` alike.

    Raises DataError with everything that is wrong with a piece.
    """
    names: dict[str, int] = {}
    for start, table in source.codes(rows):
        problems = list(_wrong_values(source.path, table))
        coded = [codes_of(table.column(name)) for name in CODED]
        (question, questions), (view, own), gold, key, refusal, space = coded
        view = np.array([names.setdefault(name, len(names)) for name in own], dtype=int)[view]
        views, sample = tuple(names), table.column("sample").to_numpy()
        if (sample < 0).any():
            problems.append(Problem(f"{source.path}: sample", "a number is negative", "sample again"))
        for name, texts in zip(CODED, coded, strict=True):
            problems += wrong_json(source.path, name, texts[1]) if name in ("gold", "answer_map") else ()
        problems += _repeated(source, start, (questions, views), (question, view, sample))
        if problems:
            raise DataError(problems)
        yield Samples(
            source=source,
            rows=range(start, start + len(table)),
            provenance=source.provenance,
            questions=questions,
            views=views,
            keys=key[1],
            question=question,
            view=view,
            key=key[0],
            sample=sample,
            truncated=table.column("truncated").to_numpy(),
            right=_right(key, gold, source.provenance.answers.keys),
            refusal=refusal[0],
            refusals=refusal[1],
            space=space[0] + 1,
            weight=table.column("weight").to_numpy() if "weight" in table.column_names else None,
            loans=_loans(table, views) if "lent" in table.column_names else None,
        )


def _wrong_values(path: Path, table: pa.Table) -> Iterator[Problem]:
    weights = {"weight": table.column("weight").to_numpy()} if "weight" in table.column_names else {}
    if "lent" in table.column_names:
        lent = table.column("lent").combine_chunks().flatten()
        weights["lent"] = lent.field("weight").to_numpy(zero_copy_only=False)
        unknown = set(lent.field("view").to_pylist()) - set(table.column("view").unique().to_pylist())
        if unknown:
            yield Problem(f"{path}: lent", f"no view is called {sorted(unknown, key=str)[0]!r}", "solve again")
    for name, weight in weights.items():
        if not (np.isfinite(weight).all() and (weight >= 0).all()):
            yield Problem(f"{path}: {name}", "a weight is negative or not finite", "run `alft solve` again")


def _repeated(source: Source, start: int, names: tuple[tuple[str, ...], ...], places: tuple) -> Iterator[Problem]:
    (questions, views), (question, view, sample) = names, places
    order = np.lexsort((sample, view, question))
    same = (np.diff(np.stack(places)[:, order]) == 0).all(axis=0)
    for row in order[1:][same][:5].tolist():
        asked = f"view {views[view[row]]!r} of question {questions[question[row]]!r}"
        remedy = "give every completion of a view its own number"
        yield Problem(source.place(start + row), f"sample {sample[row]} of {asked} again", remedy)


def _right(given: Coded, expected: Coded, policy: KeyPolicy) -> Array:
    """1 where the key is one of the gold answers' keys, nan without gold; each pair is looked up once."""
    (key, keys), (gold, golds) = given, expected
    known = [gold_set(tuple(json.loads(text)), policy) for text in golds]
    pairs, place = np.unique((key + 1) * (len(golds) + 1) + gold + 1, return_inverse=True)
    right = [
        float(k > 0 and keys[k - 1] in known[g - 1]) if g > 0 else np.nan
        for k, g in zip(*np.divmod(pairs, len(golds) + 1), strict=True)
    ]
    return np.array(right)[place]


def _loans(table: pa.Table, views: tuple[str, ...]) -> Loans:
    lists = table.column("lent").combine_chunks()
    lengths = np.diff(lists.offsets.to_numpy())
    lent = lists.flatten()
    known = {name: code for code, name in enumerate(views)}
    codes = [known[name] for name in lent.field("view").to_pylist()]
    weights = lent.field("weight").to_numpy(zero_copy_only=False)
    return Loans(np.repeat(np.arange(len(lengths)), lengths), np.array(codes, dtype=int), weights)


def first_of(source: Source) -> list[Completion]:
    """Some thousand completions, which are enough to judge a source by."""
    return [from_row(row) for row in next(source.texts(range(source.rows))).to_pylist()]


def evaluation_of(samples: Samples, *, texts: bool = False) -> Evaluation:
    """Every completion of the file, without its text unless `texts`."""
    written: list[str | None] = [None] * len(samples)
    if texts:
        written = [text for table in samples.texts() for text in table.column("completion").to_pylist()]
    names = ("question", "view", "sample", "key", "right", "truncated")
    columns = [getattr(samples, name).tolist() for name in names]
    completions = [
        Completion(
            text,
            truncated,
            question=samples.questions[question],
            view=samples.views[view],
            sample=sample,
            key=None if key < 0 else samples.keys[key],
            right=None if right != right else bool(right),
        )
        for question, view, sample, key, right, truncated, text in zip(*columns, written, strict=True)
    ]
    return Evaluation(tuple(completions))


def questions_of(samples: Samples) -> list[Question]:
    """The questions that were asked, in the order of the file."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for table in samples.texts():
        asked = table.select(["question_id", "view", "prompt", "chat", "answer_map", "gold", "group"]).to_pylist()
        for row in asked:
            found.setdefault(row["question_id"], {}).setdefault(row["view"], row)
    return [_question(name, list(views.values())) for name, views in found.items()]


def _question(name: str, rows: list[dict[str, Any]]) -> Question:
    gold = json.loads(rows[0]["gold"] or "[]")
    views = []
    for row in rows:
        text = tuple(json.loads(row["prompt"])) if row["chat"] else row["prompt"]
        views.append(View(text, row["view"], json.loads(row["answer_map"] or "null")))
    return Question(name, tuple(views), gold[0] if gold else None, rows[0]["group"], aliases=tuple(gold[1:]))
