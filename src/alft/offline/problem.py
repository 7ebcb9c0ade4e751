"""A problem in a file: game, β, and each question's reference marginals or counts by view (`alft solve`).

    {"game": "coherence_arithmetic", "beta": 0.1, "questions": [
        {"id": "q1", "answers": ["7", "8"], "reference": [[0.9, 0.1], [0.4, 0.6]], "weights": [1, 2]},
        {"id": "q2", "answers": ["yes", "no"], "counts": [[5, 3], [8, 0]], "gold": "yes"}]}

`game` is written as in a configuration: a name, {name: weight, …}, or a list of {"game": name, "weight": c} with
the game's parameters beside (`alpha`, `kind`); also `target_match`, for which each question says what it wants as
"target": [0.7, 0.3]. β = 0 is hard coherence. Counts are smoothed by half a sample per answer, so that every
answer keeps a chance. `limits`, a list of {"costs": {answer: cost}, "at_most": c}, say what answers may cost on
average (theory.md 2). A file runs no code: a game of one's own is named beside it, on the command line.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from alft import simplex
from alft.config.game import GameSpec
from alft.errors import ConfigError, DataError, Problem
from alft.estimators import PRIOR
from alft.games import NAMED, Facts, Game, Moments, TargetMatch
from alft.questions.fields import Number, Problems, did_you_mean
from alft.questions.jsonl import document
from alft.simplex import Array
from alft.storage.files import unreadable
from alft.tabular.certificate import SHOWN
from alft.tabular.problem import TabularProblem, TabularQuestion
from alft.user_code import names_code

LARGEST = 1e300
SUM_TOLERANCE = 1e-6
KEYS = ("game", "beta", "questions", "limits")
QUESTION_KEYS = ("id", "answers", "reference", "counts", "gold", "weights", "target")
PLAYABLE = {**NAMED, "target_match": TargetMatch}
_WHOLE = re.compile(r"-?\d{1,15}")


class Complaints:
    """All that is wrong, collected by its place inside a file, or beside it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def add(self, where: str, what: str, remedy: str = "") -> None:
        """One more thing to fix, at `where` inside the source."""
        self.problems.append(Problem(f"{self.source}: {where}" if where else self.source, what, remedy))

    def unknown(self, where: str, row: Mapping[str, Any], known: tuple[str, ...]) -> None:
        """Report unknown keys."""
        for key in row:
            if key not in known:
                self.add(f"{where}.{key}".lstrip("."), "unknown key", did_you_mean(key, list(known)))


def load_problem(path: Path, chosen: GameSpec | None = None) -> TabularProblem:
    """Read a problem strictly; raises `DataError` with everything that is wrong with it.

    `chosen` is played in place of the file's game, which may be left out then; it may be of the user's own.
    """
    content, complaints, beside = _content(path), Complaints(str(path)), Complaints("--game")
    complaints.unknown("", content, KEYS)
    spec, place = (_spec(complaints, content.get("game")), complaints) if chosen is None else (chosen, beside)
    game = None if spec is None else _played(place, spec)
    complaints.problems += beside.problems
    beta = _number(content.get("beta"))
    if beta is None or beta < 0:
        what = f"must be a number of at least 0, not {_shown(content.get('beta'))}"
        complaints.add("beta", what, "0.1 is a common choice")
    rows = content.get("questions")
    if not isinstance(rows, list) or not rows:
        complaints.add("questions", "must be a list with at least one question")
        rows = []
    questions = [_question(complaints, f"questions[{i}]", row) for i, row in enumerate(rows)]
    _check_fit(complaints, game, questions)
    limits = _limits(complaints, content.get("limits"), [one for one in questions if one is not None])
    if limits and beta == 0:
        complaints.add("limits", "need a beta above 0")
    if limits and any(question is not None and question.weights is not None for question in questions):
        complaints.add("limits", "are kept by views that count alike", "leave out weights")
    if complaints.problems or game is None or beta is None:
        raise DataError(complaints.problems)
    return TabularProblem(game, beta, tuple(_limited(question, limits) for question in questions if question))


def _content(path: Path) -> Mapping[str, Any]:
    problems = Problems(path)
    try:
        with path.open("rb") as stream:
            content = document(stream, problems)
    except OSError as error:
        raise DataError(unreadable(path, error, "give the path of a problem in JSON")) from None
    problems.raise_any()
    return content or {}


