"""Games as plain TRL reward functions, for those who can't change their trainer (no formula lives here).

    trl grpo --reward_funcs alft.training.reward_functions.coherence_geometric …

The dataset needs the columns of `alft.to_dataset`, rows of a question side by side, `shuffle_dataset` off, and
a generation batch that holds whole questions. TRL always shuffles an eval_dataset: don't use them there. It also
subtracts its own group mean, which damps the parts of a game unevenly (theory.md 4.1), and doesn't say which
completions were cut off at the token limit, so that an answer in the midst of being written counts;
`alft.AlignmentGameTrainer` plays the game exactly, and leaves these unread.

`GuardedRewards` keeps a user's own functions from hanging a run: TRL gathers rewards after the functions ran, and
one that raises on one process would leave the others waiting in that gather. So a failure waits until every
process has called its own. An infinite reward would silently make all advantages of its group zero.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from accelerate import PartialState
from accelerate.utils import gather_object
from torch import nn

from alft.completions import Completion
from alft.errors import ConfigError, Problem
from alft.games import NAMED
from alft.rewards import Scoring
from alft.rewards.scorer import WHOLE_QUESTIONS, Scorer, read_completion
from alft.training.faithful import COLUMNS, row_problems

RewardFunction = Callable[..., Any]


def reward_function(name: str, scoring: Scoring, unread: float | None = None) -> RewardFunction:
    """A reward function that gathers the answers of all processes, plays the game, and returns its rows' rewards.

    An unread completion gets `unread`. With None TRL leaves it out of its group's baseline if this is the only
    reward function, and counts 0 for it beside others: more than answers get in a game that pays less than 0.
    Raises ConfigError for a scoring with a baseline, a β or an unread penalty of its own: TRL has its own.
    """
    usual, own = Scoring(scoring.game), ("baseline", "unread_penalty", "beta")
    if changed := [field for field in own if getattr(scoring, field) != getattr(usual, field)]:
        what, remedy = f"TRL can't play {', '.join(changed)}", "use AlignmentGameTrainer, or choose unread=…"
        raise ConfigError(Problem("scoring", what, remedy))
    scorer, views, run = Scorer(scoring), set[tuple[str, int]](), None

    def reward(completions: Sequence[Any], trainer_state: Any = None, **columns: Any) -> list[float | None]:
        nonlocal scorer, views, run
        if trainer_state is not run:  # another training: it remembers nothing of the one before
            scorer, views, run = Scorer(scoring), set(), trainer_state
        if missing := [column for column in ("question_id", "view") if column not in columns]:
            raise ConfigError(Problem("dataset", f"no column {', '.join(missing)}", "make it by alft.to_dataset"))
        fields = {name: columns[name] for name in (*COLUMNS, "group") if name in columns}
        if problems := row_problems("dataset", fields, scoring.game):
            raise ConfigError(problems)
        local = [
            read_completion(dict(zip(fields, values, strict=True)), turn)
            for turn, *values in zip(completions, *fields.values(), strict=True)
        ]
        rows = gather_object(local)
        if scoring.game.across_views:
            _check_views(rows, views)
        rewards = scorer.score(rows).rewards
        first = PartialState().process_index * len(local)
        return [unread if value != value else float(value) for value in rewards[first : first + len(local)]]

    reward.__name__ = name
    return reward


def _check_views(rows: Sequence[Completion], views: set[tuple[str, int]]) -> None:
    """Raise ConfigError if a question comes without a view that it had in an earlier batch; notes its `views`."""
    now = {(row.question, row.place) for row in rows}
    asked = {question for question, _ in now}
    if cut := sorted(asked & {question for question, _ in views - now}):
        what = f"{len(cut)} of {len(asked)} questions lack views that they had before, for example {cut[0]!r:.40}"
        raise ConfigError(Problem("batch", what, WHOLE_QUESTIONS))
    views |= now


coherence_geometric = reward_function("coherence_geometric", Scoring(NAMED["coherence_geometric"]()))
coherence_arithmetic = reward_function("coherence_arithmetic", Scoring(NAMED["coherence_arithmetic"]()))
agreement = reward_function("agreement", Scoring(NAMED["agreement"]()))
majority = reward_function("majority", Scoring(NAMED["majority"]()))
majority_pooled = reward_function("majority_pooled", Scoring(NAMED["majority_pooled"]()))
collision = reward_function("collision", Scoring(NAMED["collision"]()))
correctness = reward_function("correctness", Scoring(NAMED["correctness"]()))


LARGEST = 1e6
"""Largest absolute reward: beside a greater one every other vanishes in the 24 bits of a float32."""


class GuardedRewards:
    """Wraps reward functions; what they raised is kept until `check` raises it.

    Reward models (modules, or their names) are no functions and stay as they are.
    """

    def __init__(self, functions: Sequence[Any]) -> None:
        self.failures: list[Exception] = []
        self.functions = [self._guard(function) for function in functions]

    def check(self) -> None:
        """Raise the first failure since the last check."""
        failures, self.failures = self.failures, []
        if failures:
            raise failures[0]

    def _guard(self, function: Any) -> Any:
        if isinstance(function, str | nn.Module):
            return function
        name = getattr(function, "__name__", type(function).__name__)  # what its metrics are called

        @functools.wraps(function, updated=())
        def guarded(**columns: Any) -> list[float | None]:
            try:
                return checked(name, function(**columns), columns["completions"])
            except Exception as error:
                return self._failed(error, columns["completions"])

        @functools.wraps(function, updated=())
        async def awaited(**columns: Any) -> list[float | None]:
            try:
                return checked(name, await function(**columns), columns["completions"])
            except Exception as error:
                return self._failed(error, columns["completions"])

        chosen: Any = awaited if inspect.iscoroutinefunction(function) else guarded
        chosen.__name__ = name
        return chosen

    def _failed(self, error: Exception, completions: Sequence[Any]) -> list[float | None]:
        self.failures.append(error)
        return [None] * len(completions)


def checked(name: str, rewards: Sequence[Any], completions: Sequence[Any]) -> list[float | None]:
    """The rewards as numbers; ValueError unless each completion has one within bounds, or None or nan."""
    numbers = [None if reward is None else float(reward) for reward in rewards]
    if len(numbers) != len(completions):
        raise ValueError(f"{name} gave {len(numbers)} rewards for {len(completions)} completions")
    for number, completion in zip(numbers, completions, strict=True):
        if number is not None and abs(number) > LARGEST:  # nan is no reward, and passes
            what = f"{name} gave the reward {number:g} for {str(completion)[:200]!r}"
            raise ValueError(f"{what}: rewards must be within ±{LARGEST:g}")
    return numbers
