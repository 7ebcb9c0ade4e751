"""Games as plain TRL reward functions, for those who can't change their trainer (no formula lives here).

    trl grpo --reward_funcs alft.training.reward_functions.coherence_geometric …

The dataset needs the columns of `alft.to_dataset`, rows of a question side by side, `shuffle_dataset` off, and
a generation batch that holds whole questions. TRL subtracts its own group mean, which damps the parts of a game
unevenly (theory.md 4.1), and says not which completions were cut off at the token limit, so that an answer in the
midst of being written counts; `alft.AlignmentGameTrainer` plays the game exactly, and leaves these unread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from accelerate import PartialState
from accelerate.utils import gather_object

from alft.games import NAMED
from alft.rewards import Scoring
from alft.rewards.scorer import Scorer, read_completion

COLUMNS = ("question_id", "view", "answer", "aliases", "answer_map", "group")
RewardFunction = Callable[..., list[float | None]]


def reward_function(name: str, scoring: Scoring) -> RewardFunction:
    """A reward function that gathers the answers of all processes, plays the game, and returns its rows' rewards.

    An unread completion gets None, which TRL leaves out of its group's baseline.
    """
    scorer = Scorer(scoring)

    def reward(completions: Sequence[Any], **columns: Any) -> list[float | None]:
        fields = {name: columns[name] for name in COLUMNS if name in columns}
        local = [
            read_completion(dict(zip(fields, values, strict=True)), turn)
            for turn, *values in zip(completions, *fields.values(), strict=True)
        ]
        rewards = scorer.score(gather_object(local)).rewards
        first = PartialState().process_index * len(local)
        return [None if value != value else float(value) for value in rewards[first : first + len(local)]]

    reward.__name__ = name
    return reward


coherence_geometric = reward_function("coherence_geometric", Scoring(NAMED["coherence_geometric"]()))
coherence_arithmetic = reward_function("coherence_arithmetic", Scoring(NAMED["coherence_arithmetic"]()))
agreement = reward_function("agreement", Scoring(NAMED["agreement"]()))
majority = reward_function("majority", Scoring(NAMED["majority"]()))
majority_pooled = reward_function("majority_pooled", Scoring(NAMED["majority_pooled"]()))
collision = reward_function("collision", Scoring(NAMED["collision"]()))
correctness = reward_function("correctness", Scoring(NAMED["correctness"]()))
