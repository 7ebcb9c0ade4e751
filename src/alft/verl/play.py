"""One question's completions, gathered with a deadline and scored once. Nothing here knows verl.

All completions of a question are generated at the same time, in one process. Each waits here for the others, since
an answer's reward depends on what the other wordings answered. What fails, or is not there by the deadline, is
lost: the question is scored without it, and that is counted and logged.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from alft.completions import Completion
from alft.config.build import flags_of, play_of
from alft.config.load import load_config
from alft.config.schema import RunConfig
from alft.errors import ConfigError, DataError, EndpointError, Problem
from alft.games import Game
from alft.rewards.populations import Coins
from alft.rewards.scorer import Scorer, read_completion

SECTIONS = ("game", "scoring", "answers")
DEADLINE = 3600.0  # seconds after which a question is scored without the completions that are not there yet
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Share:
    """What one completion gets. `lost` counts the completions of its question that are missing."""

    advantage: float
    correct: float = math.nan  # without a gold answer
    unread: float = 0.0
    lost: float = 0.0

    @classmethod
    def graded(cls, one: Completion) -> Share:
        """Of a completion that is only measured: its advantage is whether it is right."""
        right = math.nan if one.right is None else float(one.right)
        return cls(float(bool(one.right)), right, float(one.key is None))


@dataclass(frozen=True)
class Asked:
    """A question as a row of the dataset holds it: messages of each view, and the columns that reading needs."""

    id: str
    prompts: tuple[list[dict[str, str]], ...]
    maps: tuple[str | None, ...]
    columns: Mapping[str, Any]
    trained: bool

    @classmethod
    def of(cls, extra_info: Any, ground_truth: Any) -> Asked:
        """From a row's `extra_info` and gold answer. Raises DataError unless `alft.verl.rows` could write them."""
        info = extra_info if isinstance(extra_info, Mapping) else {}
        name, views = info.get("question_id"), info.get("views")
        views = () if views is None else tuple(views)
        wrong = [place for place, view in enumerate(views) if not _is_view(view)]
        if not isinstance(name, str) or not views or wrong or not isinstance(ground_truth, str | None):
            where = f"extra_info.views[{wrong[0]}]" if wrong else "extra_info"
            what = f"row {name!r} of the dataset is not one of alft's"
            remedy = "write the rows by `python -m alft.verl.rows -c config.yaml DIRECTORY`"
            raise DataError(Problem(where, what, remedy))
        known = {"aliases": list(info.get("aliases") or ()), "group": info.get("group")}
        columns = {"question_id": name, "answer": ground_truth, **known}
        prompts = tuple([dict(message) for message in view["prompt"]] for view in views)
        maps = tuple(view["answer_map"] for view in views)
        return cls(name, prompts, maps, columns, info.get("split") == "train")

    def read(self, text: str, view: int, scorer: Scorer, *, truncated: bool) -> Completion:
        """The completion of a view with the key of its answer, read as in training without verl."""
        columns = {**self.columns, "view": view, "answer_map": self.maps[view]}
        return read_completion(columns, text, scorer.answers, truncated=truncated)


def _is_view(view: Any) -> bool:
    try:
        pulled = view["answer_map"]
        maps = {} if pulled is None else json.loads(pulled)
        texts = [message[field] for message in view["prompt"] for field in ("role", "content")]
        return bool(texts) and all(isinstance(each, str) for each in (*texts, *maps, *maps.values()))
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def unplayable(config: RunConfig, game: Game) -> Iterator[Problem]:
    """What of a configuration this engine has no form of: it would be another game without a word."""
    alone = "one question is scored at a time"
    target = "the Target is made from the reference's answers, which are not sampled"
    found = {
        "constraints": (bool(config.constraints), f"limits learn from whole batches, and {alone}"),
        "parity": (config.parity is not None, f"parity compares groups over whole batches, and {alone}"),
        "game": (game.needs_reference, target),
        "game: random": (bool(Coins.of(game)), f"each batch has coins of its own, and {alone}"),
        "scoring.beta": (config.scoring.beta > 0, "β is a price in the reward, which holds no log-probabilities"),
        "training.stop": (bool(config.training.stop), "verl has no stop strings"),
        "training.trainer": (config.training.trainer == "offline", "an offline run has no engine"),
    }
    remedy = {"scoring.beta": "set it to 0, and actor_rollout_ref.actor.use_kl_loss in verl's configuration"}
    for where, (there, what) in found.items():
        if there:
            yield Problem(where, what, remedy.get(where, "leave it out, or run `alft train`"))


