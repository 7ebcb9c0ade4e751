"""Permuted options train coherently: letters are pulled back, and always saying "A" is seen as incoherent.

Four views show the options of one question in the four rotations, so the letter A stands for another option in
each. The gold answer is option C of the question itself.
"""

import json
import math
from typing import Any

import numpy as np
import pytest

from alft import games
from alft.questions import Question, load_questions, made_views
from alft.questions.options import options_of
from alft.rewards import Scoring
from alft.rewards.scorer import Scorer, read_completion
from alft.training import trl
from alft.training.callbacks import step_metrics
from alft.training.dataset import to_dataset
from tests.questions.test_presets import MMLU
from tests.training.test_trl import trainer

SAMPLES = 4


@pytest.fixture
def asked(tmp_path) -> list[Question]:
    """Two questions of an MMLU-style file, with their options in all rotations."""
    path = tmp_path / "mmlu.jsonl"
    path.write_text("".join(json.dumps(MMLU | {"question": text}) + "\n" for text in ("Which?", "Which one?")))
    return made_views(load_questions(path, preset="multiple-choice"), ["3 permuted options"])


def always_a(prompt: str, sample: int) -> str:
    return "I choose the first. The answer is (A)."


def knows(prompt: str, sample: int) -> str:
    letter = next(letter for letter, option in options_of(prompt) if option == "y")
    return f"\\boxed{{{letter}}}"


def half(prompt: str, sample: int) -> str:
    return knows(prompt, sample) if sample % 2 else always_a(prompt, sample)


def columns_of(asked) -> Any:
    return to_dataset(asked).to_list()


def scored(asked, model, game):
    rows = [
        read_completion(columns, model(columns["prompt"][-1]["content"], sample))
        for columns in columns_of(asked)
        for sample in range(SAMPLES)
    ]
    return Scorer(Scoring(game)).score(rows)


def test_the_letter_a_is_another_option_in_each_view(asked) -> None:
    batch = scored(asked, always_a, games.Agreement())
    for codes, names in zip(batch.codes, batch.names, strict=True):
        assert [{names[code] for code in view} for view in codes] != [{"A"}] * 4
        assert sorted(names[view[0]] for view in codes) == ["A", "B", "C", "D"]


def test_a_model_that_always_says_a_is_incoherent(asked) -> None:
    measured = step_metrics(scored(asked, always_a, games.Agreement()))
    assert measured["agreement"] == 0
    assert measured["incoherence"] == pytest.approx(math.log(4))  # four certain views, no two alike
    assert measured["incoherence_euclidean"] == pytest.approx(9 / 16 + 3 / 16)  # (1 − 1/4)² + 3 · (1/4)²
    assert measured["accuracy"] == 1 / 4  # A is the right option in one view of four
    assert measured["unread"] == 0


def test_a_model_that_knows_is_coherent(asked) -> None:
    measured = step_metrics(scored(asked, knows, games.Agreement()))
    assert (measured["agreement"], measured["accuracy"]) == (1, 1)
    assert measured["incoherence"] == pytest.approx(0)
    assert measured["incoherence_euclidean"] == pytest.approx(0)


def test_training_goes_from_the_letter_to_the_option(asked) -> None:
    """Half of each view's samples say A, half the right option: r(a) = 2 · mean over the other views of ν_u(a).

    In the view whose A is the right option all samples agree: ν(C) = 1 there, 1/2 in the other three.
    """
    batch = scored(asked, half, games.Agreement())
    rewards, advantages = batch.rewards.reshape(2, 4, SAMPLES), batch.advantages.reshape(2, 4, SAMPLES)
    for question in range(2):
        views = [set(view.tolist()) for view in batch.codes[question]]
        same = next(place for place, view in enumerate(views) if len(view) == 1)
        others = [place for place in range(4) if place != same]
        assert rewards[question, same] == pytest.approx(2 * (3 / 2) / 3)
        assert advantages[question, same] == pytest.approx(0)
        for (
            view
        ) in others:  # samples 1 and 3 are right; a neighbour's mean is (4/3) · 1/3 for them, (4/3) · 2/3 else
            assert rewards[question, view] == pytest.approx([0, 4 / 3, 0, 4 / 3])
            assert advantages[question, view] == pytest.approx([-8 / 9, 8 / 9, -8 / 9, 8 / 9])


def test_without_the_maps_saying_a_would_look_coherent(asked) -> None:
    """What the maps are for: the letters alone agree perfectly."""
    rows = [
        read_completion({**columns, "answer_map": None}, always_a("", 0))
        for columns in columns_of(asked)
        for _ in range(SAMPLES)
    ]
    assert step_metrics(Scorer(Scoring(games.Agreement())).score(rows))["agreement"] == 1


CITIES = MMLU | {"choices": ["Rome", "A. J. Town", "Paris", "12,000"]}


@pytest.mark.parametrize(
    "written",
    [
        *("\\boxed{{{0}. {1}}}", "#### {0}. {1}", "<answer>{0}. {1}</answer>", "The answer is {0}. {1}."),
        *("Answer: {0}: {1}", "The answer is ({0}) {1}.", "\\boxed{{\\text{{{0}. {1}}}}}", "\\boxed{{{0}}}"),
        *("\\boxed{{{1}}}", "#### {0}"),
    ],
)
@pytest.mark.parametrize("place", range(4))
def test_options_are_read_as_they_are_lettered(tmp_path, written: str, place: int) -> None:
    """Each view shows an option under another letter; letter, letter with text, and text are one answer."""
    path = tmp_path / "cities.jsonl"
    path.write_text(json.dumps(CITIES) + "\n")
    said = CITIES["choices"][place]
    for columns in columns_of(made_views(load_questions(path, preset="multiple-choice"), ["3 permuted options"])):
        letter = next(a for a, option in options_of(columns["prompt"][-1]["content"]) if option == said)
        assert read_completion(columns, written.format(letter, said)).key == "ABCD"[place]


def test_the_trainer_pulls_letters_back(asked, tiny_model, tmp_path, monkeypatch) -> None:
    """Two steps of a random model whose completions are replaced: the trainer's own rows carry the maps."""
    seen = []
    sample = iter(range(10**6))

    def replaced(columns, turn, *_, **__):
        return read_completion(columns, half(columns["prompt"][-1]["content"], next(sample)))

    monkeypatch.setattr(trl, "read_completion", replaced)
    one = trainer(
        tiny_model,
        tmp_path,
        asked=asked,
        game=games.Agreement(),
        per_device_train_batch_size=2 * 4 * SAMPLES,
        on_batch=lambda step, rows, batch: seen.append((rows, batch)),
    )
    before = [parameter.detach().clone() for parameter in one.model.parameters()]
    one.train()
    assert len(seen) == 2
    for rows, batch in seen:
        assert {row.key for row in rows} == set("ABCD")
        assert np.mean([row.key in row.gold for row in rows]) == 5 / 8  # 1/4 + 3/4 · 1/2
        assert sorted(set(batch.advantages.round(6))) == pytest.approx([-8 / 9, 0, 8 / 9], abs=1e-6)
    logged = [entry["game/accuracy"] for entry in one.state.log_history if "game/accuracy" in entry]
    assert logged == [5 / 8, 5 / 8]
    after = list(one.model.parameters())
    assert any(bool((old != new).any()) for old, new in zip(before, after, strict=True))
