"""alft: fine-tune language models on their final answers, by distributional alignment games.

Public names in the order of the theory: games on answer marginals, how they are estimated from samples,
the rewards they imply, the text they are read from, the trainer, and a function for each command, with the same
results (the last two are imported on first use).
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
    from alft.offline.weighted import Export
    from alft.training.dataset import to_dataset
    from alft.training.faithful import faithful_config, faithful_rloo_config
    from alft.training.trl import AlignmentGameRLOOTrainer, AlignmentGameTrainer
    from alft.training.watch import collapse_watch
    from alft.verbs.asking import ModelSource
    from alft.verbs.distill import Distilling, distill
    from alft.verbs.evaluate import evaluate
    from alft.verbs.questions import ViewOptions, init, validate, views
    from alft.verbs.report import report
    from alft.verbs.sample import Draw, sample, show
    from alft.verbs.solve import GameChoice, SolveFiles, solve
    from alft.verbs.train import train

_HEAVY = {
    "Distilling": "alft.verbs.distill",
    "Export": "alft.offline.weighted",
    "ModelSource": "alft.verbs.asking",
    "collapse_watch": "alft.training.watch",
    "to_dataset": "alft.training.dataset",
    **dict.fromkeys(("AlignmentGameRLOOTrainer", "AlignmentGameTrainer"), "alft.training.trl"),
    **dict.fromkeys(("faithful_config", "faithful_rloo_config"), "alft.training.faithful"),
    **{verb: f"alft.verbs.{verb}" for verb in ("distill", "evaluate", "report", "sample", "solve", "train")},
    **dict.fromkeys(("Draw", "show"), "alft.verbs.sample"),
    **dict.fromkeys(("GameChoice", "SolveFiles"), "alft.verbs.solve"),
    **dict.fromkeys(("ViewOptions", "init", "validate", "views"), "alft.verbs.questions"),
}
"""Names that are imported on first use, many with torch, and the module each comes from."""

__all__ = [
    "AlftError",
    "AlignmentGameRLOOTrainer",
    "AlignmentGameTrainer",
    "Distilling",
    "Draw",
    "Estimator",
    "Export",
    "GameChoice",
    "ModelSource",
    "Question",
    "Scores",
    "Scoring",
    "SolveFiles",
    "View",
    "ViewOptions",
    "answer_key",
    "canonical",
    "check_game",
    "collapse_watch",
    "distill",
    "evaluate",
    "extract",
    "faithful_config",
    "faithful_rloo_config",
    "games",
    "init",
    "load_questions",
    "report",
    "sample",
    "score",
    "show",
    "solve",
    "to_dataset",
    "train",
    "validate",
    "views",
]


def __getattr__(name: str) -> Any:
    if name not in _HEAVY:
        raise AttributeError(f"module 'alft' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HEAVY[name]), name)
