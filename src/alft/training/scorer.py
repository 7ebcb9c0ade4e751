"""A generation batch → rewards, advantages and the game's metrics: rows are matched to their questions here.

Nothing in this file knows TRL or torch: a row says which question and view a completion belongs to,
and comes in any order, from any process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alft import counts
from alft.answers import answer_key, gold_set
from alft.games import Facts
from alft.rewards import Scoring, score


@dataclass(frozen=True)
class Row:
    """One completion: its question, its view (0, 1, …), its answer key (None: unread), the gold keys if known."""

    question: str
    view: int
    key: str | None
    gold: frozenset[str] | None = None
    text: str = ""


@dataclass(frozen=True)
class ScoredBatch:
    """Rewards and advantages in the order of the rows, and the batch as arrays by question.

    `codes` (question, view, sample) and `gold` marks (question, answer; all 0 where there is no gold
    answer) are what metrics are computed from; `names` are the answer keys by code.
    """

    rewards: np.ndarray
    advantages: np.ndarray
    codes: np.ndarray
    gold: np.ndarray
    names: list[list[str]]


def read_row(columns: Mapping[str, Any], completion: Any) -> Row:
    """The row of one completion, from its columns `question_id`, `view`, `answer`, `aliases`, `answer_map`."""
    answer_map = columns.get("answer_map")
    key = answer_key(completion, json.loads(answer_map) if answer_map else None)
    gold = columns.get("answer")
    return Row(
        question=str(columns["question_id"]),
        view=int(columns.get("view") or 0),
        key=key,
        gold=None if gold is None else gold_set((str(gold), *(columns.get("aliases") or ()))),
        text=completion if isinstance(completion, str) else completion[-1]["content"],
    )


def score_batch(rows: Sequence[Row], scoring: Scoring) -> ScoredBatch:
    """Play the game on a batch that holds every view of its questions, the same number of samples each."""
    places = _places(rows)
    keys = [[[rows[i].key for i in view] for view in question] for question in places.tolist()]
    codes, names = counts.encode(keys)
    wanted = [rows[question[0, 0]].gold for question in places]
    gold = counts.marks(names, wanted)
    facts = Facts(gold=gold if scoring.game.needs_gold else None)
    weights = np.full(places.shape[1], 1 / places.shape[1])
    scores = score(codes, weights, scoring, facts)
    known = np.array([key is not None for key in wanted])
    return ScoredBatch(
        rewards=_scatter(scores.rewards, places),
        advantages=_scatter(scores.advantages, places),
        codes=codes,
        gold=np.where(known[:, None], gold, np.nan),
        names=names,
    )


def _places(rows: Sequence[Row]) -> np.ndarray:
    """Positions of the rows, axes (question, view, sample)."""
    found: dict[str, dict[int, list[int]]] = {}
    for position, row in enumerate(rows):
        found.setdefault(row.question, {}).setdefault(row.view, []).append(position)
    views = sorted({view for question in found.values() for view in question})
    sizes = {len(question.get(view, ())) for question in found.values() for view in views}
    if len(sizes) != 1:
        raise ValueError(
            "the batch does not hold every view of its questions with the same number of samples "
            f"({len(found)} questions, views {views}, samples per view {sorted(sizes)})"
        )
    return np.array([[question[view] for view in views] for question in found.values()])


def _scatter(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    flat = np.empty(places.size)
    flat[places.reshape(-1)] = values.reshape(-1)
    return flat
