"""The study's second task: what is asked is what the generator asks, and the corpus never answers wrongly."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

pytest.importorskip("reasoning_gym")

from alft.questions.views import suspects
from benchmarks.word_problems import BATCH, MADE, Corpus, WordProblem, problems, questions, read_problem


def test_wordings_ask_the_same_question() -> None:
    drawn = questions(32, 0, held_out=True)
    assert drawn == questions(32, 0, held_out=True)
    assert suspects(drawn) == []
    assert all([view.name for view in question.views] == ["as told", *MADE] for question in drawn)


def test_no_solution_is_both_measured_and_trained_on() -> None:
    asked, trained = (
        {problem.solution for problem in islice(problems(seed, spared=True), 200) if problem.held_out == held_out}
        for seed, held_out in ((0, True), (1, False))
    )
    assert min(len(asked), len(trained)) > 10
    assert not asked & trained


def test_the_corpus_holds_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.word_problems.POOL", 2 * BATCH)
    monkeypatch.setattr("benchmarks.word_problems.SHARES", (1.0, 0.0, 0.0, 0.0))  # as told
    told = [text for text, _ in islice(Corpus(BATCH)(np.random.default_rng(0)), 4 * BATCH)]
    asked = {str(question.views[0].text) for question in questions(32, 0, held_out=False)}
    assert all(WordProblem(text, (), "").spared for text in asked)
    assert not any(WordProblem(text, (), "").spared for text in told if not text.startswith("What is"))


def test_every_step_of_the_corpus_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.word_problems.POOL", 2 * BATCH)
    for _, solution in islice(Corpus(BATCH)(np.random.default_rng(0)), 4 * BATCH):
        worked, _, answer = solution.partition(" #### ")
        steps = [step.split("=") for step in worked.split()]
        assert all(eval(left) == int(right) for left, right in steps)  # digits and signs alone
        assert steps[-1][1] == answer


@pytest.mark.parametrize(
    ("worked", "answer"),
    [("2+3=6 and 6", "6"), ("no sums", "5"), ("2+3=5", "6"), ("2*300=600", "600"), ("7/2=3", "3")],
)
def test_problems_solved_wrongly_or_beyond_the_small_model_are_left_out(worked: str, answer: str) -> None:
    told = "Ann has 2 pens. She buys 3. How many are there?"
    assert read_problem(told, "5", "2+3=5") is not None
    assert read_problem(told, answer, worked) is None
