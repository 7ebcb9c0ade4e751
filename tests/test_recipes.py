"""Recipes: each is ready to run, checked offline on a few rows of its dataset's own schema."""

import json
from pathlib import Path

import pytest
import yaml

from alft.config.load import load_config
from alft.errors import AlftError
from alft.plan.build import load_plan
from alft.questions import DataWarning

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))
BUILT_IN = ("diversity", "parity", "safety")


def choices(i):
    return [f"about {10 * i + k} metres" for k in range(4)]


ROWS = {
    "gsm8k": lambda i: {"question": f"Ann has {i} pens. She buys 2. How many?", "answer": f"{i}+2\n#### {i + 2}"},
    "math": lambda i: {
        "problem": f"Find ${i}+2$.",
        "level": "Level 1",
        "type": "Algebra",
        "solution": f"It is $\\boxed{{{i + 2}}}$.",
    },
    "triviaqa": lambda i: {
        "question": f"Who came {i}th in the race?",
        "question_id": f"tc_{i}",
        "answer": {"value": f"Ann {i}", "aliases": [f"Ann {i}", f"A. {i}"], "normalized_value": f"ann {i}"},
    },
    "mmlu": lambda i: {
        "question": f"How high is hill {i}?",
        "subject": "geography",
        "choices": choices(i),
        "answer": i % 4,
    },
}
BAD_ROWS = {  # kinds of rows that are in the published sets, or next to them
    "gsm8k": [{"answer": "It is 5."}, {"answer": "It is 5.\n#### "}, {"answer": "#### five"}, {"question": " "}],
    "math": [
        {"solution": "It is $\\boxed{}$."},
        {"solution": "It is $\\boxed{-2 \\text{ or } -12}$, so the answer is clear by symmetry."},
        {"solution": "So the answer is positive."},
        {"solution": "It is $\\boxed{5$."},
    ],
    "triviaqa": [
        {"answer": {"value": "?", "aliases": []}},
        {"answer": {"aliases": ["x"]}},
        {"answer": None},
        {"question": None},
    ],
    "mmlu": [
        {"choices": ["one", "two", "two", "three"]},
        {"choices": ["one", "two", " two", "three"]},
        {"choices": ["one", "", "two", "three"]},
        {"answer": 4},
    ],
}


@pytest.fixture
def dataset(tmp_path):
    """A folder in the layout of each dataset's repository: 48 rows to train on, 8 to measure on, 4 bad in each."""

    def make(recipe):
        data = yaml.safe_load((RECIPES[0].parent / f"{recipe}.yaml").read_text())["data"]
        splits = {data.get("split", "train"): range(48), data["eval_split"]: range(100, 108)}
        for split, rows in splits.items():
            bad = [ROWS[recipe](200 + place) | wrong for place, wrong in enumerate(BAD_ROWS[recipe])]
            lines = [json.dumps(row) + "\n" for row in [*map(ROWS[recipe], rows), *bad]]
            (tmp_path / f"{split}.jsonl").write_text("".join([*lines[-2:], *lines[:-2]]))
        files = [{"split": split, "path": f"{split}.jsonl"} for split in splits]
        card = {"configs": [{"config_name": data.get("subset", "default"), "data_files": files}]}
        (tmp_path / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n")
        return tmp_path

    return make


def planned(recipe, tmp_path, *settings):
    settings = [f"output.directory={tmp_path / 'runs'}", *settings]
    return load_plan(load_config(RECIPES[0].parent / f"{recipe}.yaml", settings))


@pytest.mark.parametrize("recipe", BUILT_IN)
def test_a_built_in_recipe_is_ready(recipe, tmp_path):
    assert planned(recipe, tmp_path).completions_per_step > 0


@pytest.mark.parametrize("recipe", list(ROWS))
def test_a_recipe_is_ready_without_a_network_and_leaves_out_bad_rows(recipe, dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.warns(DataWarning) as caught:
        plan = planned(recipe, tmp_path, f"data.path={dataset(recipe)}")
    assert plan.completions_per_step > 0
    left_out = [str(warning.message).split("left out ")[1].split(" rows")[0] for warning in caught]
    assert left_out == ["4 of 52", "4 of 12"]
    assert (len(plan.train), len(plan.held_out)) == (48, 8)
    assert all(question.answer is not None for question in plan.held_out)
    assert {len(question.views) for question in plan.train} == {4}


@pytest.mark.parametrize("recipe", list(ROWS))
def test_bad_rows_of_a_recipe_are_errors_if_asked(recipe, dataset, tmp_path):
    with pytest.raises(AlftError) as caught:
        planned(recipe, tmp_path, f"data.path={dataset(recipe)}", "data.bad_rows=error")
    places = [problem.where.rpartition(".jsonl:")[2] for problem in caught.value.problems]  # `51, 52`
    lines = {line.split()[0] for place in places for line in place.split(", ")}
    assert {"1", "2", "51", "52"} <= lines


def test_every_row_type_has_a_recipe():
    assert {*BUILT_IN, *ROWS} == {path.stem for path in RECIPES}


def test_every_recipe_says_whether_it_was_run():
    for path in RECIPES:
        assert ("NOT RUN YET" in path.read_text()) == (path.stem not in BUILT_IN), path
