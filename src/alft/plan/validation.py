"""Everything that is wrong with a configuration or a set of questions, at once, with what there is."""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from alft.answers import DEFAULT, KeyPolicy, kind
from alft.config.schema import RunConfig
from alft.errors import Problem, collecting
from alft.plan.build import inspect
from alft.plan.plan import Plan, ignored_settings, plan_notes
from alft.plan.questions import all_questions, comparing, example_problems, label_problems
from alft.questions import DataWarning, Question, overlap, suspects
from alft.questions.model import normalised

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Summary:
    """Counts: `questions`; of questions by their number of `views`, kind of answer and `groups`; `duplicates`.

    A duplicate is a question with a text that an earlier one has, letter case apart; `answers` counts those
    without an answer under "none", and `groups` is empty where no question has one.
    """

    questions: int = 0
    views: dict[int, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0


@dataclass(frozen=True)
class Report:
    """`problems` to fix before a run, `notes` to look at, and what there is.

    `suspects` are views whose numbers differ from their question's; `overlap` counts questions that are in
    both sets. `held_out` is None where nothing is held out.
    """

    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...] = ()
    suspects: tuple[Problem, ...] = ()
    train: Summary = field(default_factory=Summary)
    held_out: Summary | None = None
    overlap: int = 0

    @property
    def good(self) -> bool:
        """Whether nothing must be fixed."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {"good": self.good, **asdict(self)}


def validate_config(config: RunConfig, *more: Callable[[Plan], Sequence[Problem]]) -> Report:
    """Check a whole run: data, views, game, batch sizes, places; `more` checks see the plan if it could be made.

    No model is loaded. Problems of all kinds come together.
    """
    (plan, problems), notes = _warned(lambda: inspect(config))
    asked, keys = [*plan.train, *plan.held_out], comparing(plan.config.answers).keys
    if isinstance(plan, Plan) and not problems:
        problems, more_notes = _warned(lambda: [problem for check in more for problem in check(plan)])
        notes += more_notes
    notes += [*plan_notes(plan), *ignored_settings(config)]
    if plan.directory.exists():
        notes.append(Problem(str(plan.directory), "a run is there already", "--resume it, or choose output.name"))
    return Report(
        (*problems, *label_problems(asked, plan.config.answers)),
        tuple(notes),
        tuple(suspects(asked)),
        summary_of(plan.train, keys),
        summary_of(plan.held_out, keys),
        len({pair[1] for pair in overlap(plan.train, plan.held_out)}),
    )


def validate_questions(config: RunConfig) -> Report:
    """Check the questions of `data.path`, as the `data` section reads them, and its examples; none is held out."""
    problems, asked, notes = list[Problem](), list[Question](), list[Problem]()
    with collecting(problems):
        asked, notes = _warned(lambda: all_questions(config))
    with collecting(problems):
        _ = config.answers.policy  # loads and tries a reader
        problems += example_problems(config, asked)
    problems += label_problems(asked, config.answers)
    return Report(
        tuple(problems), tuple(notes), tuple(suspects(asked)), summary_of(asked, comparing(config.answers).keys)
    )


def _warned(action: Callable[[], _Found]) -> tuple[_Found, list[Problem]]:
    """What an action gives, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        found = action()
    for item in caught:
        if not issubclass(item.category, DataWarning):
            warnings.warn_explicit(item.message, item.category, item.filename, item.lineno)
    texts = (str(item.message).partition(": ") for item in caught if issubclass(item.category, DataWarning))
    return found, [Problem(where, what) if what else Problem("", where) for where, _, what in texts]


def summary_of(questions: Sequence[Question], policy: KeyPolicy = DEFAULT) -> Summary:
    """The counts of a set of questions.

    >>> from alft.questions import View
    >>> summary_of([Question("a", (View("1+1?", "view 1"),), "2")])
    Summary(questions=1, views={1: 1}, answers={'number': 1}, groups={}, duplicates=0)
    """
    grouped = any(question.group is not None for question in questions)
    seen, duplicates = set[str](), 0
    for question in questions:
        texts = {normalised(view.text).casefold() for view in question.views}
        duplicates += bool(texts & seen)
        seen |= texts
    return Summary(
        len(questions),
        dict(sorted(Counter(len(question.views) for question in questions).items())),
        dict(Counter(kind(question.answer, policy) or "none" for question in questions).most_common()),
        dict(Counter(question.group or "none" for question in questions).most_common()) if grouped else {},
        duplicates,
    )
