"""alft: fine-tune language models on their final answers, by distributional alignment games.

Public names in the order of the theory: games on answer marginals, how they are estimated from samples,
the rewards they imply, the text they are read from, and the trainer (imported only when asked for).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alft import games
from alft.answers import answer_key, canonical, extract
from alft.errors import AlftError
from alft.estimators import Estimator
from alft.questions import Question, View, load_questions
from alft.rewards import Scores, Scoring, score
from alft.rewards.check import check_game

if TYPE_CHECKING:
    from alft.training.dataset import to_dataset
    from alft.training.faithful import faithful_config, faithful_rloo_config
    from alft.training.trl import AlignmentGameRLOOTrainer, AlignmentGameTrainer
    from alft.training.watch import collapse_watch

_HEAVY = {
    "AlignmentGameRLOOTrainer": "alft.training.trl",
    "AlignmentGameTrainer": "alft.training.trl",
    "collapse_watch": "alft.training.watch",
    "faithful_config": "alft.training.faithful",
    "faithful_rloo_config": "alft.training.faithful",
    "to_dataset": "alft.training.dataset",
}
"""Names that need torch, and the module each comes from."""

__all__ = [
    "AlftError",
    "AlignmentGameRLOOTrainer",
    "AlignmentGameTrainer",
    "Estimator",
    "Question",
    "Scores",
    "Scoring",
    "View",
    "answer_key",
    "canonical",
    "check_game",
    "collapse_watch",
    "extract",
    "faithful_config",
    "faithful_rloo_config",
    "games",
    "load_questions",
    "score",
    "to_dataset",
]


def __getattr__(name: str) -> Any:
    if name not in _HEAVY:
        raise AttributeError(f"module 'alft' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HEAVY[name]), name)
