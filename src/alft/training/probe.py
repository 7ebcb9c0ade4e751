"""Asks held-out questions now and then whether the answers still follow the reference's consensus.

The equilibrium of a coherence game is the consensus of the REFERENCE (theory.md 2.2). A model that becomes
coherent answers more and more of its views by that consensus; one that drifts to another common answer, or
to the same answer for everything (4.6), leaves it, while agreement rises in both cases. So the share of
sampled answers that equal the reference's consensus tells progress from drift, without a label.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from accelerate import PartialState

from alft import consensus, counts
from alft.estimators.base import smoothed
from alft.evaluation import Evaluation, EvaluationSettings, evaluate_model
from alft.models.base import Progress, parted
from alft.plan.defaults import PROBE_QUESTIONS
from alft.questions import Question
from alft.training.processes import everyone, everywhere, from_main

ESTIMATES = ("distance", "distance_null", "gap", "gap_null", "samples", "questions")


@dataclass(frozen=True)
class ConsensusProbe:
    """Questions to ask, the reference's consensus answer to each (None: unread), and how they are asked.

    The same random numbers serve every probe, so that two probes differ by the model more than by chance. `near`
    estimates from the answers how far the equilibrium is (`alft.evaluation.approach`), if that can be done.
    """

    questions: Sequence[Question]
    answers: Mapping[str, str | None]
    settings: EvaluationSettings
    near: Callable[[Evaluation], Mapping[str, Any] | None]

    def look(self, model: Any, tokenizer: Any) -> dict[str, float]:
        """What a model's sampled answers tell.

        `consensus_kept`: the share of them that are the reference's consensus; an unread one never is. And, where
        they can be had, estimates of `distance` and `gap`, their nulls, and the `samples` a view they rest on.
        """
        current = evaluate_together(model, tokenizer, self.questions, self.settings)
        near = self.near(current) or {}
        return {"consensus_kept": kept_share(self.answers, current)} | {
            name: float(near[name]) for name in ESTIMATES if name in near
        }


def evaluate_together(
    model: Any,
    tokenizer: Any,
    questions: Sequence[Question],
    settings: EvaluationSettings,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate a model on all processes of a run: each asks a part of the questions, all receive every answer.

    Where processes divide the weights all of them ask everything, since none can compute alone.
    """
    place, count = PartialState().process_index, PartialState().num_processes
    if count == 1 or parted(model):
        found = evaluate_model(model, tokenizer, questions, settings, progress)
        return from_main(lambda: found)
    part = questions[len(questions) * place // count : len(questions) * (place + 1) // count]
    settings = replace(settings, seed=settings.seed + place)
    parts = everyone(everywhere(lambda: evaluate_model(model, tokenizer, part, settings, progress).records))
    return Evaluation(
        tuple(one for kind in ("greedy", "sampled") for records in parts for one in records if one.kind == kind)
    )


def allowance(drop: float, questions: int) -> float:
    """How far the share may fall: `drop` for PROBE_QUESTIONS questions, of fewer more, as a mean of fewer wavers.

    >>> allowance(0.06, 32), allowance(0.06, 128), allowance(0.06, 2)
    (0.06, 0.06, 0.24)
    """
    return drop * max(1.0, math.sqrt(PROBE_QUESTIONS / max(questions, 1)))


def kept_share(answers: Mapping[str, str | None], current: Evaluation) -> float:
    """Share of the completions whose key is the consensus answer to their question."""
    return float(np.mean([r.key is not None and r.key == answers[r.question] for r in current.records]))


def consensus_answers(reference: Evaluation) -> dict[str, str | None]:
    """Key of the geometric consensus of the reference's sampled answers, by question; None if all is unread."""
    alike: dict[int, dict[str, list[list[str | None]]]] = {}  # questions of as many views
    for question, views in reference.sampled_keys().items():
        alike.setdefault(len(views), {})[question] = list(views.values())
    found: dict[str, str | None] = {}
    for views, keys in alike.items():
        codes, names = counts.encode(list(keys.values()))
        best = consensus.geometric(smoothed(counts.count(codes)), np.full(views, 1 / views)).argmax(axis=-1)
        for question, own, code in zip(keys, names, best.tolist(), strict=True):
            found[question] = own[code] if own else None
    return found
