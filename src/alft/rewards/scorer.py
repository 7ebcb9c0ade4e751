"""A generation batch → rewards, advantages and the game's metrics: rows are matched to their questions here.

Nothing in this file knows TRL or torch: a row says which question and view a completion belongs to,
and comes in any order, from any process.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alft import counts
from alft.answers import USUAL, AnswerPolicy, completion_text, gold_set, key_in_space, read
from alft.completions import Completion
from alft.errors import ConfigError, Problem
from alft.games import Facts, Game
from alft.rewards.populations import Coins, Flag, Population
from alft.rewards.scoring import Scoring, independent_advantages, score
from alft.rewards.target import ReferenceAnswers, Wanted
from alft.storage.checkpoint import Remembers

WHOLE_QUESTIONS = (
    "keep all views of a question in one batch, with equally many samples (TRL: shuffle_dataset=False)"
)


@dataclass(frozen=True)
class ScoredBatch:
    """Rewards and advantages in the order of the rows, and the batch as arrays by question.

    `codes` (question, view, sample) and `gold` marks (question, answer; nan where there is no gold
    answer) are what metrics are computed from; `names` are the answer keys by code, `views` (question, view)
    says which views were asked, `memory` what population games log.
    """

    rewards: np.ndarray
    advantages: np.ndarray
    codes: np.ndarray
    gold: np.ndarray
    names: list[list[str]]
    views: np.ndarray
    memory: Mapping[str, float]


def read_completion(
    columns: Mapping[str, Any], completion: Any, answers: AnswerPolicy = USUAL, *, truncated: bool = False
) -> Completion:
    """A completion and its answer key, from the columns `question_id`, `view`, `answer`, `aliases`, `answer_map`.

    A conversation without a text at its end (a call of a tool, nothing at all) is unread, as an empty text is.
    """
    text = completion_text(completion) or ""
    options = json.loads(columns["answer_map"]) if columns.get("answer_map") else None
    try:
        found = read(text, answers.reading, truncated=truncated)
        key, error = key_in_space(found.answer, options, answers.keys), found.error
    except Exception as caught:  # one hostile text must not end a run: its error is kept instead
        key, error = None, f"{type(caught).__name__}: {caught}"
    answer, place = columns.get("answer"), int(columns.get("view") or 0)
    gold = None if answer is None else gold_set((str(answer), *(columns.get("aliases") or ())), answers.keys)
    return Completion(
        text,
        truncated,
        question=str(columns["question_id"]),
        view=str(place),
        place=place,
        key=key,
        gold=gold,
        right=None if gold is None else key in gold,
        group=columns.get("group"),
        error=error,
    )


@dataclass(frozen=True)
class Play:
    """How the game of a run is played, built once: what a plan holds and hands on.

    `scoring` holds the game, `wanted` what `TargetMatch` shall match, `flags` what each limit counts, by its name.
    """

    scoring: Scoring
    wanted: Wanted | None = None
    flags: Mapping[str, Flag] = field(default_factory=dict)

    @property
    def game(self) -> Game:
        """The game on single questions."""
        return self.scoring.game


class Scorer:
    """Plays a game on generation batches, and keeps what the game remembers from one batch to the next.

    `populations` are games on all questions together, by name; `reference` holds the answers that the Target of a
    game with `needs_reference` is made from, `answers` says how completions are to be read into rows, `wanted`
    what `TargetMatch` shall match. Every process scores the rows of all processes, so all keep the same state.
    Raises ConfigError for a game that knows its answers by their place, which batches have none for.
    """

    def __init__(
        self,
        scoring: Scoring,
        populations: Mapping[str, Population] | None = None,
        reference: ReferenceAnswers | None = None,
        answers: AnswerPolicy = USUAL,
        wanted: Wanted | None = None,
    ) -> None:
        if (size := scoring.game.made_for()[1]) is not None:
            what = (
                f"holds a number for each of {size} answers by their place, and each batch renumbers its answers"
            )
            remedy = "name answers by key, as `target_match` and limits do; exact play takes the game as it is"
            raise ConfigError(Problem("game", what, remedy))
        self.scoring, self.wanted = scoring, wanted
        self.populations = {**(populations or {}), **Coins.of(scoring.game)}
        self.reference = ReferenceAnswers() if reference is None else reference
        self.answers = answers

    def score(self, rows: Sequence[Completion], *, learn: bool = True, ragged: bool = False) -> ScoredBatch:
        """Rewards of a batch that holds whole questions, the same number of views and of samples of each.

        With `learn` the batch enters the game's memory; measuring on other questions leaves it alone. With
        `ragged`, views may have different numbers of samples: some were lost. Raises ConfigError if the batch
        lacks what the game can't be played without: views, gold answers, a reference.
        """
        places = _places(rows, ragged)
        self._check(rows, places)
        keys = [[[rows[i].key if i >= 0 else None for i in view] for view in q] for q in places.tolist()]
        asked = [rows[question[0, 0]] for question in places]
        playing_reference = self.scoring.game.needs_reference
        known = [self.reference.keys(row.question) for row in asked] if playing_reference else None
        codes, names = counts.encode(keys, known)
        codes[places < 0] = counts.ABSENT
        played = codes if self.scoring.compare == "answers" else _traces(rows, places)
        views = np.array([[rows[i].place for i in question[:, 0]] for question in places])
        gold = counts.marks(names, [row.gold for row in asked])
        answered = np.array([float(row.gold is not None) for row in asked])
        facts = self._facts(gold, answered, asked, views, names)
        scores = score(played, np.full(places.shape[1], 1 / places.shape[1]), self.scoring, facts)
        rewards, advantages = scores.rewards, scores.advantages
        if self.populations and (places < 0).any():
            raise ValueError("games on all questions together can't be played on a batch with missing completions")
        for population in self.populations.values():
            paid = population.rewards(rows)[places]
            rewards = rewards + np.nan_to_num(paid)
            advantages = advantages + independent_advantages(paid)
        if learn:
            for population in self.populations.values():
                population.learn(rows)
            if playing_reference:
                self.reference.follow(rows)
        return ScoredBatch(
            rewards=_scatter(rewards, places),
            advantages=_scatter(advantages, places),
            codes=codes,
            gold=np.where(answered[:, None] > 0, gold, np.nan),
            names=names,
            views=views,
            memory={k: v for population in self.populations.values() for k, v in population.metrics().items()},
        )

    def state_dict(self) -> dict[str, Any]:
        """What the game remembers, as JSON can hold it: {} for a game without memory."""
        return {name: memory.state_dict() for name, memory in self._memories().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a `state_dict` of a scorer of the same game; raises ValueError if it is of another."""
        memories = self._memories()
        if set(state) != set(memories):
            raise ValueError(f"the state is of a game that remembers {sorted(state)}, not {sorted(memories)}")
        for name, memory in memories.items():
            memory.load_state_dict(state[name])

    def _memories(self) -> dict[str, Remembers]:
        own = {"reference": self.reference} if self.scoring.game.needs_reference else {}
        return {**self.populations, **own}

    def _check(self, rows: Sequence[Completion], places: np.ndarray) -> None:
        game, problems = self.scoring.game, []
        if places.shape[1] < game.needs_views:
            what = f"the game compares {game.needs_views} views, and a question here has {places.shape[1]}"
            problems.append(Problem("view", what, f"number the phrasings 0, 1, …; {WHOLE_QUESTIONS}"))
        unknown = [row.question for row in rows if row.gold is None] if game.needs_gold else []
        if unknown:
            what = f"the game needs an answer to every question, and {unknown[0]!r} has none"
            problems.append(Problem("answer", what, "give one, or play `where: answered`"))
        if game.needs_reference and not self.reference.counts and self.reference.decay == 1:
            what = "the Target of this game is made from the reference's answers, and none are known"
            remedy = "give Scorer(…, reference=…) a ReferenceAnswers, or train by `alft train`, which samples them"
            problems.append(Problem("game", what, remedy))
        if problems:
            raise ConfigError(problems)

    def _facts(
        self,
        gold: np.ndarray,
        answered: np.ndarray,
        asked: Sequence[Completion],
        views: np.ndarray,
        names: list[list[str]],
    ) -> Facts:
        game = self.scoring.game
        questions = [(row.question, own.tolist()) for row, own in zip(asked, views, strict=True)]
        return Facts(
            gold=gold,
            answered=answered,
            reference=self.reference.marginals(questions, names) if game.needs_reference else None,
            weights=self.reference.view_weights(questions) if game.needs_reference else None,
            wanted=None if self.wanted is None else self.wanted.table(names),
        ).seen_by(game)


