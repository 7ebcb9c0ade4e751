"""Answer keys → counts: how often each answer was given to each view of a question, unread apart.

Codes have axes (question, view, sample): a small integer per distinct key of the question, −1 for an
unread completion. Counts have axes (question, view, answer).
"""

import itertools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

UNREAD = -1  # code of a completion without a readable answer
ABSENT = -2  # code of a place without a completion, where questions have different numbers of views or samples

Codes = Int[np.ndarray, "question view sample"]
Counts = Float[np.ndarray, "*batch view answer"]


def encode(
    keys: Sequence[Sequence[Sequence[str | None]]], known: Sequence[Sequence[str]] | None = None
) -> tuple[Codes, list[list[str]]]:
    """Number the distinct keys of each question in order of first appearance, `known` ones before.

    Returns codes (question, view, sample) and, for each question, its keys by code.

    >>> codes, names = encode([[["7", None], ["8", "7"]]])
    >>> codes.tolist(), names
    ([[[0, -1], [1, 0]]], [['7', '8']])
    """
    before = [()] * len(keys) if known is None else known
    codes: list[list[list[int]]] = []
    numbered: list[list[str]] = []
    for views, names in zip(keys, before, strict=True):
        numbers: defaultdict[str | None, int] = defaultdict(itertools.count().__next__)
        for name in names:
            numbers[name]  # asking for a key numbers it
        numbers[None] = UNREAD
        codes.append([list(map(numbers.__getitem__, view)) for view in views])
        del numbers[None]
        numbered.append(list(numbers))  # type: ignore[arg-type]
    return np.array(codes, dtype=np.int64), numbered


def count(codes: Codes, answers: int | None = None) -> Counts:
    """Counts (question, view, answer) of the readable codes; `answers` fixes the length of the last axis.

    >>> count(np.array([[[0, 1, 1, -1]]])).tolist()
    [[[1.0, 2.0]]]
    """
    width = int(codes.max(initial=0)) + 1 if answers is None else answers
    return (codes[..., None] == np.arange(width)).astype(float).sum(axis=-2)


def marks(
    names: Sequence[Sequence[str]], wanted: Sequence[frozenset[str] | None]
) -> Float[np.ndarray, "question answer"]:
    """1 where a question's key is among its wanted keys (e.g. gold), axes (question, answer); all 0 if None.

    >>> marks([["7", "8"], ["1"]], [frozenset({"8"}), None]).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    width = max((len(keys) for keys in names), default=1) or 1
    table = np.zeros((len(names), width))
    for row, keys, right in zip(table, names, wanted, strict=True):
        row[: len(keys)] = [right is not None and key in right for key in keys]
    return table
