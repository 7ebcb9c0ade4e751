"""A second opinion on answers that keys call wrong: math-verify behind limits, in a child that can be killed.

Only gold is compared with (math-verify's relation is neither symmetric nor transitive), only where formulas are
concerned (numbers, options, units and text are settled by their keys), and only within static limits.
"""

import contextlib
import itertools
import json
import os
import re
import resource
import select
import signal
import subprocess
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from alft.answers.grading import Outcome, grade
from alft.answers.keys import canonical, kind
from alft.answers.policy import DEFAULT, KeyPolicy
from alft.errors import ConfigError, Problem

_STRUCTURES: Final = ("tuple or interval", "union", "list")
_FORMULAS: Final = ("expression", *_STRUCTURES)
_CONSTANTS: Final = ("pi", "infinity", "-infinity")
_START_SECONDS: Final = 60.0
PATIENCE: Final = 4  # wall seconds allowed per second of CPU time
_MEMORY: Final = 2 * 1024**3  # bytes of address space of the child
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
_BRACKET_POWER = re.compile(r"[)}\]]\s*(?:\^|\*\*)\s*[{(]?\s*\d{2,}")


class GuardedGrader(contextlib.AbstractContextManager["GuardedGrader"]):
    """Grades like `grade`, then asks math-verify about formulas that differ from gold; counts every outcome.

    `seconds` of CPU time bound one opinion (then its process is killed, and the answer remembered as failed), and
    four times as many by the clock, so that a busy machine grades as a quiet one does. Calls may come
    from any thread; from asyncio use `asyncio.to_thread`. The child starts with the first question for it, and
    again after a fork. Use it in a `with` block, or call `close`. POSIX only.
    """

    def __init__(self, policy: KeyPolicy = DEFAULT, seconds: float = 1.0) -> None:
        self.policy, self.seconds = policy, seconds
        self.counts: Counter[Outcome] = Counter()
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._remembered: dict[tuple[str, str], bool | None] = {}

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

    def __exit__(self, *_: object) -> None:
        self.close()

    def _second(self, answer: str, gold: str) -> bool | None:
        """Whether math-verify takes the answer for gold; None if it could not say."""
        if refusal(answer) or refusal(gold):
            return None
        with self._lock:
            if (answer, gold) not in self._remembered:
                self._remembered[answer, gold] = self._ask(answer, gold)
                if len(self._remembered) > _REMEMBERED:
                    del self._remembered[next(iter(self._remembered))]
            return self._remembered[answer, gold]

    def _concerns(self, key: str, gold: str) -> bool:
        """Whether at least one is a formula, and the other a formula, a number, a letter or a constant."""
        kinds = {kind(key, self.policy), kind(gold, self.policy)}
        if "number" in kinds and not kinds.isdisjoint(_STRUCTURES):
            return False  # one number is never a pair or a set
        named = key in _CONSTANTS or canonical(gold, self.policy) in _CONSTANTS
        allowed = {*_FORMULAS, "number", "option", *(("text",) if named else ())}
        return not kinds.isdisjoint(_FORMULAS) and kinds <= allowed

    def _ask(self, answer: str, gold: str) -> bool | None:
        """The child's opinion; without one in time the child is ended, and the next question starts another."""
        if self._child is None or self._child.owner != os.getpid():  # a fork must not use its parent's child
            self._child = _Child()
        reply = self._child.ask([answer, gold, self.seconds], PATIENCE * self.seconds)
        if not isinstance(reply, bool):
            self._stop()
            return None
        return reply

    def _stop(self) -> None:
        if self._child is not None:
            self._child.kill()
        self._child = None


class _Child:
    """The process that asks math-verify (`main` below), and its pipes."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        source = str(Path(__file__).parents[2])
        path = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "alft.answers.guarded"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path, "SYMPY_GROUND_TYPES": "python", "MPMATH_NOGMPY": "1"},
        )
        self.kill = weakref.finalize(self, _kill, self._process, self.owner)
        hello = self.ask(None, _START_SECONDS)
        if hello is not True:
            self.kill()
            what = hello if isinstance(hello, str) else "the child process did not start"
            raise ConfigError(Problem("math-verify", what, "pip install math-verify"))

    def ask(self, request: object, seconds: float) -> object:
        """Its reply, or None if there was none in time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            ready, _, _ = select.select([self._process.stdout], [], [], seconds)
            return json.loads(self._process.stdout.readline()) if ready else None
        except (BrokenPipeError, ValueError):
            return None


