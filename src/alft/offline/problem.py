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
from alft.errors import DataError, Problem, collecting
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


def load_problem(path: Path, chosen: GameSpec | None = None) -> TabularProblem:
    """Read a problem strictly; raises `DataError` with everything that is wrong with it.

    `chosen` is played in place of the file's game, which may be left out then; it may be of the user's own.
    """
    content, beside, game = _content(path), list[Problem](), None
    wrong = _unknown("", content, KEYS)
    with collecting(wrong if chosen is None else beside):
        game = _played(_spec(content.get("game")) if chosen is None else chosen)
    beta = _number(content.get("beta"))
    if beta is None or beta < 0:
        what = f"must be a number of at least 0, not {_shown(content.get('beta'))}"
        wrong.append(Problem("beta", what, "0.1 is a common choice"))
    rows = content.get("questions")
    if not isinstance(rows, list) or not rows:
        wrong.append(Problem("questions", "must be a list with at least one question"))
        rows = []
    questions = [_question(wrong, f"questions[{i}]", row) for i, row in enumerate(rows)]
    _check_fit(wrong, game, questions)
    limits = _limits(wrong, content.get("limits"), [one for one in questions if one is not None])
    if limits and beta == 0:
        wrong.append(Problem("limits", "need a beta above 0"))
    if limits and any(question is not None and question.weights is not None for question in questions):
        wrong.append(Problem("limits", "are kept by views that count alike", "leave out weights"))
    if wrong or game is None or beta is None:
        placed = [*(("--game", one) for one in beside), *((path, one) for one in wrong)]
        raise DataError([replace(one, where=f"{place}: {one.where}") for place, one in placed])
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


def _unknown(where: str, row: Mapping[str, Any], known: Sequence[str]) -> list[Problem]:
    others = [key for key in row if key not in known]
    return [Problem(f"{where}.{key}".lstrip("."), "unknown key", did_you_mean(key, list(known))) for key in others]


def _spec(wanted: Any) -> GameSpec:
    """The file's game, as a configuration would write it; code that it names is not run. Raises DataError."""
    try:
        spec = GameSpec.model_validate(_plain(wanted))
    except RecursionError:
        raise DataError(Problem("game", "brackets are nested too deep", _game_names())) from None
    except ValidationError as error:
        found = {".".join(map(str, ("game", *one["loc"][1:]))): one["msg"] for one in error.errors()}
        inner = {place: what for place, what in found.items() if place != "game"} or found
        whats = {place: what.removeprefix("Value error, ") for place, what in inner.items()}
        raise DataError([Problem(place, what, _game_names()) for place, what in whats.items()]) from None
    if code := [term.game for term in spec.terms if names_code(term.game)]:
        what, remedy = "a problem file runs no code", "name it on the command line: --game"
        raise DataError([Problem("game", what, f"{remedy} {name}") for name in code])
    return spec


def _played(spec: GameSpec) -> Game:
    """The game as a configuration would make it, but concave. Raises DataError and ConfigError."""
    wrong = list[Problem]()
    for index, term in enumerate(spec.terms):
        where = "game" if len(spec.terms) == 1 else f"game[{index}]"
        if term.weight < 0:
            wrong.append(Problem(f"{where}.weight", f"must be at least 0, not {term.weight:g}"))
        for name in ("log", "own"):
            if getattr(term, name) is not None:
                what = "chooses an estimator, and nothing is estimated here"
                wrong.append(Problem(f"{where}.{name}", what, "leave it out"))
    if wrong:
        raise DataError(wrong)
    game = spec.build(PLAYABLE)
    if not game.concave:
        what = f"{spec.label!r} is not concave: no gap certifies its equilibria"
        raise DataError(Problem("game", what, _game_names()))
    return game


def _game_names() -> str:
    return f"concave games: {', '.join(name for name, make in PLAYABLE.items() if make().concave)}"


