"""Ask a model every view of every question, read its answers, and evaluate them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alft.answers import USUAL, AnswerPolicy, Outcome, gold_set, key_in_space, read
from alft.answers.guarded import GuardedGrader
from alft.completions import Completion, Kind
from alft.config.schema import RunConfig
from alft.evaluation.evaluation import Evaluation
from alft.models.base import Backend, Sampling
from alft.questions import Question, pull_back

GREEDY_SHARE = 0.2  # of the progress: one greedy completion costs about as much as two samples of eight


@dataclass(frozen=True)
class EvaluationSettings:
    """How a model is asked: `samples` per view (0: none), and one greedy completion per view if `greedy`.

    `stop`: strings at which a completion ends; None: `alft.completions.STOP` without a chat template.
    `answers` says how its completions are read and compared.
    """

    samples: int = 8
    max_new_tokens: int = 256
    batch_size: int = 512
    seed: int = 1234
    greedy: bool = True
    answers: AnswerPolicy = USUAL
    stop: Sequence[str] | None = None


def evaluation_settings(config: RunConfig) -> EvaluationSettings:
    """How a configuration measures: its samples, batch and seed, completions as long as in training."""
    chosen = config.evaluation
    return EvaluationSettings(
        samples=chosen.samples,
        max_new_tokens=config.training.max_new_tokens or EvaluationSettings.max_new_tokens,
        batch_size=chosen.batch_size,
        seed=chosen.seed,
        answers=config.answers.policy,
        stop=config.training.stop,
    )


def evaluate_model(
    model: Any,
    tokenizer: Any,
    questions: Sequence[Question],
    settings: EvaluationSettings | None = None,
    progress: Callable[[float], Any] | None = None,
) -> Evaluation:
    """Evaluate a loaded Hugging Face model on questions; `progress` receives the share done.

    Neither the model nor torch's random state is changed, so measuring never changes a training run.
    """
    from alft.models.local import LocalModel

    return evaluate_backend(LocalModel(model, tokenizer), questions, settings, progress)


def evaluate_backend(
    backend: Backend,
    questions: Sequence[Question],
    settings: EvaluationSettings | None = None,
    progress: Callable[[float], Any] | None = None,
    grader: GuardedGrader | None = None,
) -> Evaluation:
    """Evaluate whatever completes prompts; `progress` receives the share done, `grader` may find more right."""
    settings = settings or EvaluationSettings()
    progress = progress or (lambda share: None)
    prompts = [view.prompt for question in questions for view in question.views]
    chosen = settings.samples, False, settings.max_new_tokens, settings.batch_size, settings.seed, settings.stop
    sampled = Sampling(*chosen)
    part = GREEDY_SHARE if settings.greedy else 0.0
    records: list[Completion] = []
    if settings.greedy:
        given = backend.complete(prompts, replace(sampled, greedy=True), lambda share: progress(part * share))
        records += to_records(questions, given, "greedy", settings.answers, grader)
    if settings.samples > 0:
        given = backend.complete(prompts, sampled, lambda share: progress(part + (1 - part) * share))
        records += to_records(questions, given, "sampled", settings.answers, grader)
    return Evaluation(tuple(records))


def read_again(evaluation: Evaluation, questions: Iterable[Question], answers: AnswerPolicy) -> Evaluation | None:
    """The evaluation with its texts read by `answers`; None where a text or its question is not known."""
    asked = {(one.id, view.name): replace(one, views=(view,)) for one in questions for view in one.views}
    if any(one.text is None or (one.question, one.view) not in asked for one in evaluation.records):
        return None
    parts = [asked[one.question, one.view] for one in evaluation.records]
    again = to_records(parts, [[one] for one in evaluation.records], "sampled", answers)
    pairs = zip(evaluation.records, again, strict=True)
    return Evaluation(tuple(replace(one, key=now.key, right=now.right) for one, now in pairs))


def to_records(
    questions: Sequence[Question],
    completions: Sequence[Sequence[Completion]],
    kind: Kind,
    answers: AnswerPolicy = USUAL,
    grader: GuardedGrader | None = None,
) -> Iterator[Completion]:
    """Read completions that a model gave in the order of the questions and their views.

    `completions` has axes (question · view, sample). An answer is right if its key is the gold answer's
    or `grader` says so, called for every answer that has a gold answer; None where there is no gold answer.
    """
    asked = [(question, place, view) for question in questions for place, view in enumerate(question.views)]
    for (question, place, view), samples in zip(asked, completions, strict=True):
        gold = None if question.answer is None else gold_set(question.gold, answers.keys)
        answer_map = pull_back(question, view)
        for index, one in enumerate(samples):
            answer = read(one.full_text, answers.reading, truncated=one.truncated).answer
            key = key_in_space(answer, answer_map, answers.keys)
            right = None if gold is None else key in gold
            if gold and grader is not None:
                right = grader.grade(key if answer_map else answer, question.gold) is Outcome.RIGHT
            names = {"question": question.id, "view": view.name, "place": place, "group": question.group}
            yield replace(one, **names, kind=kind, sample=index, key=key, right=right)
