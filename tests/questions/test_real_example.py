"""The example with a pretrained model: its questions are those the benchmark draws, its settings are valid."""

from pathlib import Path

from alft.config.load import load_config
from alft.plan.build import load_plan
from alft.questions import load_questions
from benchmarks.real_runs import split

FOLDER = Path(__file__).parents[2] / "examples" / "real"


def test_the_example_asks_what_the_benchmark_draws(monkeypatch):
    monkeypatch.chdir(FOLDER.parents[1])
    plan = load_plan(load_config(FOLDER / "run.yaml"))
    texts = [
        [[view.text for view in question.views] for question in asked]
        for asked in (*split("opposites", 0), plan.train, plan.held_out)
    ]
    assert texts[:2] == texts[2:]
    assert not {one.id for one in plan.train} & {one.id for one in plan.held_out}
    assert plan.config.offline.scored


def test_every_question_has_a_gold_answer_and_three_wordings():
    for name in ("questions.jsonl", "held_out.jsonl"):
        assert all(one.gold and len(one.views) == 3 for one in load_questions(FOLDER / name))