def _traces(rows: Sequence[Completion], places: np.ndarray) -> np.ndarray:
    """Codes of whole texts: the answer map is the identity, for completions that have an answer at all."""
    said = [*(None if row.key is None else row.text for row in rows), None]  # the last for those that are missing
    codes = counts.encode([[[said[i] for i in view] for view in question] for question in places.tolist()])[0]
    codes[places < 0] = counts.ABSENT
    return codes


def _places(rows: Sequence[Completion], ragged: bool = False) -> np.ndarray:
    """Positions of the rows, axes (question, view, sample), a question's views in the order of their numbers.

    With `ragged`, −1 stands behind the samples of a view that has fewer than another.
    """
    found: defaultdict[str, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for position, row in enumerate(rows):
        found[row.question][row.place].append(position)
    views = {len(question) for question in found.values()}
    samples = {len(places) for question in found.values() for places in question.values()}
    if len(views) != 1 or (len(samples) != 1 and not ragged):
        numbers = f"{len(found)} questions, views per question {sorted(views)}, samples per view {sorted(samples)}"
        what = f"does not hold every view of its questions with the same number of samples ({numbers})"
        raise ConfigError(Problem("batch", what, WHOLE_QUESTIONS))
    most = max(samples)
    return np.array(
        [[question[v] + [-1] * (most - len(question[v])) for v in sorted(question)] for question in found.values()]
    )


def _scatter(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    present = places >= 0
    flat = np.empty(np.count_nonzero(present))
    flat[places[present]] = values[present]
    return flat
