"""Evaluation: completions of a model → how right, coherent, varied and readable its answers are.

Only `backends` imports torch, and it is imported when a model is run.
"""

from alft.evaluation.evaluate import EvaluationSettings, evaluate_model, to_records
from alft.evaluation.evaluation import Evaluation, Measured, compare
from alft.evaluation.records import Record

__all__ = [
    "Evaluation",
    "EvaluationSettings",
    "Measured",
    "Record",
    "compare",
    "evaluate_model",
    "to_records",
]