class Player:
    """Scores questions of `size` completions each, all of which are there within `deadline` seconds, or lost."""

    def __init__(self, scorer: Scorer, size: int, deadline: float = DEADLINE) -> None:
        self.scorer, self.size, self.deadline = scorer, size, deadline
        self.lost = self.asked = 0
        self._open: dict[str, _Round] = {}

    async def share(self, uid: str, session: int, made: Awaitable[Completion]) -> Share | None:
        """The share of completion number `session` of a question that is asked now, `uid`; None if it is lost.

        Waits for the question's other completions. Raises EndpointError if all are lost.
        """
        loop = asyncio.get_running_loop()
        if uid not in self._open:
            self._open[uid] = _Round(loop.time() + self.deadline, loop.create_future())
        current = self._open[uid]
        try:
            current.found[session] = await _until(made, current.ends, self.deadline)
        except Exception as error:  # whatever a server raises, the question's other completions count
            current.lose(session, f"{type(error).__name__}: {error}")
        except asyncio.CancelledError:
            current.lose(session, "cancelled")
            raise
        finally:
            if len(current.found) == self.size:
                self._close(uid, current)
        await asyncio.wait([current.shares], timeout=max(current.ends - loop.time(), 0))
        self._close(uid, current)
        return current.shares.result().get(session)

    def _close(self, uid: str, current: _Round) -> None:
        if current.shares.done():
            return
        self._open.pop(uid, None)
        there = {session: one for session, one in sorted(current.found.items()) if one is not None}
        lost = self.size - len(there)
        self.asked += self.size
        try:
            if lost:
                self._count(lost, current, next(iter(there.values()), None))
            current.shares.set_result(self.play(there, float(lost)))
        except Exception as error:  # every completion of the question raises it
            current.shares.set_exception(error)

    def play(self, there: Mapping[int, Completion], lost: float = 0.0) -> dict[int, Share]:
        """Shares of the completions that are there; no advantage where too few views are left to compare."""
        rows, advantages = list(there.values()), np.zeros(len(there))
        if len({row.place for row in rows}) >= self.scorer.scoring.game.needs_views:
            advantages = self.scorer.score(rows, learn=False, ragged=lost > 0).advantages
        return {
            session: replace(Share.graded(row), advantage=float(advantage), lost=lost)
            for (session, row), advantage in zip(there.items(), advantages, strict=True)
        }

    def _count(self, lost: int, current: _Round, one: Completion | None) -> None:
        self.lost += lost
        why = "; ".join(sorted(set(current.why))) or f"not there after {self.deadline:g} s"
        if one is None:
            what = f"all {self.size} completions of a question are lost: {why[:500]}"
            raise EndpointError(Problem("rollout", what, "look at the log of the rollout servers"))
        what = "question %r: %d of %d completions are lost, and it is scored without them (%s); %d of %d so far"
        log.warning(what, one.question, lost, self.size, why[:500], self.lost, self.asked)


class _Round:
    """A question that is being answered: what was `found` by session (None: lost), and the `shares` to come."""

    def __init__(self, ends: float, shares: asyncio.Future[dict[int, Share]]) -> None:
        self.ends, self.shares = ends, shares
        self.found: dict[int, Completion | None] = {}
        self.why: list[str] = []

    def lose(self, session: int, why: str) -> None:
        self.found[session] = None
        self.why.append(why)


async def _until(made: Awaitable[Completion], ends: float, deadline: float) -> Completion:
    """What is made by then, or TimeoutError: what does not stop when it is cancelled is left behind."""
    task = asyncio.ensure_future(made)
    try:
        await asyncio.wait([task], timeout=max(ends - asyncio.get_running_loop().time(), 0))
    finally:
        task.cancel()
    if not task.done():
        raise TimeoutError(f"not there after {deadline:g} s")
    if task.cancelled():
        raise RuntimeError("its generation was cancelled")
    return task.result()


def player_of(section: Mapping[str, Any]) -> Player:
    """The process's player for the section `alft` of verl's configuration: game, scoring, answers, completions."""
    return _player(json.dumps(section, sort_keys=True))


@cache
def _player(section: str) -> Player:
    given = json.loads(section)
    size, deadline = given.pop("completions", None), given.pop("deadline", DEADLINE)
    sizes = ("completions", size, "whole number", int), ("deadline", deadline, "number", int | float)
    problems = [
        Problem(f"alft.{name}", f"{value!r} is not a {word} above 0", "write the rows again by alft.verl.rows")
        for name, value, word, kind in sizes
        if isinstance(value, bool) or not isinstance(value, kind) or not value > 0
    ]
    config = load_config(given)
    game = config.game.build()
    if problems := [*problems, *unplayable(config, game)]:
        raise ConfigError(problems)
    play = play_of(config, game, flags_of(config))
    return Player(Scorer(play.scoring, answers=config.answers.policy, wanted=play.wanted), size, float(deadline))
