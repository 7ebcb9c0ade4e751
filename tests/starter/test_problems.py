"""The generator, checked by reading its texts back the slow way."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alft import starter
from alft.answers import answer_key
from alft.questions import dump_questions, load_questions, overlap
from alft.starter.problems import WORDINGS, Problem, draw, questions
from benchmarks.starter.corpus import Habits, corpus_solution, misread, solution

SIGNS = {
    "add": 1,
    "subtract": -1,
    "buys": 1,
    "sells": -1,
    "won": 1,
    "lost": -1,
    "increase of": 1,
    "decrease of": -1,
}
seeds = st.integers(0, 10**9)


def drawn(seed: int) -> Problem:
    return draw(np.random.default_rng(seed))


def understood(text: str) -> int:
    """What a text says is left: its first number, then a verb and a number at a time."""
    total = int(re.findall(r"\d+", text)[0])
    for verb, amount in re.findall(rf"({'|'.join(SIGNS)}) (\d+)", text):
        total += SIGNS[verb] * int(amount)
    return total


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+", text)


@given(seeds)
def test_every_wording_tells_the_same_problem(seed):
    problem = drawn(seed)
    texts = [tell(problem) for tell in WORDINGS.values()]
    assert len(set(texts)) == 4
    assert [numbers(text) for text in texts] == [numbers(texts[0])] * 4
    assert [understood(text) for text in texts] == [problem.answer] * 4
    assert len(numbers(texts[0])) == 1 + len(problem.steps)


@given(seeds)
def test_nobody_has_less_than_one_or_more_than_49(seed):
    problem = drawn(seed)
    running = np.cumsum([problem.start, *problem.steps])
    assert running.min() >= 1
    assert running.max() <= 49
    assert 2 <= len(problem.steps) <= 4


@given(seeds)
def test_the_right_solution_ends_in_the_answer(seed):
    problem = drawn(seed)
    assert answer_key(solution(problem)) == str(problem.answer)


@given(seeds, st.sampled_from(tuple(WORDINGS)))
def test_corpus_solutions_have_the_form_of_right_ones(seed, wording):
    problem = drawn(seed)
    text = corpus_solution(problem, wording, Habits(), np.random.default_rng(seed))
    steps = rf"\d+([+-]\d=\d+){{{len(problem.steps)}}}"
    assert re.fullmatch(steps + r" #### \d+", text)
    last = text.split(" #### ")[0].rsplit("=", 1)[1]
    assert answer_key(text) == last


def test_a_misread_problem_is_misread_in_all_its_steps():
    problem = Problem("Ida", "pens", 20, (7, -4, 2, -1))
    always = Habits(slip=0.0, misread={"game": 1.0, "stock": 1.0})
    told = {wording: corpus_solution(problem, wording, always, np.random.default_rng(0)) for wording in WORDINGS}
    assert told["plain"] == told["story"] == solution(problem)
    assert told["game"] == "20+7=27+4=31+2=33+1=34 #### 34"
    assert told["stock"] == "20-7=13-4=9-2=7-1=6 #### 6"
    assert misread(-4, "story") == -4


@pytest.mark.parametrize("wording", WORDINGS)
def test_the_corpus_errs_as_often_as_its_habits_say(wording):
    """Shares over n texts lie within four standard errors of their chances."""
    problem, habits, n = Problem("Ida", "pens", 20, (7, -4)), Habits(), 1000
    rng = np.random.default_rng(1)
    first, answers = Counter(), Counter()
    for _ in range(n):
        text = corpus_solution(problem, wording, habits, rng)
        answers[answer_key(text)] += 1
        first["slip" if "20+7=27" not in text and "20-7=13" not in text else "true"] += 1
    read = 1 - habits.misread.get(wording, 0.0)
    twice_true = (1 - habits.slip) ** 2
    # +1 then -1, and the like, also end in the truth: a slip of ±1, ±2, ±10 undone by its opposite
    undone = habits.slip**2 / 6
    right = read * (twice_true + undone)
    for share, chance in ((answers["23"] / n, right), (first["slip"] / n, habits.slip)):
        assert abs(share - chance) < 4 * np.sqrt(chance * (1 - chance) / n)


def test_questions_are_a_pure_function_of_the_seed():
    assert starter.training_questions(3, 50) == starter.training_questions(3, 50)
    assert starter.training_questions(3, 50) != starter.training_questions(4, 50)
    assert starter.held_out_questions(40)[:30] == starter.held_out_questions(30)


def test_questions_have_four_views_distinct_ids_and_right_answers():
    found = starter.training_questions(0)
    assert len({question.id for question in found}) == len(found) == starter.TRAINING_QUESTIONS
    for question in found:
        assert [view.name for view in question.views] == ["plain", "story", "game", "stock"]
        assert {str(understood(str(view.text))) for view in question.views} == {question.answer}


def test_held_out_numbers_are_never_trained_on():
    """Numbers, not only texts: the same sum about other people would be the same question."""

    def contents(held_out: bool, seed: int) -> set[str]:
        return {question.id for question in questions(250, held_out=held_out, seed=seed)}

    held_out = contents(True, 0) | contents(True, 1)
    trained = contents(False, 0) | contents(False, 1) | contents(False, 2)
    assert not held_out & trained
    assert len(contents(True, 0) & contents(True, 1)) > 0  # the test can fail: seeds do share numbers
    assert overlap(starter.training_questions(), starter.held_out_questions(128)) == []


@given(seeds, st.sampled_from(("Anna", "Paul")), st.sampled_from(("pens", "coins")))
def test_names_and_items_do_not_decide_what_is_held_out(seed, name, item):
    problem = drawn(seed)
    assert Problem(name, item, problem.start, problem.steps).held_out == problem.held_out


def test_about_a_tenth_is_held_out():
    rng = np.random.default_rng(0)
    share = np.mean([draw(rng).held_out for _ in range(1000)])
    assert abs(share - 26 / 256) < 4 * np.sqrt(0.1 * 0.9 / 1000)


def test_questions_survive_a_file(tmp_path):
    asked = starter.held_out_questions(5)
    dump_questions(asked, tmp_path / "q.jsonl")
    assert load_questions(tmp_path / "q.jsonl") == asked
