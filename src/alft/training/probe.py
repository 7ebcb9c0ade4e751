"""Asks held-out questions now and then whether the answers still follow the reference's consensus.

The equilibrium of a coherence game is the consensus of the REFERENCE (theory.md 2.2). A model that becomes
coherent answers more and more of its views by that consensus; one that drifts to another common answer, or
to the same answer for everything (4.6), leaves it, while agreement rises in both cases. So the share of
greedy answers that equal the reference's consensus tells progress from drift, without a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alft import consensus, simplex
from alft.counts import UNREAD
from alft.evaluation import Evaluation, EvaluationSettings, evaluate_model, metrics
from alft.questions import Question

PRIOR = 0.5  # pseudo-samples per distinct answer, so that an answer one view never gave is not excluded


@dataclass(frozen=True)
class ConsensusProbe:
    """Questions with the reference's consensus answer to each, as found in the evaluation of the reference."""

    questions: Sequence[Question]
    reference: Evaluation
    settings: EvaluationSettings

    def share(self, model: Any, tokenizer: Any) -> float:
        """Share of (question, view) whose greedy answer is the reference's consensus; unread is not."""
        settings = replace(self.settings, samples=0)
        return kept_share(self.reference, evaluate_model(model, tokenizer, self.questions, settings))


def kept_share(reference: Evaluation, current: Evaluation) -> float:
    """Share of current greedy answers that equal the geometric consensus of the reference's samples."""
    asked = set(current.questions)
    records = [record for record in reference.records if record.question in asked and record.kind == "sampled"]
    both = Evaluation((*records, *(record for record in current.records if record.kind == "greedy")))
    sampled, greedy = both.grids
    agreed = consensus_codes(sampled.codes)
    return float((greedy.codes[..., 0] == agreed[:, None]).mean())


def consensus_codes(codes: np.ndarray) -> np.ndarray:
    """Code of the geometric consensus answer of each question, axes (question); −2 (no code) if all is unread."""
    width = int(codes.max(initial=0)) + 1
    counts = (codes[..., None] == np.arange(width)).sum(axis=2).astype(float)
    support = counts.sum(axis=1, keepdims=True) > 0
    nu = simplex.normalise(np.where(support, counts + PRIOR, 0.0))
    weights = np.full(codes.shape[1], 1 / codes.shape[1])
    best = consensus.geometric(nu, weights).argmax(axis=-1)
    return np.where((codes == UNREAD).all(axis=(1, 2)), metrics.ABSENT, best)
