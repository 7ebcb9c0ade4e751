"""A second opinion on answers that keys call wrong: math-verify behind limits, in a child that can be killed.

Only gold is compared with (math-verify's relation is neither symmetric nor transitive), only where formulas are
concerned (numbers, options, units and text are settled by their keys), and only within static limits.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter, OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from alft.answers.grading import Outcome, grade
from alft.answers.keys import canonical, kind
from alft.answers.policy import DEFAULT, KeyPolicy
from alft.answers.verifier import PATIENCE
from alft.errors import ConfigError, Problem

_STRUCTURES: Final = ("tuple or interval", "union", "list")
_FORMULAS: Final = ("expression", *_STRUCTURES)
_CONSTANTS: Final = ("pi", "infinity", "-infinity")
_START_SECONDS: Final = 60.0
_REMEMBERED: Final = 16384
MAX_LENGTH: Final = 256
MAX_DEPTH: Final = 8
MAX_DIGITS: Final = 40
MAX_EXPONENT: Final = 999
MAX_FACTORIAL: Final = 20
MAX_OPERATORS: Final = 64

_EXPLOSIVE = re.compile(
    r"\\(?:sum|prod|int|iint|oint|lim|binom|dbinom|tbinom|choose|Gamma|begin|mod|bmod|pmod)(?![A-Za-z])"
    r"|\b(?:sum|prod|integrate|limit|binomial|binom|gamma|zeta|factorial|primorial|fibonacci)\b|\d\s*[cC]\s*\d"
)
_FACTORIAL = re.compile(r"(\d*)\s*([)}\]]?)\s*!")
_EXPONENT = re.compile(r"(?:\^|\*\*)\s*[{(\s]*(?:[+-]\s*)?(\d*)|[eE][+-]?(\d+)")
_POWER_FACTORIAL = re.compile(r"(?:\^|\*\*)[\s{(]*\w+[\s})]*!")
_ATOM = re.compile(r"[-+]?(?:\d+(?:\.\d+)?|\\?[A-Za-z]\w*\s*(?:\([^()]*\)|\{[^{}]*\})?)\s*(?:\^|\*\*)?")
_POWER = re.compile(r"\^|\*\*")


class GuardedGrader:
    """Grades like `grade`, then asks math-verify about formulas that differ from gold; counts every outcome.

    `seconds` of CPU time bound one opinion (then its process is killed, and the answer remembered as failed), and
    four times as many by the clock, so that a busy machine grades as a quiet one does. Calls may come
    from any thread; from asyncio use `asyncio.to_thread`. The child starts with the first question for it, and
    again after a fork. Use it in a `with` block, or call `close`. POSIX only.
    """

    def __init__(self, policy: KeyPolicy = DEFAULT, seconds: float = 1.0) -> None:
        self.policy = policy
        self.seconds = seconds
        self.counts: Counter[Outcome] = Counter()
        self.refused: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._remembered: OrderedDict[tuple[str, str], bool | None] = OrderedDict()

    def grade(self, answer: str | None, gold: str | Sequence[str]) -> Outcome:
        """Outcome of an answer against gold or any of its spellings; `grader failed` if there was no opinion."""
        key = canonical(answer, self.policy)
        outcome = grade(key, gold, self.policy)
        if outcome is Outcome.WRONG and answer is not None and key is not None:
            spellings = (gold,) if isinstance(gold, str) else tuple(gold)
            opinions = [self._second(answer, spelling) for spelling in spellings if self._concerns(key, spelling)]
            if any(opinion is True for opinion in opinions):
                outcome = Outcome.RIGHT
            elif None in opinions:
                outcome = Outcome.GRADER_FAILED
        with self._lock:
            self.counts[outcome] += 1
        return outcome

    def close(self) -> None:
        """End the child process."""
        with self._lock:
            self._stop()

    def __enter__(self) -> GuardedGrader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _second(self, answer: str, gold: str) -> bool | None:
        """Whether math-verify takes the answer for gold; None if it could not say."""
        reason = refusal(answer) or refusal(gold)
        with self._lock:
            if reason is not None:
                self.refused[reason] += 1
                return None
            pair = (answer, gold)
            if pair not in self._remembered:
                self._remembered[pair] = self._ask(answer, gold)
                if len(self._remembered) > _REMEMBERED:
                    self._remembered.popitem(last=False)
            return self._remembered[pair]

    def _concerns(self, key: str, gold: str) -> bool:
        """Whether at least one is a formula, and the other a formula, a number, a letter or a constant."""
        kinds = {kind(key, self.policy), kind(gold, self.policy)}
        if "number" in kinds and not kinds.isdisjoint(_STRUCTURES):
            return False  # one number is never a pair or a set
        named = key in _CONSTANTS or canonical(gold, self.policy) in _CONSTANTS
        allowed = {*_FORMULAS, "number", "option", *(("text",) if named else ())}
        return not kinds.isdisjoint(_FORMULAS) and kinds <= allowed

    def _ask(self, answer: str, gold: str) -> bool | None:
        if self._child is not None and self._child.owner != os.getpid():
            self._child = None  # a forked process must not talk to its parent's child
        if self._child is None:
            self._child = _Child()
        reply = self._child.ask([answer, gold, self.seconds], PATIENCE * self.seconds + 2.0)
        if not isinstance(reply, bool):
            if not self._child.alive:
                self._stop()
            return None
        return reply

    def _stop(self) -> None:
        if self._child is not None and self._child.owner == os.getpid():
            self._child.kill()
        self._child = None


class _Child:
    """The process that runs verifier.py, and its pipes."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        source = str(Path(__file__).parents[2])
        path = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = os.environ | {"PYTHONPATH": path, "SYMPY_GROUND_TYPES": "python", "MPMATH_NOGMPY": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "alft.answers.verifier"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self.kill = weakref.finalize(self, _kill, self._process, self.owner)
        self._rest = b""
        hello = self._receive(time.monotonic() + _START_SECONDS)
        if not isinstance(hello, dict) or "ready" not in hello:
            self.kill()
            what = hello.get("error") if isinstance(hello, dict) else "the child process did not start"
            raise ConfigError(Problem("math-verify", str(what), "pip install math-verify"))

    @property
    def alive(self) -> bool:
        """Whether the process still runs and answers."""
        return self.kill.alive and self._process.poll() is None

    def ask(self, request: object, seconds: float) -> object:
        """Its reply, or None if there was none in time; then it is ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            reply = self._receive(time.monotonic() + seconds)
        except (BrokenPipeError, EOFError, ValueError):
            reply = _NOTHING
        if reply is _NOTHING:
            self.kill()
            return None
        return reply

    def _receive(self, deadline: float) -> object:
        """One line of JSON, or `_NOTHING` after the deadline or at the end of the stream."""
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._rest:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(pipe, 4096) if ready else b""
            if not chunk:
                return _NOTHING
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)


_NOTHING: Final = object()


def _kill(process: subprocess.Popen[bytes], owner: int) -> None:
    """End a child and its pipes, from the process that started it only."""
    if os.getpid() != owner:
        return
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # a request that nobody reads any more


def refusal(text: str) -> str | None:
    r"""Why an expression is not given to a computer algebra system; None if it may be.

    >>> refusal(r"\frac{x^2+1}{2}"), refusal("9^{9^{9}}"), refusal("10^6!")
    (None, 'a tower of powers', 'a factorial')
    """
    if len(text) > MAX_LENGTH:
        return "too long"
    if not text.isprintable():
        return "control characters"
    if _depth(text) > MAX_DEPTH:
        return "nested too deep"
    if re.search(rf"\d{{{MAX_DIGITS + 1}}}", text):
        return "too many digits"
    if sum(text.count(char) for char in "+-*/^,=") > MAX_OPERATORS:
        return "too many terms"
    if _EXPLOSIVE.search(text):
        return "an operator that is not evaluated"
    if _POWER_FACTORIAL.search(text) or any(map(_big_factorial, _FACTORIAL.finditer(text))):
        return "a factorial"
    return _power_refusal(text)


def _power_refusal(text: str) -> str | None:
    """Towers, big exponents, and powers of sums that would be multiplied out."""
    if any(int(match[1] or match[2] or 0) > MAX_EXPONENT for match in _EXPONENT.finditer(text)):
        return "an exponent too large"
    powers = [match.end() for match in _POWER.finditer(text)]
    for place in powers:
        if _POWER.search(_operand(text, place)):
            return "a tower of powers"
    if re.search(r"[)}\]]\s*(?:\^|\*\*)\s*[{(]?\s*\d{2,}", text):
        return "a large power of a bracket"
    return None


def _big_factorial(match: re.Match[str]) -> bool:
    return match[1] == "" or match[2] != "" or int(match[1]) > MAX_FACTORIAL


def _depth(text: str) -> int:
    deepest = level = 0
    for char in text:
        if char in "([{":
            level += 1
            deepest = max(deepest, level)
        elif char in ")]}":
            level -= 1
    return deepest


def _operand(text: str, place: int) -> str:
    """The exponent that begins at `place`: a bracketed group, or what runs up to the next operator."""
    rest = text[place:].lstrip()
    if rest[:1] not in ("{", "("):
        match = _ATOM.match(rest)
        return match[0] if match else ""
    level = 0
    for end, char in enumerate(rest):
        level += (char in "{(") - (char in "})")
        if level == 0:
            behind = rest[end + 1 :].lstrip()
            return rest[: end + 1] + ("^" if behind.startswith(("^", "**")) else "")
    return rest
