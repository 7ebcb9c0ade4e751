"""Samples the reference once before training, for games whose Target is its consensus (theory.md 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from alft.evaluation import Evaluation, EvaluationSettings, Record
from alft.plan import Plan
from alft.playing import populations_of, scoring_of
from alft.questions import Question
from alft.reference import ReferenceAnswers
from alft.training.block_sampler import Order
from alft.training.scorer import Row, Scorer

Ask = Callable[[Sequence[Question], EvaluationSettings], Evaluation]


def make_scorer(plan: Plan, ask: Ask | None, settings: EvaluationSettings) -> Scorer:
    """The scorer of a run; if its game needs the reference's answers, it is asked what will be trained on.

    Without `ask` it is not: a run that goes on from a checkpoint finds its answers there.
    """
    config = plan.config
    scoring, kept = scoring_of(config), ReferenceAnswers(config.target.decay)
    if scoring.game.needs_reference and ask is not None:
        asked = replace(settings, samples=config.target.samples, greedy=False)
        questions = _trained_on(plan)
        kept.add(_rows(ask(questions, asked).records, questions))
    policy = config.answers.policy
    return Scorer(scoring, populations_of(config), kept, policy, config.game.wanted(policy.keys))


def _trained_on(plan: Plan) -> list[Question]:
    """The questions that the steps of a run come to: all, or those with which the first epoch begins."""
    training = plan.config.training
    order = Order(training.seed, lambda: 0).of(len(plan.train))
    batches = training.steps // plan.steps_per_batch
    return [plan.train[i] for i in order[: batches * training.questions_per_step]]


def _rows(records: Sequence[Record], questions: Sequence[Question]) -> Iterator[Row]:
    """Records as the scorer names things: views by number."""
    numbers = {(q.id, view.name): number for q in questions for number, view in enumerate(q.views)}
    for record in records:
        yield Row(record.question, numbers[record.question, record.view], record.key)
