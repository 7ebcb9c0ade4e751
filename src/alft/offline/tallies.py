"""Completions → counts of answers by question and view, in batches of one shape, however ragged the questions are.

Numbers only: codes with axis (completion) in, arrays with axes (question, view, answer) out, and back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from alft.counts import UNREAD
from alft.simplex import Array


@dataclass(frozen=True)
class Batch:
    """Questions of one shape, at these positions.

    `counts` (question, view, answer) of readable answers, how many completions were `asked` (question, view), and
    `gold` (question, answer): 1 for right answers, nan if unknown. Answers and views that a question does not
    have are padding: counts 0, asked 0.
    """

    questions: Array
    counts: Array
    asked: Array
    gold: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        """Lengths of the axes (question, view, answer)."""
        questions, views, answers = self.counts.shape
        return questions, views, answers


@dataclass(frozen=True)
class Loans:
    """Completions that other views are trained on too, axis (loan): `completion`, to which `view`, its `weight`.

    `view` is its place among the views of all questions in a row, or, in a file, its position in `Samples.views`.
    """

    completion: Array
    view: Array
    weight: Array

    @staticmethod
    def joined(parts: Sequence[Loans] = ()) -> Loans:
        """All of them, in the order of the completions."""
        empty = np.zeros(0, dtype=int)
        columns = ([empty, *(getattr(part, name) for part in parts)] for name in ("completion", "view", "weight"))
        completion, view, weight = (np.concatenate(column) for column in columns)
        order = np.lexsort((view, completion))
        return Loans(completion[order], view[order], weight[order].astype(float))


@dataclass(frozen=True)
class Tallies:
    """All completions, placed.

    `question`, `view` and `answer` are positions within their parent, axis (completion); an unread answer is −1.
    `views` and `answers` count how many a question has, axis (question). `space` tells in which space of answers
    a view is asked, axis (view of a question), the views of all questions in a row: views in one can lend.
    """

    question: Array
    view: Array
    answer: Array
    right: Array
    views: Array
    answers: Array
    space: Array

    @staticmethod
    def of(question: Array, view: Array, key: Array, right: Array, space: Array | None = None) -> Tallies:
        """Number the views and the distinct readable keys of each question; `space` has axis (completion)."""
        questions = int(question.max(initial=-1)) + 1
        places, views = _within(question, view, questions)
        read = key != UNREAD
        answer = np.full(len(question), UNREAD)
        answer[read], answers = _within(question[read], key[read], questions)
        spaces = np.zeros(views.sum(), dtype=int)
        if space is not None:
            spaces[_starts(views)[question] + places] = space
        return Tallies(question, places, answer, right, views, answers, spaces)

    def part(self, rows: slice) -> Tallies:
        """Some of the completions, their questions, views and answers numbered as in the whole."""
        cut = {name: getattr(self, name)[rows] for name in ("question", "view", "answer", "right")}
        return replace(self, **cut)

    @property
    def place(self) -> Array:
        """Where each completion's view is among the views of all questions in a row, axis (completion)."""
        return self.starts[self.question] + self.view

    @property
    def starts(self) -> Array:
        """Where the views of each question begin when those of all questions stand in a row, axis (question)."""
        return _starts(self.views)

    def places(self, questions: Array, views: int) -> Array:
        """Where the first views of these questions are in that row, axes (question, view)."""
        return self.starts[questions][:, None] + np.arange(views)

    @property
    def asked(self) -> Array:
        """How many completions each view has, axis (view of a question)."""
        return np.bincount(self.place, minlength=len(self.space)).astype(float)

    def batches(self) -> Iterator[Batch]:
        """Batches of questions with as many views, their answers padded to the next power of two."""
        width = 2 ** np.ceil(np.log2(np.maximum(self.answers, 1))).astype(int)
        shapes, group = np.unique(np.stack([self.views, width], axis=1), axis=0, return_inverse=True)
        for index, (views, answers) in enumerate(shapes.tolist()):
            if views > 0:
                yield self._batch(np.flatnonzero(group == index), views, answers)

    def _batch(self, questions: Array, views: int, answers: int) -> Batch:
        row, here = self.rows(questions)
        shape = (len(questions), views, answers)
        place = np.ravel_multi_index((row, self.view[here], self.answer[here]), shape)
        counts = np.bincount(place, minlength=np.prod(shape)).reshape(shape).astype(float)
        gold = np.zeros((len(questions), answers))
        gold[row, self.answer[here]] = self.right[here]
        gold[np.isin(questions, self.question[np.isnan(self.right)])] = np.nan
        return Batch(questions, counts, self.asked[self.places(questions, views)], gold)

    def rows(self, questions: Array) -> tuple[Array, Array]:
        """The number among these of each readable completion's question, and where the completion is."""
        row = np.full(len(self.views), -1)
        row[questions] = np.arange(len(questions))
        here = np.flatnonzero((row[self.question] >= 0) & (self.answer != UNREAD))
        return row[self.question[here]], here

    def lenders(self, batch: Batch, wanted: tuple[Array, ...]) -> tuple[Array, Array]:
        """Who can lend answers: pairs (number of the answer in `wanted`, completion), axes (loan).

        `wanted` are answers by question of the batch, view and answer. A completion lends its answer to another
        view of its question that is asked in the same space of answers.
        """
        asked, here = self.rows(batch.questions)
        question, view, answer = wanted
        starts = self.starts[batch.questions]
        sizes = (len(batch.questions), int(self.space.max(initial=0)) + 1, batch.shape[2])
        had = np.ravel_multi_index((asked, self.space[self.place[here]], self.answer[here]), sizes)
        lacked = np.ravel_multi_index((question, self.space[starts[question] + view], answer), sizes)
        order = np.argsort(had, kind="stable")
        first, last = (np.searchsorted(had[order], lacked, side=side) for side in ("left", "right"))
        loan = np.repeat(np.arange(len(lacked)), last - first)
        within = np.arange(len(loan)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
        return loan, here[order[first[loan] + within]]


def _starts(views: Array) -> Array:
    return np.concatenate([[0], np.cumsum(views)[:-1]]).astype(int)


def _within(parent: Array, child: Array, parents: int) -> tuple[Array, Array]:
    """Each row's number among the distinct children of its parent, and how many children each parent has."""
    span = int(child.max(initial=0)) + 1
    pairs, place = np.unique(parent * span + child, return_inverse=True)
    children = np.bincount(pairs // span, minlength=parents)
    return place - _starts(children)[parent], children
