"""Measures of all questions together: the share of answers over a limit, and parity between groups.

A limit is on a mean over all questions (theory.md 2, paper section 7: safety), parity compares the mean answer
marginals of groups of questions (fairness). Neither is a value of one question.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from alft import consensus, simplex
from alft.completions import Completion
from alft.config.schema import ConstraintConfig
from alft.evaluation.evaluation import Evaluation
from alft.evaluation.intervals import NORMAL_QUANTILE, means
from alft.evaluation.results import Limit, Parity, Summary
from alft.questions import Question

RESAMPLES = 500
SEED = 20261
MeanMarginals = Float[np.ndarray, "*resample group answer"]


@dataclass(frozen=True)
class MeasuredLimit:
    """E[f] ≤ c: `cost` is f of a completion (1 or 0 for a flag, nan: not counted), `at_most` is c.

    `cost` is None where f is not known here. Where it is no `share`, it may be any number.
    """

    name: str
    cost: Callable[[Completion], float] | None
    at_most: float
    share: bool = True


def limits_of(
    constraints: Sequence[ConstraintConfig], flags: Mapping[str, Callable[[Completion], float]]
) -> list[MeasuredLimit]:
    """The limits of a configuration; `flags` by name say what each counts, without one its cost is not known."""
    return [
        MeasuredLimit(one.label, flags.get(one.label), one.at_most, share=one.function is None)
        for one in constraints
    ]


def full_summary(
    evaluation: Evaluation, limits: Sequence[MeasuredLimit], questions: Sequence[Question]
) -> Summary:
    """The summary of an evaluation with its `limits`, if any, and its `parity` where questions have groups."""
    groups = {question.id: question.group for question in questions if question.group is not None}
    summary = evaluation.summary()
    if limits:
        summary["limits"] = limits_summary(evaluation, limits)
    if groups:
        summary["parity"] = parity_summary(evaluation, groups)
    return summary


def limits_summary(evaluation: Evaluation, limits: Sequence[MeasuredLimit]) -> dict[str, Limit]:
    """Of each limit: mean cost of the sampled completions over questions, its interval, and the violation.

    `known`: whether the cost is known at all. A question counts by the mean over its completions that count.
    `violation` is max(0, mean − limit), None where no completion counts or its cost is not known.
    """
    found: dict[str, Limit] = {}
    for limit in limits:
        costs: dict[str, list[float]] = {}
        for record in evaluation.records:
            if record.kind == "sampled" and limit.cost is not None:
                costs.setdefault(record.question, []).append(float(limit.cost(record)))
        counted = [[cost for cost in each if not np.isnan(cost)] for each in costs.values()]
        by_question = np.array([sum(each) / len(each) if each else np.nan for each in counted])
        seen = means({"": by_question}, limit.share)[""]
        violation = None if seen["mean"] is None else max(0.0, seen["mean"] - limit.at_most)
        known = limit.cost is not None
        found[limit.name] = {"known": known, **seen, "at_most": limit.at_most, "violation": violation}
    return found


def parity_summary(evaluation: Evaluation, groups: Mapping[str, str]) -> Parity:
    """How differently groups of questions are answered: `parity`, its interval, and its value under the null.

    `groups` maps a question's id to its group. The plug-in divergence is positive even where the groups are
    answered alike: `null` is its mean when the questions' groups are shuffled, to be read beside it. The interval
    is `parity_interval`. All None with fewer than two groups.
    """
    codes = evaluation.grids[0].codes
    known = np.array([question in groups for question in evaluation.questions], dtype=bool)
    readable = (codes >= 0).any(axis=(1, 2)) & known
    names = [groups[question] for question, kept in zip(evaluation.questions, readable, strict=True) if kept]
    width = max(int(codes[readable].max(initial=0)) + 1, 1)  # answers of all questions, all views of each pooled
    counts = [np.bincount(question[question >= 0], minlength=width) for question in codes[readable]]
    marginals = simplex.normalise(np.array(counts, dtype=float).reshape(-1, width))
    value = parity(marginals, names)
    if value is None:
        return {"parity": None, "interval": None, "null": None}
    rng = np.random.default_rng(SEED)
    shuffled = [float(_divergence(_means(marginals, rng.permutation(names)))) for _ in range(RESAMPLES // 5)]
    return {"parity": value, "interval": parity_interval(marginals, names, rng), "null": float(np.mean(shuffled))}


def parity(marginals: Float[np.ndarray, "question answer"], groups: Sequence[str]) -> float | None:
    """Σ_g w_g KL(ν̄_g‖q) in nats, q = Σ_g w_g ν̄_g, ν̄_g the mean marginal of group g, w_g equal (theory.md 2).

    None with fewer than two groups.

    >>> round(parity(np.array([[1.0, 0.0], [0.0, 1.0]]), ["a", "b"]), 6)
    0.693147
    """
    if len(set(groups)) < 2:
        return None
    return float(_divergence(_means(marginals, groups)))


def parity_interval(
    marginals: Float[np.ndarray, "question answer"], groups: Sequence[str], rng: np.random.Generator
) -> list[float]:
    """95 % interval of `parity` over questions: the estimate less its bias, ±1.96 standard errors, never below 0.

    Bias and error are those of resampling the questions within each group.
    """
    names = np.asarray(groups)
    means = []
    for name in np.unique(names):
        own = marginals[names == name]
        weights = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), size=RESAMPLES) / len(own)
        means.append(weights @ own)
    drawn = np.asarray(_divergence(np.stack(means, axis=1)))
    centre = 2 * float(_divergence(_means(marginals, groups))) - float(drawn.mean())
    reach = NORMAL_QUANTILE * float(drawn.std())
    return [max(centre - reach, 0.0), max(centre + reach, 0.0)]


def _means(marginals: Float[np.ndarray, "question answer"], groups: Sequence[str] | np.ndarray) -> MeanMarginals:
    names = np.asarray(groups)
    return np.stack([marginals[names == name].mean(axis=0) for name in np.unique(names)])


def _divergence(means: MeanMarginals) -> simplex.PerBatch:
    weights = np.full(means.shape[-2], 1 / means.shape[-2])
    middle = consensus.arithmetic(means, weights)[..., None, :]
    return (weights * simplex.kl(means, middle)).sum(axis=-1)
