"""Advantages through verl's own agent worker, reward worker and estimator, in one process and in Ray."""

import json
import math
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from alft import Question, Scoring, View, games
from alft.config.load import load_config
from alft.questions import dump_questions, pull_back
from alft.rewards.scorer import Scorer, read_completion
from alft.verl.rows import write_rows

ROOT = Path(__file__).parents[2]
VIEWS, SAMPLES = 3, 4
ABSENT = find_spec("verl") is None or find_spec("ray") is None
pytestmark = pytest.mark.skipif(ABSENT, reason="verl is not installed: pip install 'alft[verl]' (Python < 3.13)")
MARKS = {3: "!fails", 4: "!hangs"}


def asked(place):
    """A question in three wordings; one wording of two questions breaks the stand-in for the server, once."""
    end = MARKS.get(place, "")
    texts = [f"How many is {place} and 1?", f"Add 1 to {place}.{end}", f"Count {place}, then 1 more."]
    maps = [None, None, {"1": "2", "2": "1"}]
    views = (View(text, f"view {v}", pulled) for v, (text, pulled) in enumerate(zip(texts, maps, strict=True)))
    return Question(f"q{place}", tuple(views), answer="1")


QUESTIONS = {f"q{place}": asked(place) for place in range(8)}


@pytest.fixture(scope="module", params=["in_process", "chained"])
def found(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("verl")
    dump_questions(list(QUESTIONS.values()), directory / "questions.jsonl")
    config = {
        "data": {"path": str(directory / "questions.jsonl"), "held_out": 2},
        "game": "coherence_geometric",
        "answers": {"kind": "number"},
        "training": {"schedule": "constant", "samples": SAMPLES, "questions_per_step": 6, "steps": 1},
    }
    write_rows(directory, config)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    command = [sys.executable, "-m", f"tests.verl.{request.param}", str(directory)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=570)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    (directory / "log.txt").write_text(done.stdout + done.stderr)
    return json.loads((directory / "found.json").read_text()) | {"log": done.stdout + done.stderr}


def by_question(rows):
    return {name: [row for row in rows if row["question"] == name] for name in {row["question"] for row in rows}}


def records(rows):
    """The completions, read by alft's own function from what verl trains on."""
    policy = load_config({"answers": {"kind": "number"}}).answers.policy
    return [
        read_completion(
            {
                "question_id": row["question"],
                "view": (view := row["session"] % VIEWS),
                "answer": "1",
                "answer_map": json.dumps(pull_back(question := QUESTIONS[row["question"]], question.views[view])),
            },
            row["response"].removesuffix("<|endoftext|>"),
            policy,
        )
        for row in rows
    ]


def test_whole_questions_get_exactly_the_advantages_of_one_batch(found):
    rows = [row for row in found["train"]["rows"] if row["question"] not in ("q3", "q4")]
    assert len(rows) == 4 * VIEWS * SAMPLES
    expected = Scorer(Scoring(games.Coherence("geometric"))).score(records(rows)).advantages.astype(np.float32)
    assert len(set(expected.tolist())) > 5
    for row, value in zip(rows, expected.tolist(), strict=True):
        assert row["advantages"] == [value * said for said in row["mask"]]


@pytest.mark.parametrize("question", ["q3", "q4"])
def test_a_question_with_a_lost_completion_is_scored_without_it(found, question):
    """q3: the server raises; q4: it never answers, until the deadline."""
    rows = by_question(found["train"]["rows"])[question]
    assert len(rows) == VIEWS * SAMPLES - 1
    scorer = Scorer(Scoring(games.Coherence("geometric")))
    expected = scorer.score(records(rows), ragged=True).advantages.astype(np.float32)
    assert [row["advantages"][0] for row in rows] == expected.tolist()
    assert {row["logged"]["lost"] for row in rows} == {1.0}
    assert found["train"]["status"][question] == "finished"
    assert f"question '{question}': 1 of 12 completions are lost" in found["log"]


def test_each_session_asks_its_wording(found):
    for row in (*found["train"]["rows"], *found["val"]["rows"]):
        assert QUESTIONS[row["question"]].views[row["session"] % VIEWS].text in row["prompt"]


def test_held_out_questions_are_measured_and_not_played(found):
    rows = found["val"]["rows"]
    assert len(rows) == 2 * VIEWS
    for row, one in zip(rows, records(rows), strict=True):
        assert row["advantages"][0] == float(bool(one.right))
        assert row["logged"] == {"correct": float(one.right or 0), "unread": float(one.key is None), "lost": 0.0}
        assert not math.isnan(row["logged"]["correct"])
