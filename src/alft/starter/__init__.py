"""The built-in models and questions: runs from nothing in minutes, on any machine (see model/README.md)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from alft.questions import Question
from alft.starter import problems

STARTER = "starter"
CHOICES = "starter:choices"
SHARED = "starter:shared"
NUMBERS = "starter:numbers"
LOANS = "starter:loans"

MODELS = {STARTER: "model", CHOICES: "choices_model"}
"""Folders of the built-in models, by the name that `model.path` uses."""
QUESTIONS: dict[str, Callable[..., list[Question]]] = {
    STARTER: problems.questions,
    SHARED: partial(problems.questions, wordings=problems.SHARING),
    NUMBERS: problems.number_questions,
    LOANS: problems.loan_questions,
}
"""Built-in questions, by the name that `data.path` uses: two sets for the first model, two for the other."""
TRAINING: dict[str, dict[str, Any]] = {
    STARTER: {"learning_rate": 1.25e-4, "schedule": "linear", "warmup_steps": 0, "max_new_tokens": 40},
    CHOICES: {"learning_rate": 2e-4, "schedule": "constant", "warmup_steps": 0, "max_new_tokens": 6},
}
"""Training settings that suit each model, where a configuration leaves them open."""
TRAINING_QUESTIONS = 480


def model_path(name: str = STARTER) -> Path:
    """Directory of a built-in model."""
    return Path(__file__).parent / MODELS[name]


def training_questions(seed: int = 0, count: int = TRAINING_QUESTIONS, name: str = STARTER) -> list[Question]:
    """Questions to train on; the seed chooses which."""
    return QUESTIONS[name](count, held_out=False, seed=seed)


def held_out_questions(count: int, name: str = STARTER) -> list[Question]:
    """Questions to measure on, the same for every run; their numbers are never trained on."""
    return QUESTIONS[name](count, held_out=True)