def _question(wrong: list[Problem], where: str, row: Any) -> TabularQuestion | None:
    if not isinstance(row, Mapping):
        wrong.append(Problem(where, "must be an object with answers and reference or counts"))
        return None
    before = len(wrong)
    wrong += _unknown(where, row, QUESTION_KEYS)
    name, answers, gold = row.get("id", where), row.get("answers"), row.get("gold")
    if not isinstance(name, str):
        wrong.append(Problem(f"{where}.id", "must be a text or a number"))
    if not isinstance(answers, list) or not answers or not all(_is_text(answer) for answer in answers):
        wrong.append(Problem(f"{where}.answers", "must be a list of texts, one per answer", 'e.g. ["7", "8"]'))
        answers = []
    elif len(set(answers)) < len(answers):
        wrong.append(Problem(f"{where}.answers", "names an answer twice"))
    if gold is not None and (not _is_text(gold) or gold not in answers):
        wrong.append(Problem(f"{where}.gold", f"{_shown(gold)} is none of the answers"))
    reference = None
    with collecting(wrong):
        reference = _marginals(where, row, len(answers))
    views = 0 if reference is None else len(reference)
    weights = _list_of(wrong, f"{where}.weights", row.get("weights"), views)
    wanted = _list_of(wrong, f"{where}.target", row.get("target"), len(answers))
    if wanted is not None and not math.isclose(wanted.sum(), 1, abs_tol=SUM_TOLERANCE):
        wrong.append(Problem(f"{where}.target", f"must sum to 1, not {wanted.sum():.6g}"))
    if reference is None or len(wrong) > before:
        return None
    marked = np.array([float(answer == gold) for answer in answers])
    shares = None if weights is None else simplex.normalise(weights)
    facts = Facts(marked, reference, shares, answered=np.asarray(marked.max()), wanted=wanted)
    return TabularQuestion(str(name), tuple(answers), reference, facts, shares)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def _list_of(wrong: list[Problem], where: str, value: Any, size: int) -> Array | None:
    """Numbers of at least 0, not all 0, one for each view or answer; None if there are none, or a complaint."""
    if value is None:
        return None
    numbers = [_number(item) for item in value] if isinstance(value, list) else []
    if size and (len(numbers) != size or not all(x is not None and x >= 0 for x in numbers) or not any(numbers)):
        wrong.append(Problem(where, f"must be a list of {size} numbers of at least 0, not all 0"))
        return None
    return np.array(numbers, dtype=float) if size else None


def _marginals(where: str, row: Mapping[str, Any], answers: int) -> Array:
    """The reference of each view. Raises DataError."""
    given = [key for key in ("reference", "counts") if key in row]
    if len(given) != 1:
        raise DataError(Problem(where, "needs either reference (probabilities) or counts, by view and answer"))
    place, table = f"{where}.{given[0]}", row[given[0]]
    rows = table if isinstance(table, list) and table and all(isinstance(view, list) for view in table) else None
    if rows is None or not all(len(view) == answers and all(isinstance(x, Number) for x in view) for view in rows):
        raise DataError(Problem(place, f"must hold one list of {answers} numbers for each view"))
    numbers = [[_number(x) for x in view] for view in rows]
    if not all(x is not None and x >= 0 for view in numbers for x in view):
        raise DataError(Problem(place, "holds a number that is negative or not finite"))
    values = np.array(numbers, dtype=float)
    if given[0] == "counts":
        return simplex.normalise(values + PRIOR)
    if not np.allclose(values.sum(axis=-1), 1, rtol=0, atol=SUM_TOLERANCE):
        what = f"each view must sum to 1, not {values.sum(axis=-1).round(6).tolist()}"
        raise DataError(Problem(place, what))
    return simplex.normalise(values)


def _check_fit(wrong: list[Problem], game: Game | None, questions: list[TabularQuestion | None]) -> None:
    """An id of its own, and what the game needs of every question: views, a gold answer, a wanted distribution."""
    matches = game is not None and any(isinstance(part, TargetMatch) for _, part in game.parts())
    seen: dict[str, int] = {}
    for i, question in enumerate(questions):
        if question is None:
            continue
        where = f"questions[{i}]"
        if (first := seen.setdefault(question.id, i)) != i:
            wrong.append(Problem(f"{where}.id", f"{question.id!r} is the id of questions[{first}] as well"))
        if game is None:
            continue
        if len(question.reference) < game.needs_views:
            wrong.append(Problem(where, f"the game needs at least {game.needs_views} views of a question"))
        if game.needs_gold and question.facts.gold is not None and not question.facts.gold.any():
            wrong.append(Problem(f"{where}.gold", "the game is played on gold answers, and there is none"))
        if matches and question.facts.wanted is None:
            wrong.append(Problem(f"{where}.target", "target_match needs the wanted probability of each answer"))


def _limits(
    wrong: list[Problem], value: Any, questions: Sequence[TabularQuestion]
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
            wrong.append(
                Problem(where, "must be an object of costs and at_most", '{"costs": {"no": 1}, "at_most": 0.1}')
            )
        else:
            wrong += _unknown(where, row, ("costs", "at_most"))
            for answer in known if said else ():
                if answer not in said:
                    what = f"{answer!r:.40} is no question's answer"
                    wrong.append(Problem(f"{where}.costs", what, did_you_mean(answer, said[:SHOWN])))
            found.append((known, most))
    return found


def _limited(question: TabularQuestion, limits: list[tuple[dict[str, float], float]]) -> TabularQuestion:
    if not limits:
        return question
    costs = np.array([[by_answer.get(answer, 0.0) for answer in question.answers] for by_answer, _ in limits])
    return replace(question, limits=Moments(costs, np.array([most for _, most in limits])))
