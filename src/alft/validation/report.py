"""Everything that is wrong with a configuration or a set of questions, at once, with what there is."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from alft.config import RunConfig
from alft.data import all_questions
from alft.errors import AlftError, Problem
from alft.plan import Plan, inspect
from alft.plan_checks import plan_notes
from alft.questions import DataWarning, overlap, suspects
from alft.validation.answers import double_problems, gold_problems
from alft.validation.summary import Summary, summary_of

_Found = TypeVar("_Found")
PlanCheck = Callable[[Plan], Sequence[Problem]]


@dataclass(frozen=True)
class Report:
    """`problems` to mend before a run, `notes` to look at, and what there is.

    `suspects` are views whose numbers differ from their question's; `overlap` counts questions that are in
    both sets. `held_out` is None where nothing is held out.
    """

    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    suspects: tuple[Problem, ...]
    train: Summary
    held_out: Summary | None = None
    overlap: int = 0

    @property
    def good(self) -> bool:
        """Whether nothing must be mended."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {"good": self.good, **asdict(self)}


def validate_config(config: RunConfig, *more: PlanCheck) -> Report:
    """Check a whole run: data, views, game, batch sizes, places; `more` checks see the plan if it could be made.

    No model is loaded. Problems of all kinds come together.
    """
    (plan, problems), notes = _warned(lambda: inspect(config))
    asked = [*plan.train, *plan.held_out]
    if not problems:
        problems, more_notes = _warned(lambda: [problem for check in more for problem in check(plan)])
        notes += more_notes
    notes += plan_notes(plan)
    if plan.directory.exists():
        notes.append(Problem(str(plan.directory), "a run is there already", "--resume it, or choose output.name"))
    return Report(
        (*problems, *gold_problems(asked, config.answers.policy), *double_problems(asked, config.answers.policy)),
        tuple(notes),
        tuple(suspects(asked)),
        summary_of(plan.train, config.answers.policy.keys),
        summary_of(plan.held_out, config.answers.policy.keys),
        len({pair[1] for pair in overlap(plan.train, plan.held_out)}),
    )


def validate_questions(config: RunConfig) -> Report:
    """Check the questions of `data.path` alone, as the `data` section reads them; nothing is held out."""
    try:
        asked, notes = _warned(lambda: all_questions(config))
    except AlftError as error:
        return Report(error.problems, (), (), Summary())
    policy = config.answers.policy
    problems = (*gold_problems(asked, policy), *double_problems(asked, policy))
    return Report(problems, tuple(notes), tuple(suspects(asked)), summary_of(asked, policy.keys))


def _warned(action: Callable[[], _Found]) -> tuple[_Found, list[Problem]]:
    """What an action gives, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        found = action()
    notes: list[Problem] = []
    for item in caught:
        if issubclass(item.category, DataWarning):
            notes.append(_note(str(item.message)))
        else:
            warnings.warn_explicit(item.message, item.category, item.filename, item.lineno)
    return found, notes


def _note(message: str) -> Problem:
    where, _, what = message.partition(": ")
    return Problem(where, what) if what else Problem("", where)
