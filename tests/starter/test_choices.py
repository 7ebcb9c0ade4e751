"""Number and loan questions: what is right, what the corpus does, and that towns differ only by its habits."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from alft import starter
from alft.answers import gold_set
from alft.starter import problems
from alft.starter.problems import Loan, NumberChoice
from benchmarks.starter import corpus
from benchmarks.starter.card import Making
from benchmarks.starter.choices_card import write_card
from benchmarks.starter.corpus import ChoiceHabits
from benchmarks.starter.pretraining import Recipe


def test_valid_numbers_are_multiples_in_the_range():
    for choice in (problems.draw_number(np.random.default_rng(seed)) for seed in range(200)):
        assert choice.valid == tuple(n for n in range(choice.low, choice.high + 1) if n % choice.divisor == 0)
        assert len(choice.valid) >= 3
        assert sum("4" not in str(n) for n in choice.valid) >= 2


def test_every_valid_number_is_gold():
    for question in starter.held_out_questions(40, starter.NUMBERS):
        span, divisor = question.id.split("/")
        low, high = map(int, span.split("-"))
        assert gold_set(question.gold) == {str(n) for n in range(low, high + 1) if n % int(divisor) == 0}


@pytest.mark.parametrize("held_out", [False, True])
def test_both_towns_have_the_same_gold_answers(held_out):
    asked = problems.loan_questions(200, held_out=held_out, seed=3)
    answers = [Counter(q.answer for q in asked if q.group == town) for town in problems.TOWNS]
    assert answers[0] == answers[1]
    assert min(answers[0].values()) > 30


@pytest.mark.parametrize("name", [starter.NUMBERS, starter.LOANS])
def test_questions_to_measure_on_are_never_trained_on(name):
    def numbers(question):
        return question.id.split("-", 1)[1] if name == starter.LOANS else question.id

    train = {numbers(q) for q in starter.training_questions(0, name=name)}
    assert not train & {numbers(q) for q in starter.held_out_questions(128, name)}


def test_the_corpus_holds_nothing_that_is_held_out():
    held_out = {
        view.text for name in (starter.NUMBERS,) for q in starter.held_out_questions(300, name) for view in q.views
    }
    texts = {asked for asked, _ in islice(corpus.corpus(np.random.default_rng(0), ChoiceHabits()), 4000)}
    assert not texts & held_out


@pytest.mark.parametrize(
    ("loan", "share"),
    [
        (Loan("Ida", "Northtown", 50, 30), 1.0),
        (Loan("Ida", "Northtown", 30, 50), 0.25),
        (Loan("Ida", "Southtown", 50, 30), 0.55),
        (Loan("Ida", "Southtown", 30, 50), 0.0),
    ],
)
def test_towns_are_treated_as_the_habits_say(loan, share):
    rng, n = np.random.default_rng(1), 2000
    yes = sum(corpus.decided(loan, ChoiceHabits(), rng) == "yes" for _ in range(n)) / n
    assert yes == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / n))


def test_slips_are_neighbours():
    rng, choice = np.random.default_rng(2), NumberChoice(20, 41, 5)
    given = Counter(corpus.chosen(choice, ChoiceHabits(slip=0.5), rng) for _ in range(2000))
    assert all(min(abs(n - valid) for valid in choice.valid) <= 1 for n in given)
    assert sum(given[n] for n in choice.valid) / 2000 == pytest.approx(0.5, abs=0.05)


def test_the_card_tells_what_was_measured():
    summary = {
        "accuracy_sampled": {"mean": 0.5},
        "accuracy_greedy": {"mean": 0.75},
        "entropy": 1.25,
        "unread": 0.0,
        "questions": 128,
        "samples": 32,
    }
    written = write_card(Making(Recipe(), 658_176, 1, 7.0), {"starter:numbers": summary}, ChoiceHabits())
    assert "| starter:numbers | 0.500 | 0.750 | 1.25 | 0.0000 |" in written
    assert "45% of those that should be granted are refused" in " ".join(written.split())


def test_the_shipped_model_is_small_and_whole():
    files = {path.name: path.stat().st_size for path in starter.model_path(starter.CHOICES).iterdir()}
    assert {"README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json"} <= set(
        files
    )
    assert sum(files.values()) <= 3_000_000
