"""Evaluation: completions of a model → how right, coherent, varied and readable its answers are.

Nothing here imports torch before a model is run.
"""

from alft.evaluation.evaluate import EvaluationSettings, evaluate_backend, evaluate_model, to_records
from alft.evaluation.evaluation import Evaluation, compare
from alft.evaluation.recorded import Recorded, read_recorded

__all__ = [
    "Evaluation",
    "EvaluationSettings",
    "Recorded",
    "compare",
    "evaluate_backend",
    "evaluate_model",
    "read_recorded",
    "to_records",
]