def _number(value: Any) -> float | None:
    """The number of a JSON number; None for anything else, and for what no float64 holds."""
    number = float(value) if isinstance(value, Number) else math.inf
    return number if abs(number) <= LARGEST else None


def _plain(value: Any) -> Any:
    """JSON as Python writes it: numbers as numbers (±∞ where a float64 ends)."""
    if isinstance(value, Number):
        return int(value) if _WHOLE.fullmatch(value) else float(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _shown(value: Any) -> str:
    return str(value)[:40] if isinstance(value, Number) else repr(value)[:40]


def _spec(complaints: Complaints, wanted: Any) -> GameSpec | None:
    """The file's game, as a configuration would write it; code that it names is not run."""
    try:
        spec = GameSpec.model_validate(_plain(wanted))
    except RecursionError:
        complaints.add("game", "brackets are nested too deep", _game_names())
        return None
    except ValidationError as error:
        details = error.errors()
        for detail in [d for d in details if d["loc"] != ("terms",)] or details:
            place = ".".join(["game", *(str(part) for part in detail["loc"] if part != "terms")])
            complaints.add(place, detail["msg"].removeprefix("Value error, "), _game_names())
        return None
    code = [term.game for term in spec.terms if names_code(term.game)]
    for name in code:
        complaints.add("game", "a problem file runs no code", f"name it on the command line: --game {name}")
    return None if code else spec


def _played(complaints: Complaints, spec: GameSpec) -> Game | None:
    """The game as a configuration would make it, but concave."""
    before = len(complaints.problems)
    for index, term in enumerate(spec.terms):
        where = "game" if len(spec.terms) == 1 else f"game[{index}]"
        if term.weight < 0:
            complaints.add(f"{where}.weight", f"must be at least 0, not {term.weight:g}")
        for name in ("log", "own"):
            if getattr(term, name) is not None:
                what = "chooses an estimator, and nothing is estimated here"
                complaints.add(f"{where}.{name}", what, "leave it out")
    if len(complaints.problems) > before:
        return None
    try:
        game = spec.build(PLAYABLE)
    except ConfigError as error:
        for problem in error.problems:
            complaints.add(problem.where, problem.what, problem.remedy)
        return None
    if not game.concave:
        complaints.add("game", f"{spec.label!r} is not concave: no gap certifies its equilibria", _game_names())
        return None
    return game


def _game_names() -> str:
    return f"concave games: {', '.join(name for name, make in PLAYABLE.items() if make().concave)}"


def _question(complaints: Complaints, where: str, row: Any) -> TabularQuestion | None:
    if not isinstance(row, Mapping):
        complaints.add(where, "must be an object with answers and reference or counts")
        return None
    before = len(complaints.problems)
    complaints.unknown(where, row, QUESTION_KEYS)
    name, answers, gold = row.get("id", where), row.get("answers"), row.get("gold")
    if not isinstance(name, str):
        complaints.add(f"{where}.id", "must be a text or a number")
    if not isinstance(answers, list) or not answers or not all(_is_text(answer) for answer in answers):
        complaints.add(f"{where}.answers", "must be a list of texts, one per answer", 'e.g. ["7", "8"]')
        answers = []
    elif len(set(answers)) < len(answers):
        complaints.add(f"{where}.answers", "names an answer twice")
    if gold is not None and (not _is_text(gold) or gold not in answers):
        complaints.add(f"{where}.gold", f"{_shown(gold)} is none of the answers")
    reference = _marginals(complaints, where, row, len(answers))
    views = 0 if reference is None else len(reference)
    weights = _list_of(complaints, f"{where}.weights", row.get("weights"), views)
    wanted = _list_of(complaints, f"{where}.target", row.get("target"), len(answers))
    if wanted is not None and not math.isclose(wanted.sum(), 1, abs_tol=SUM_TOLERANCE):
        complaints.add(f"{where}.target", f"must sum to 1, not {wanted.sum():.6g}")
    if reference is None or len(complaints.problems) > before:
        return None
    marked = np.array([float(answer == gold) for answer in answers])
    shares = None if weights is None else simplex.normalise(weights)
    facts = Facts(marked, reference, shares, answered=np.asarray(marked.max()), wanted=wanted)
    return TabularQuestion(str(name), tuple(answers), reference, facts, shares)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def _list_of(complaints: Complaints, where: str, value: Any, size: int) -> Array | None:
    """Numbers of at least 0, not all 0, one for each view or answer; None if there are none, or a complaint."""
    if value is None:
        return None
    numbers = [_number(item) for item in value] if isinstance(value, list) else []
    if size and (len(numbers) != size or not all(x is not None and x >= 0 for x in numbers) or not any(numbers)):
        complaints.add(where, f"must be a list of {size} numbers of at least 0, not all 0")
        return None
    return np.array(numbers, dtype=float) if size else None


def _marginals(complaints: Complaints, where: str, row: Mapping[str, Any], answers: int) -> Array | None:
    given = [key for key in ("reference", "counts") if key in row]
    if len(given) != 1:
        complaints.add(where, "needs either reference (probabilities) or counts, by view and answer")
        return None
    place, table = f"{where}.{given[0]}", row[given[0]]
    rows = table if isinstance(table, list) and table and all(isinstance(view, list) for view in table) else None
    if rows is None or not all(len(view) == answers and all(isinstance(x, Number) for x in view) for view in rows):
        complaints.add(place, f"must hold one list of {answers} numbers for each view")
        return None
    numbers = [[_number(x) for x in view] for view in rows]
    if not all(x is not None and x >= 0 for view in numbers for x in view):
        complaints.add(place, "holds a number that is negative or not finite")
        return None
    values = np.array(numbers, dtype=float)
    if given[0] == "counts":
        return simplex.normalise(values + PRIOR)
    if not np.allclose(values.sum(axis=-1), 1, rtol=0, atol=SUM_TOLERANCE):
        complaints.add(place, f"each view must sum to 1, not {values.sum(axis=-1).round(6).tolist()}")
        return None
    return simplex.normalise(values)


def _check_fit(complaints: Complaints, game: Game | None, questions: list[TabularQuestion | None]) -> None:
    """An id of its own, and what the game needs of every question: views, a gold answer, a wanted distribution."""
    matches = game is not None and any(isinstance(part, TargetMatch) for _, part in game.parts())
    seen: dict[str, int] = {}
    for i, question in enumerate(questions):
        if question is None:
            continue
        where = f"questions[{i}]"
        if (first := seen.setdefault(question.id, i)) != i:
            complaints.add(f"{where}.id", f"{question.id!r} is the id of questions[{first}] as well")
        if game is None:
            continue
        if len(question.reference) < game.needs_views:
            complaints.add(where, f"the game needs at least {game.needs_views} views of a question")
        if game.needs_gold and question.facts.gold is not None and not question.facts.gold.any():
            complaints.add(f"{where}.gold", "the game is played on gold answers, and there is none")
        if matches and question.facts.wanted is None:
            complaints.add(f"{where}.target", "target_match needs the wanted probability of each answer")


def _limits(
    complaints: Complaints, value: Any, questions: Sequence[TabularQuestion]
) -> list[tuple[dict[str, float], float]]:
    """(cost by answer, largest mean cost) of every limit."""
    found, said = [], list(dict.fromkeys(answer for question in questions for answer in question.answers))
    rows: list[Any] = [] if value is None else value if isinstance(value, list) else [value]
    for i, given in enumerate(rows):
        where, row = f"limits[{i}]", given if isinstance(given, Mapping) else {}
        costs, most = row.get("costs"), _number(row.get("at_most"))
        numbers = {k: _number(x) for k, x in costs.items()} if isinstance(costs, Mapping) else {}
        known = {answer: cost for answer, cost in numbers.items() if cost is not None}
        if most is None or not known or len(known) < len(numbers):
            complaints.add(where, "must be an object of costs and at_most", '{"costs": {"no": 1}, "at_most": 0.1}')
        else:
            complaints.unknown(where, row, ("costs", "at_most"))
            for answer in known if said else ():
                if answer not in said:
                    what = f"{answer!r:.40} is no question's answer"
                    complaints.add(f"{where}.costs", what, did_you_mean(answer, said[:SHOWN]))
            found.append((known, most))
    return found


def _limited(question: TabularQuestion, limits: list[tuple[dict[str, float], float]]) -> TabularQuestion:
    if not limits:
        return question
    costs = np.array([[by_answer.get(answer, 0.0) for answer in question.answers] for by_answer, _ in limits])
    return replace(question, limits=Moments(costs, np.array([most for _, most in limits])))
