"""Recipes: each is ready to run, checked offline on a few rows of its dataset's own schema."""

import json
from pathlib import Path

import pytest
import yaml

from alft.config.load import load_config
from alft.plan.build import make_plan

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


@pytest.fixture
def dataset(tmp_path):
    """A folder in the layout of each dataset's repository, with 48 rows to train on and 8 to measure on."""

    def make(recipe):
        data = yaml.safe_load((RECIPES[0].parent / f"{recipe}.yaml").read_text())["data"]
        splits = {data.get("split", "train"): range(48), data["eval_split"]: range(100, 108)}
        for split, rows in splits.items():
            lines = "".join(json.dumps(ROWS[recipe](i)) + "\n" for i in rows)
            (tmp_path / f"{split}.jsonl").write_text(lines)
        files = [{"split": split, "path": f"{split}.jsonl"} for split in splits]
        card = {"configs": [{"config_name": data.get("subset", "default"), "data_files": files}]}
        (tmp_path / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n")
        return tmp_path

    return make


@pytest.mark.parametrize("recipe", [path.stem for path in RECIPES])
def test_a_recipe_is_ready_without_a_network(recipe, dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    settings = [f"output.directory={tmp_path / 'runs'}"]
    if recipe not in BUILT_IN:
        settings.append(f"data.path={dataset(recipe)}")
    plan = make_plan(load_config(RECIPES[0].parent / f"{recipe}.yaml", settings))
    assert plan.completions_per_step > 0
    if recipe not in BUILT_IN:
        assert (len(plan.train), len(plan.held_out)) == (48, 8)
        assert all(question.answer is not None for question in plan.held_out)
        assert {len(question.views) for question in plan.train} == {4}


def test_every_recipe_says_whether_it_was_run():
    for path in RECIPES:
        assert ("NOT RUN YET" in path.read_text()) == (path.stem not in BUILT_IN), path
