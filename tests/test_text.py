"""How numbers, names and places are written, where the sentence of a function says all but its test."""

from pathlib import Path

import pytest

from alft import text
from alft.answers.values import hashed
from alft.completions import STOP, cut
from alft.config.load import hidden
from alft.plan.validation import Summary, summary_of
from alft.questions import Question, View
from alft.questions.model import normalised
from alft.reporting.plots import Mark, mark_of
from alft.starter.problems import NumberChoice
from alft.storage.checkpoint import step_of
from alft.user_code import code_path, names_code


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([text.counted(1, "question"), text.counted(1200, "question")], ["1 question", "1,200 questions"]),
        (text.heading(text.LABELS["entropy"]), "Answer entropy (nats)"),
        ([text.signed(0.25), text.signed(-0.1), text.signed(0.0)], ["+0.250", "−0.100", "0.000"]),
        (
            [text.interval([-0.001, 0.5]), text.interval([-0.25, 0.5], sign=True)],
            ["[0.00, 0.50]", "[−0.25, +0.50]"],
        ),
        (text.interval(None), ""),
        ([*text.occurrences("abcab", "ab")], [0, 3]),
        ([*text.occurrences("abcab", "ab", 1)], [3]),
        ([text.short("story", 8), text.short("a very long story", 8)], ["story", "a very …"]),
        (text.equilibrium(0.1, 1.0), "β = 0.1"),
        (text.equilibrium(0.0, 4.0), "the limit β → 0, reference to the power 4"),
        (step_of(Path("checkpoint-20")), 20),
        (code_path("my games/game.py:Quiet"), Path("my games/game.py")),
        ([names_code("my/game.py:Quiet"), names_code("coherence_geometric")], [True, False]),
        (hidden("'hf_abcdefghijklmnopqrst' is no folder"), "'…' is no folder"),
        (hashed("5"), "sha256:ef2d127de37b942baad06145e54b0c61"),
        (normalised("How  many?\n"), normalised("How many?")),
        ([mark_of(0), mark_of(9)], [Mark("run1", "solid"), Mark("run2", "dashed")]),
        (NumberChoice(20, 32, 5).valid, (20, 25, 30)),
        (cut("It is 7.\nQuestion: what is 8?", STOP), "It is 7."),
        (summary_of([Question("a", (View("1+1?", "view 1"),), "2")]), Summary(1, {1: 1}, {"number": 1})),
    ],
)
def test_it_says_what_its_sentence_says(found, wanted):
    assert found == wanted
