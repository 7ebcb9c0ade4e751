"""Which game a configuration asks for: a name, a weighted sum, or a user's own class, made into a `Game`.

game: coherence_geometric
game: {coherence_geometric: 1.0, diversity_shannon: 0.2}
game: [{game: diversity_tsallis, alpha: 3}, {game: correctness, weight: 2, where: answered}]
game: {game: target_match, q: {"yes": 1, "no": 1}}
game: my_game.py:MyGame
"""

import difflib
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_serializer, model_validator

from alft.answers import DEFAULT, KeyPolicy
from alft.config.section import setting
from alft.errors import ConfigError, Problem, collecting
from alft.estimators import Estimator
from alft.estimators.log_tables import LogKind
from alft.games import NAMED, Game, Sum, TargetMatch, Where
from alft.rewards import check as game_check
from alft.rewards.target import Wanted, read_wanted
from alft.user_code import load_code, names_code

TARGET_MATCH = "target_match"
KNOWN: dict[str, Callable[..., Game]] = {**NAMED, TARGET_MATCH: TargetMatch}
"""Every game that a configuration can name."""
PLAIN_TYPES = {"str": str, "int": int, "float": float, "bool": bool, "str | float": str | float, "_empty": Any}
PLAIN_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false"}


class Term(BaseModel):
    """One game of a sum, with its coefficient; any other key is a parameter of the game."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    game: str = Field(description="a name of alft.games.NAMED, or path.py:MyGame")
    weight: Annotated[float, Field(allow_inf_nan=False)] = setting(1.0, "coefficient in the sum")
    where: Literal["all", "answered", "unanswered"] = setting(
        "all", "which questions it is played on: by whether they have a gold answer"
    )
    log: LogKind | None = setting(None, "its estimator of log ν_v(a), by default scoring.log")
    own: Literal["leave_one_out", "plugin"] | None = setting(None, "its estimator of ν_v(a); default: scoring.own")
    q: dict[str, float] | None = setting(None, "what target_match wants: weights by answer")

    @property
    def parameters(self) -> dict[str, Any]:
        """What the game itself is given."""
        return dict(self.model_extra or {})

    @property
    def label(self) -> str:
        """The game's name, for people and for run names."""
        name = self.game.rpartition(":")[2] if names_code(self.game) else self.game
        return "-".join([name, *(_plain(value) for value in self.parameters.values())])


class GameSpec(BaseModel):
    """The game of a run: one or several terms. Read from and written as what a user writes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    terms: tuple[Term, ...]  # one at least, since no form of a game is empty

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return {"terms": value.terms if isinstance(value, GameSpec) else tuple(_terms(value))}

    @model_serializer
    def _write(self) -> Any:
        written = [term.model_dump(exclude_defaults=True) for term in self.terms]
        alone = len(written) == 1 and set(written[0]) == {"game"}
        return written[0]["game"] if alone else written

    @property
    def label(self) -> str:
        """A short name: `coherence_geometric+0.2diversity_shannon`, of letters that a run name may hold."""
        parts = [("" if term.weight == 1 else _plain(term.weight)) + term.label for term in self.terms]
        text = re.sub(r"^-", "minus-", "_and_".join(parts).replace("e+", "e"))
        return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:80].lstrip("._-") or "game"

    @property
    def uses_labels(self) -> bool | None:
        """Whether any term looks at gold answers; None for a game of the user's own, whose file is not run."""
        kinds = [KNOWN.get(term.game) for term in self.terms]
        if None in kinds:
            return None
        return any(getattr(kind, "sees_gold", False) or getattr(kind, "needs_gold", False) for kind in kinds)

    @property
    def written(self) -> str:
        """As a user may write it in a line: a name, or JSON."""
        game: Any = self.model_dump(mode="json")
        return game if isinstance(game, str) else json.dumps(game)

    def __str__(self) -> str:
        return self.label

    def build(self, named: Mapping[str, Callable[..., Game]] = KNOWN, seed: int = 0) -> Game:
        """The game, of the `named`; `seed` is that of a named game with such a parameter which is not given.

        Raises ConfigError with every unknown name, wrong parameter, faulty file.
        """
        problems: list[Problem] = []
        made: list[tuple[float, Game]] = []
        for index, term in enumerate(self.terms):
            where = "game" if len(self.terms) == 1 else f"game[{index}]"
            with collecting(problems):
                game = _make(term, where, named, seed)
                placed = game if term.where == "all" else Where(game, answered=term.where == "answered")
                made.append((term.weight, placed))
        if problems:
            raise ConfigError(problems)
        self.wanted()
        return made[0][1] if self._alone else Sum(*made)

    def wanted(self, policy: KeyPolicy = DEFAULT) -> Wanted | None:
        """What target_match is given, if it is played. Raises ConfigError if that can't be read."""
        given = [(index, term.q) for index, term in enumerate(self.terms) if term.q is not None]
        if len(given) > 1:
            raise ConfigError(Problem("game", "more than one term has a q", "give one distribution"))
        return read_wanted(given[0][1], f"game[{given[0][0]}].q", policy) if given else None

    def estimators(self, common: Estimator) -> tuple[Estimator, ...]:
        """The estimator of each term of the sum that `build` makes; empty for a game that is no sum."""
        terms = () if self._alone else self.terms
        return tuple(replace(common, own=one.own or common.own, log=one.log or common.log) for one in terms)

    @property
    def _alone(self) -> bool:
        """Whether the game is no sum: one term of weight 1, played by the common estimator."""
        only = self.terms[0]
        return len(self.terms) == 1 and only.weight == 1 and only.own is None and only.log is None


