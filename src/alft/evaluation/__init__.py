"""Evaluation: completions of a model → how right, coherent, varied and readable its answers are.

Nothing here imports torch before a model is run.
"""

from alft.completions import Completion
from alft.evaluation.evaluate import EvaluationSettings, evaluate_backend, evaluate_model, to_records
from alft.evaluation.evaluation import Evaluation, Measured, compare
from alft.evaluation.recorded import Recorded, read_recorded

__all__ = [
    "Completion",
    "Evaluation",
    "EvaluationSettings",
    "Measured",
    "Recorded",
    "compare",
    "evaluate_backend",
    "evaluate_model",
    "read_recorded",
    "to_records",
]
