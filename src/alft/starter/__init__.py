"""The built-in model and questions: a run from nothing in minutes, on any machine (see model/README.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alft.questions import Question
from alft.starter import problems

TRAINING: dict[str, Any] = {
    "learning_rate": 1.25e-4,
    "schedule": "linear",
    "warmup_steps": 0,
    "max_new_tokens": 40,
}
"""Training settings that suit the starter, where a configuration leaves them open."""
TRAINING_QUESTIONS = 480


def model_path() -> Path:
    """Directory of the built-in model."""
    return Path(__file__).parent / "model"


def training_questions(seed: int = 0, count: int = TRAINING_QUESTIONS) -> list[Question]:
    """Questions to train on; the seed chooses which."""
    return problems.questions(count, held_out=False, seed=seed)


def held_out_questions(count: int) -> list[Question]:
    """Questions to measure on, the same for every run; their numbers are never trained on."""
    return problems.questions(count, held_out=True)
