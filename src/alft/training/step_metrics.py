"""What each training step logs of its generation batch: how coherent, varied, readable and (with gold) right."""

from __future__ import annotations

import numpy as np

from alft.counts import UNREAD
from alft.evaluation import metrics
from alft.training.scorer import ScoredBatch


def step_metrics(batch: ScoredBatch) -> dict[str, float | None]:
    """Metrics of one generation batch; None where one is not defined. Gold serves for measuring only.

    `incoherence` is plug-in (nats), `incoherence_corrected` less its first-order bias, and
    `incoherence_euclidean` unbiased (theory.md 4.5). `accuracy/0`, `accuracy/1`, … are by view.
    """
    codes = batch.codes
    shared = metrics.share_codes(codes, batch.names)
    right = right_or_wrong(batch)
    values = {
        "incoherence": metrics.mean(metrics.incoherence(codes)),
        "incoherence_corrected": metrics.mean(metrics.incoherence(codes) - metrics.incoherence_bias(codes)),
        "incoherence_euclidean": metrics.mean(metrics.incoherence_euclidean(codes)),
        "agreement": metrics.mean(metrics.agreement(codes)),
        "entropy": metrics.mean(metrics.entropy(codes)),
        "unread": metrics.mean(metrics.unread(codes)),
        "dominant_share": metrics.dominant_share(shared),
        "pooled_entropy": metrics.pooled_entropy(shared),
        "accuracy": metrics.mean(right),
    }
    by_view = metrics.accuracy(right)
    asked = np.unique(batch.views)
    values |= {f"accuracy/{view}": metrics.mean(by_view[batch.views == view]) for view in asked.tolist()}
    return values | {name: None if np.isnan(value) else value for name, value in batch.memory.items()}


def right_or_wrong(batch: ScoredBatch) -> np.ndarray:
    """1 or 0 for each sample, axes (question, view, sample); nan where the question has no gold answer."""
    flat = batch.codes.reshape(len(batch.codes), -1)
    right = np.take_along_axis(batch.gold, np.maximum(flat, 0), axis=1).reshape(batch.codes.shape)
    return np.where((batch.codes == UNREAD) & ~np.isnan(right), 0.0, right)