def _kill(process: subprocess.Popen[bytes], owner: int) -> None:
    """End a child and its pipes, from the process that started it only."""
    if os.getpid() == owner:
        process.kill()
        process.wait()
        for pipe in filter(None, (process.stdin, process.stdout)):
            with contextlib.suppress(BrokenPipeError):  # a request that nobody reads any more
                pipe.close()


def main() -> None:
    """The child: read (answer, gold, seconds) as JSON lines, write whether math-verify takes them for the same.

    The kernel ends it where one opinion takes more CPU time or memory than allowed.
    """
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        request = json.loads(line)
        reply: object
        try:
            if request is None:  # the grammar's tables are built by the first parse, sympy's by the first formula
                reply = _opinion("1/2", "0.5") and _opinion("(x+1)^2", "x^2+2x+1")
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.signal(signal.SIGPROF, signal.SIG_DFL)
            else:
                signal.setitimer(signal.ITIMER_PROF, request[2])
                reply = _opinion(*request[:2])
                signal.setitimer(signal.ITIMER_PROF, 0)
        except ImportError as error:
            reply = str(error)
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _opinion(answer: str, gold: str) -> bool:
    """Whether math-verify takes `answer` for `gold`; what it can't parse is not."""
    from math_verify import parse, verify

    no_alarm: Any = None  # math-verify's own timer would replace the kernel's; its signature forgets None
    expected, given = (parse(f"${text.strip().strip('$')}$", parsing_timeout=no_alarm) for text in (gold, answer))
    return bool(expected and given and verify(expected, given, timeout_seconds=no_alarm))


def refusal(text: str) -> str | None:
    r"""Why an expression is not given to a computer algebra system; None if it may be.

    >>> refusal(r"\frac{x^2+1}{2}"), refusal("9^{9^{9}}"), refusal("10^6!")
    (None, 'a tower of powers', 'a factorial')
    """
    if len(text) > MAX_LENGTH:
        return "too long"
    if not text.isprintable():
        return "control characters"
    if max(itertools.accumulate((char in "([{") - (char in ")]}") for char in text), default=0) > MAX_DEPTH:
        return "nested too deep"
    if re.search(rf"\d{{{MAX_DIGITS + 1}}}", text):
        return "too many digits"
    if sum(map(text.count, "+-*/^,=")) > MAX_OPERATORS:
        return "too many terms"
    if _EXPLOSIVE.search(text):
        return "an operator that is not evaluated"
    factorials = _FACTORIAL.finditer(text)
    if _POWER_FACTORIAL.search(text) or any(m[1] == "" or m[2] or int(m[1]) > MAX_FACTORIAL for m in factorials):
        return "a factorial"
    if any(int(match[1] or match[2] or 0) > MAX_EXPONENT for match in _EXPONENT.finditer(text)):
        return "an exponent too large"
    if any(_POWER.search(_operand(text, power.end())) for power in _POWER.finditer(text)):
        return "a tower of powers"
    return "a large power of a bracket" if _BRACKET_POWER.search(text) else None  # which would be multiplied out


def _operand(text: str, place: int) -> str:
    """The exponent that begins at `place`: a bracketed group, or what runs up to the next operator."""
    rest = text[place:].lstrip()
    if rest[:1] not in ("{", "("):
        return match[0] if (match := _ATOM.match(rest)) else ""
    level = 0
    for end, char in enumerate(rest):
        level += (char in "{(") - (char in "})")
        if level == 0:
            behind = rest[end + 1 :].lstrip()
            return rest[: end + 1] + ("^" if behind.startswith(("^", "**")) else "")
    return rest


if __name__ == "__main__":
    main()
