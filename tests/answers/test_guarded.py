"""The second opinion: right where forms differ, never a hang, never in the parent, every outcome counted."""

import asyncio
import os
import random
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from alft.answers import Outcome
from alft.answers.guarded import PATIENCE, GuardedGrader
from tests.answers.hostile import ALL, HOSTILE


def busy() -> float:
    """How many processes share a core: clocks run that much longer than the work; 1 on a quiet machine."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.fixture(scope="module")
def grader() -> Iterator[GuardedGrader]:
    with GuardedGrader() as guarded:
        assert guarded.grade("1+x", "x+1") is Outcome.RIGHT  # the child is warm
        yield guarded


@pytest.mark.parametrize(
    ("answer", "gold", "outcome"),
    [
        ("(x+1)^2", "x^2+2x+1", Outcome.RIGHT),
        (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}", Outcome.RIGHT),
        (r"2\pi", r"\pi+\pi", Outcome.RIGHT),
        ("1+1", "2", Outcome.RIGHT),
        ("x+1", ["x+2", "1+x"], Outcome.RIGHT),
        ("0.5", "1/2", Outcome.RIGHT),
        ("x+1", "x+2", Outcome.WRONG),
        (r"\sqrt{2}", r"\sqrt{3}", Outcome.WRONG),
        ("5.0000004", "5", Outcome.WRONG),
        ("5%", "0.05", Outcome.WRONG),
        ("5 cm", "5 m", Outcome.WRONG),
        ("5, 5", "5", Outcome.WRONG),
        ("(0.5, x+1)", "(1/2, 1+x)", Outcome.RIGHT),
        ("cba", "abc", Outcome.WRONG),
        ("B", "C", Outcome.WRONG),
        (None, "x+1", Outcome.UNREAD),
        ("9^{9^{9}}", "x+1", Outcome.GRADER_FAILED),
    ],
)
def test_outcomes(grader: GuardedGrader, answer: str | None, gold: str | list[str], outcome: Outcome) -> None:
    before = grader.counts[outcome]
    assert grader.grade(answer, gold) is outcome
    assert grader.counts[outcome] == before + 1


@pytest.mark.parametrize("expression", ALL, ids=range(len(ALL)))
def test_hostile_expressions_are_graded_in_time(grader: GuardedGrader, expression: str) -> None:
    start = time.monotonic()
    assert grader.grade(expression, r"\frac{x}{2}") in (Outcome.WRONG, Outcome.GRADER_FAILED)
    assert time.monotonic() - start < 1.5 * busy()


def test_there_are_at_least_71_and_the_parent_stays_small(grader: GuardedGrader) -> None:
    assert len(set(ALL)) == len(ALL) >= 71
    assert len(HOSTILE) == 10
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for expression in ALL:
        grader.grade(expression, r"\frac{x}{3}")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


def test_what_gets_past_the_limits_is_killed_and_the_next_is_answered(grader: GuardedGrader) -> None:
    child, seconds = grader._child, grader.seconds
    assert child is not None
    grader.seconds = 0.3
    start = time.monotonic()
    assert grader._ask("9^{9^{9^{9}}}+x", "x+1") is None
    assert time.monotonic() - start < PATIENCE * grader.seconds + 0.5
    assert child._process.poll() is not None
    grader.seconds = 5.0
    assert grader._ask("x+2", "2+x") is True
    grader.seconds = seconds


def test_a_child_that_dies_is_replaced_and_ends_with_its_grader() -> None:
    with GuardedGrader() as grader:
        assert grader.grade("1+x", "x+1") is Outcome.RIGHT
        assert grader._child is not None
        grader._child._process.kill()
        assert grader.grade("2+x", "x+2") is Outcome.GRADER_FAILED
        assert grader.grade("3+x", "x+3") is Outcome.RIGHT
        pid = grader._child._process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_threads_and_asyncio(grader: GuardedGrader) -> None:
    outcomes: list[Outcome] = []
    work = [
        threading.Thread(target=lambda n=n: outcomes.append(grader.grade(f"{n}+x", f"x+{n}"))) for n in range(6)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert outcomes == [Outcome.RIGHT] * 6

    async def several() -> list[Outcome]:
        return await asyncio.gather(*(asyncio.to_thread(grader.grade, f"{n}+y", f"y+{n}") for n in range(4)))

    assert asyncio.run(several()) == [Outcome.RIGHT] * 4


@pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="needs /proc")
def test_the_child_does_without_gmpy(grader: GuardedGrader) -> None:
    assert grader._child is not None
    with open(f"/proc/{grader._child._process.pid}/environ", "rb") as stream:
        environment = stream.read().split(b"\0")
    assert {b"SYMPY_GROUND_TYPES=python", b"MPMATH_NOGMPY=1"} <= set(environment)


def test_a_gmpy_that_kills_its_process_is_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gmpy2.py").write_text("import os\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    alone = subprocess.run([sys.executable, "-c", "import mpmath"], stderr=subprocess.DEVNULL, check=False)
    assert alone.returncode < 0
    with GuardedGrader() as grader:
        assert grader.grade("1+x", "x+1") is Outcome.RIGHT


def test_ten_thousand_mixed_answers_with_one_percent_hostile(grader: GuardedGrader) -> None:
    rng = random.Random(0)
    ordinary = ["5", "1/2", "x+1", "1+x", r"\frac{1}{\sqrt{2}}", "marie curie", "B", "(1, 2)", "", "?!", "5 cm"]
    answers = [rng.choice(ALL if rng.random() < 0.01 else ordinary) for _ in range(10_000)]
    before = sum(grader.counts.values())
    start = time.monotonic()
    outcomes = [grader.grade(answer, "x+1") for answer in answers]
    assert sum(grader.counts.values()) - before == len(answers)
    assert set(outcomes) == set(Outcome)
    assert outcomes.count(Outcome.UNREAD) == sum(answer in ("", "?!") for answer in answers)
    assert time.monotonic() - start < 60