def _terms(value: Any) -> Iterator[Any]:
    """Terms as mappings, from each form that a user may write."""
    if isinstance(value, str):
        yield {"game": value}
    elif isinstance(value, Mapping) and "game" in value:
        yield value
    elif isinstance(value, Mapping) and value:
        yield from ({"game": str(name), "weight": weight} for name, weight in value.items())
    elif isinstance(value, list | tuple) and value:
        for item in value:
            yield from _terms(item)
    elif isinstance(value, Term):
        yield value
    else:
        raise ValueError("a game is a name, a mapping of names to weights, or a list of {game, weight, …}")


def _make(term: Term, where: str, named: Mapping[str, Callable[..., Game]], seed: int) -> Game:
    misses_q = term.game == TARGET_MATCH and term.q is None and named is KNOWN
    if misses_q or (term.q is not None and term.game != TARGET_MATCH):
        told = "needs q" if term.q is None else "has no such parameter"
        remedy = f"{{game: {TARGET_MATCH}, q: {{ANSWER: WEIGHT, …}}}}"
        raise ConfigError(Problem(where if term.q is None else f"{where}.q", f"{term.game} {told}", remedy))
    if names_code(term.game):
        return _own_game(term, where)
    if term.game not in named:
        close = difflib.get_close_matches(term.game, named, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else f"known games: {', '.join(named)}"
        raise ConfigError(Problem(where, f"no game is called {term.game!r}", remedy))
    if term.q is not None:
        return TargetMatch()  # told q of the questions at hand: Facts.wanted
    return _construct(named[term.game], term, where, seed)


def _own_game(term: Term, where: str) -> Game:
    kind = load_code(term.game, where)
    if not (isinstance(kind, type) and issubclass(kind, Game)):
        raise ConfigError(Problem(where, f"{term.game} is no subclass of alft.games.Game"))
    if inspect.isabstract(kind):
        lacking = ", ".join(sorted(getattr(kind, "__abstractmethods__", ())))
        raise ConfigError(Problem(where, f"{term.game} does not say {lacking}", "see docs/adding-a-game.md"))
    said = term.model_fields_set & (Term.model_fields.keys() - {"game"})
    if own := sorted(said & inspect.signature(kind).parameters.keys()):
        what = f"{term.game} has a parameter of its own with that name, which would never reach it"
        raise ConfigError([Problem(f"{where}.{name}", what, "rename the parameter") for name in own])
    game = _construct(kind, term, where)
    place = f"{where}: {Path(term.game).name}"
    problems = game_check.problems_of(game, place)
    if not problems and (answers := game.made_for()[1]) is not None:
        problems.append(Problem(place, f"is made for {answers} answers by position", game_check.ANEW))
    if problems:
        raise ConfigError(problems)
    return game


def _construct(kind: Any, term: Term, where: str, seed: int | None = None) -> Game:
    """The game of a class with the term's parameters, which must be its own and plain."""
    types: dict[str, str] = {}
    for name, parameter in inspect.signature(kind).parameters.items():  # as written, evaluated or not
        a = parameter.annotation
        types[name] = a if isinstance(a, str) else getattr(a, "__name__", str(a))
    known = [name for name, type_name in types.items() if type_name in PLAIN_TYPES]
    for name in term.parameters:
        if name not in known:
            close = difflib.get_close_matches(name, [*known, *Term.model_fields], n=1)
            remedy = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(known) or 'none'}"
            raise ConfigError(Problem(f"{where}.{name}", f"{term.game} has no such parameter", remedy))
    given: dict[str, Any] = {} if seed is None or "seed" not in known else {"seed": seed}
    for name, value in term.parameters.items():
        try:
            given[name] = TypeAdapter(PLAIN_TYPES[types[name]] | None).validate_python(value, strict=True)
        except ValueError:
            what = f"must be {PLAIN_WORDS.get(types[name], 'a text')}, not {value!r:.40}"
            raise ConfigError(Problem(f"{where}.{name}", what)) from None
    try:
        return kind(**given)
    except (Exception, SystemExit) as error:
        what = f"{term.game} can't be made: {str(error) or type(error).__name__}"
        raise ConfigError(Problem(where, what)) from None


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
