"""A problem in a file: game, β, and each question's reference marginals or counts by view (`alft solve`).

    {"game": "coherence_arithmetic", "beta": 0.1, "questions": [
        {"id": "q1", "answers": ["7", "8"], "reference": [[0.9, 0.1], [0.4, 0.6]]},
        {"id": "q2", "answers": ["yes", "no"], "counts": [[5, 3], [8, 0]], "gold": "yes"}]}

`game` is a name of `alft.games.NAMED`, or a list of {"game": name, "weight": c}. Counts are smoothed by half a
sample per answer, so that every answer keeps a chance.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from alft import simplex
from alft.errors import DataError, Problem
from alft.games import NAMED, Facts, Game, Sum
from alft.simplex import Array
from alft.tabular.solver import Equilibrium, solve

COUNT_PRIOR = 0.5
SMOOTHED = "give counts, which are smoothed"
LARGEST = 1e300
KEYS = {"game", "beta", "questions"}
QUESTION_KEYS = {"id", "answers", "reference", "counts", "gold"}


@dataclass(frozen=True)
class TabularQuestion:
    """One question: `reference` (view, answer), and 1 at the gold answer, if there is one."""

    id: str
    answers: tuple[str, ...]
    reference: Array
    gold: Array


@dataclass(frozen=True)
class TabularProblem:
    """A game with its β on questions that may differ in views and answers."""

    game: Game
    beta: float
    questions: tuple[TabularQuestion, ...]


@dataclass
class Complaints:
    """All that is wrong with a file, collected."""

    path: Path
    problems: list[Problem] = field(default_factory=list)

    def add(self, where: str, what: str, remedy: str = "") -> None:
        """One more thing to mend, at `where` inside the file."""
        self.problems.append(Problem(f"{self.path}: {where}" if where else str(self.path), what, remedy))

    def settle(self) -> None:
        """Raise if there is anything to mend."""
        if self.problems:
            raise DataError(self.problems)


def load_problem(path: Path) -> TabularProblem:
    """Read a problem strictly; raises `DataError` with everything that is wrong with it."""
    complaints = Complaints(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(Problem(str(path), "no such file", "give the path of a problem in JSON")) from None
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise DataError(Problem(str(path), f"can't be read as UTF-8 text ({error})")) from None
    except json.JSONDecodeError as error:
        raise DataError(Problem(f"{path}:{error.lineno}:{error.colno}", f"is not JSON: {error.msg}")) from None
    if not isinstance(content, dict):
        complaints.add("", "is not a JSON object", 'write {"game": …, "beta": …, "questions": […]}')
        complaints.settle()
    _unknown(complaints, "", content, KEYS)
    game = _game(complaints, content.get("game"))
    beta: Any = content.get("beta")
    if not _is_number(beta) or not 0 < beta < np.inf:
        complaints.add("beta", f"must be a positive number, not {beta!r}", "0.1 is a common choice")
    rows = content.get("questions")
    if not isinstance(rows, list) or not rows:
        complaints.add("questions", "must be a list with at least one question")
        rows = []
    questions = [_question(complaints, f"questions[{i}]", row) for i, row in enumerate(rows)]
    _check_fit(complaints, game, questions)
    complaints.settle()
    return TabularProblem(game, float(beta), tuple(q for q in questions if q is not None))


def solve_problem(problem: TabularProblem) -> list[Equilibrium]:
    """The equilibrium of every question, with its history."""
    return [_solve(problem, question) for question in problem.questions]


def _solve(problem: TabularProblem, question: TabularQuestion) -> Equilibrium:
    try:
        return solve(_told(problem.game, question), question.reference, problem.beta, history=True)
    except ValueError as error:
        raise DataError(Problem(f"question {question.id}", str(error), SMOOTHED)) from None


def _told(game: Game, question: TabularQuestion) -> Game:
    return game.given(Facts(gold=question.gold, reference=question.reference))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not abs(value) > LARGEST


def _unknown(complaints: Complaints, where: str, row: Mapping[str, Any], known: set[str]) -> None:
    for key in sorted(set(row) - known):
        close = difflib.get_close_matches(key, known, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(sorted(known))}"
        complaints.add(f"{where}.{key}".lstrip("."), "unknown key", remedy)


def _game(complaints: Complaints, wanted: Any) -> Sum:
    """The game of a name, or the weighted sum of a list of names."""
    terms = [{"game": wanted, "weight": 1.0}] if isinstance(wanted, str) else wanted
    if not isinstance(terms, list) or not terms or not all(isinstance(term, dict) for term in terms):
        complaints.add("game", f"must be a name or a list of {{game, weight}}, not {wanted!r}", _game_names())
        return Sum((0.0, NAMED["diversity"]()))
    made = []
    for i, term in enumerate(terms):
        name, weight = term.get("game"), term.get("weight", 1.0)
        if name not in NAMED:
            complaints.add(f"game[{i}]" if len(terms) > 1 else "game", f"there is no game {name!r}", _game_names())
        elif not _is_number(weight) or not 0 <= weight < np.inf:
            complaints.add(f"game[{i}].weight", f"must be a number of at least 0, not {weight!r}")
        elif not NAMED[name]().concave:
            complaints.add("game", f"{name!r} is not concave: no gap certifies its equilibria", _game_names())
        else:
            made.append((float(weight), NAMED[name]()))
    return Sum(*made) if made else Sum((0.0, NAMED["diversity"]()))


def _game_names() -> str:
    return f"concave games: {', '.join(name for name, make in NAMED.items() if make().concave)}"


def _question(complaints: Complaints, where: str, row: Any) -> TabularQuestion | None:
    if not isinstance(row, dict):
        complaints.add(where, "must be an object with answers and reference or counts")
        return None
    before = len(complaints.problems)
    _unknown(complaints, where, row, QUESTION_KEYS)
    answers, gold = row.get("answers"), row.get("gold")
    if not isinstance(answers, list) or not answers or not all(isinstance(a, str) for a in answers):
        complaints.add(f"{where}.answers", "must be a list of texts, one per answer", 'e.g. ["7", "8"]')
        answers = []
    elif len(set(answers)) < len(answers):
        complaints.add(f"{where}.answers", "names an answer twice")
    if gold is not None and gold not in answers:
        complaints.add(f"{where}.gold", f"{gold!r} is none of the answers")
    reference = _marginals(complaints, where, row, len(answers))
    if reference is None or len(complaints.problems) > before:
        return None
    marked = np.array([float(answer == gold) for answer in answers])
    return TabularQuestion(str(row.get("id", where)), tuple(answers), reference, marked)


def _marginals(complaints: Complaints, where: str, row: Mapping[str, Any], answers: int) -> Array | None:
    """Reference marginals (view, answer), from themselves or from counts."""
    given = [key for key in ("reference", "counts") if key in row]
    if len(given) != 1:
        complaints.add(where, "needs either reference (probabilities) or counts, by view and answer")
        return None
    place, table = f"{where}.{given[0]}", row[given[0]]
    rows = table if isinstance(table, list) and table and all(isinstance(view, list) for view in table) else None
    if rows is None or not all(len(view) == answers and all(map(_is_number, view)) for view in rows):
        complaints.add(place, f"must hold one list of {answers} numbers for each view")
        return None
    values = np.array(rows, dtype=float)
    if not np.isfinite(values).all() or (values < 0).any():
        complaints.add(place, "holds a number that is negative or not finite")
        return None
    if given[0] == "counts":
        return simplex.normalise(values + COUNT_PRIOR)
    if not np.allclose(values.sum(axis=-1), 1, rtol=0, atol=1e-6):
        complaints.add(place, f"each view must sum to 1, not {values.sum(axis=-1).round(6).tolist()}")
        return None
    return simplex.normalise(values)


def _check_fit(complaints: Complaints, game: Game, questions: list[TabularQuestion | None]) -> None:
    """What the game needs of every question: views, gold answers, answers that all views may give."""
    for i, question in enumerate(questions):
        if question is None:
            continue
        where = f"questions[{i}]"
        if len(question.reference) < game.needs_views:
            complaints.add(where, f"the game needs at least {game.needs_views} views of a question")
        elif game.needs_gold and not question.gold.any():
            complaints.add(f"{where}.gold", "the game is played on gold answers, and there is none")
        elif not (question.reference > 0).all(axis=0).any():
            complaints.add(where, "no answer has a chance in every view", SMOOTHED)
