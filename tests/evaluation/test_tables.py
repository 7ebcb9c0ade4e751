"""Tables: the numbers of the summary, dashes for what is not defined, hostile names inert."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from alft.evaluation import Evaluation, compare
from alft.evaluation.unread import readability
from alft.reporting.page import render_runs
from alft.reporting.runs import Run
from alft.reporting.tables import PAIRED, before_after_table, comparison_table, runs_table, summary_table
from alft.text import CONSENSUS, LABELS, number, visible
from tests.evaluation.test_evaluation import GREEDY, SAMPLED, evaluation, joined

HOSTILE = "\x1b[2J[/bold]\x1b]8;;http://x\x07‮\udc80\n[red]"


def shown(renderable):
    out = io.StringIO()
    Console(file=out, width=200, force_terminal=True, color_system=None).print(renderable)
    return out.getvalue()


def results(gold: str | None = "1", view="a"):
    def answers(table):
        return {question: {view: views["a"], "b": views["b"]} for question, views in table.items()}

    def run(table):
        greedy = evaluation(answers(GREEDY), gold, "greedy")
        return joined(evaluation(answers(table), gold), greedy)

    before = run(SAMPLED)
    after = run({"q1": {"a": ["1", "1"], "b": ["1", "1"]}, "q2": {"a": ["1", "1"], "b": ["1", "3"]}})
    return {
        "before": before.summary(),
        "after": after.summary(),
        "difference": compare(before, after),
        "training": {"stopped": None},
    }


def test_negative_numbers_and_zero_look_the_same_in_every_table():
    """Incoherence less its bias may be below 0; a bound that rounds to 0 has no sign, and no minus is a hyphen."""
    told = results()["before"]
    told |= {"incoherence_corrected": -0.25, "entropy": -0.0001}
    told["intervals"] |= {"incoherence_corrected": [-0.3, -0.2], "entropy": [-0.001, 0.02]}
    lines = [" ".join(line.split()) for line in shown(summary_table(told)).splitlines()]
    assert "incoherence (nats, bias-corrected) −0.250 [−0.30, −0.20]" in lines
    assert "answer entropy (nats) 0.000 [0.00, 0.02]" in lines


def test_one_is_not_told_as_several():
    assert "1 question × 2 views, 1 sample each" in shown(
        summary_table(results()["before"] | {"questions": 1, "samples": 1})
    )


def test_numbers_are_those_of_the_summary():
    told = results()
    assert "0.750" in shown(summary_table(told["before"]))
    row = next(line for line in shown(before_after_table(told)).splitlines() if line.strip().startswith("b "))
    assert row.split()[1:4] == ["0.250", "0.750", "+0.500"]
    row = next(
        line for line in shown(runs_table({"one": told, "two": told})).splitlines() if " worst view" in line
    )
    assert row.count("0.250 → 0.750  +0.500") == 2


def unlike():
    """Of two questions only the first is read before, so the change is over that one."""
    before = evaluation({"q1": {"a": ["1", "1"], "b": ["1", "1"]}, "q2": {"a": [None], "b": [None]}})
    after = evaluation({"q1": {"a": ["1", "2"], "b": ["2", "1"]}, "q2": {"a": ["1", "1"], "b": ["1", "1"]}})
    change = compare(before, after)
    return {"before": before.summary(), "after": after.summary(), "difference": change, "training": {}}


def test_a_change_that_is_not_the_difference_of_its_columns_is_marked_and_the_same_everywhere():
    told = unlike()
    assert told["difference"]["entropy"] > told["after"]["entropy"] - told["before"]["entropy"] + 0.1
    for table in (before_after_table(told), runs_table({"one": told, "two": told})):
        lines = [" ".join(line.replace("→ ", "").split()) for line in shown(table).splitlines()]
        row = next(line for line in lines if line.startswith("answer entropy"))
        assert row.startswith("answer entropy (nats) 0.000 0.347 +0.693*")
        assert PAIRED in lines
    assert "+0.693*" in (text := render_runs([Run(Path("one"), "one", results=told)]))
    assert PAIRED in text
    assert PAIRED not in shown(before_after_table(results()))


def test_completions_are_cut_off_in_the_same_share_of_the_same_completions_as_they_are_unread():
    records = (
        *evaluation({"q": {"a": [None, "1"]}}).records,
        *evaluation({"q": {"a": ["1"]}}, kind="greedy").records,
    )
    cut = Evaluation(tuple(replace(one, truncated=one.key is None) for one in records))
    found, summary = readability(cut.records), cut.summary()
    assert (found.unread, found.cut_off) == (summary["unread"], summary["truncated"]) == (0.5, 0.5)


def test_counts_and_lists_read_well_and_few_questions_are_said_to_have_no_intervals():
    both = results()
    both["difference"]["learnt"]["interval"] = None
    told = shown(before_after_table(both))
    assert re.search(r"learnt \d\.\d+, corrupted", told)
    assert "(most need 8 questions: with fewer they are left out)" in told
    told = shown(summary_table(results()["before"] | {"questions": 8}))
    assert "left out" not in told


def test_votes_of_both_models_stand_beside_them():
    told = results()
    lines = shown(comparison_table(("A", "B"), (told["before"], told["after"]), told["difference"])).splitlines()
    for name in CONSENSUS:
        line = next(line for line in lines if LABELS[name] in line)
        means = [told[part]["consensus"][name]["mean"] for part in ("before", "after")]
        assert [number(mean) for mean in means] == line.replace(LABELS[name], "").split()[:2]


def test_without_gold_there_are_dashes_and_no_zeros():
    told = results(gold=None)
    table = shown(before_after_table(told))
    assert "accuracy" not in table  # none is known
    assert "0.000" not in next(line for line in table.splitlines() if "vote over views" in line)
    assert "– → –" in shown(runs_table({"one": told}))


@pytest.mark.parametrize("runs", [1, 5])
def test_hostile_names_reach_the_terminal_as_text(runs):
    told = results(view=HOSTILE)
    told["training"]["stopped"] = HOSTILE
    tables = (
        summary_table(told["before"]),
        before_after_table(told),
        runs_table({f"{HOSTILE}{i}": told for i in range(runs)}),
    )
    for table in tables:
        text = shown(table)
        assert not set("\x1b\x07‮\udc80") & set(text)
        assert "␛[2J" in text
        text.encode()


def test_visible_keeps_ordinary_text_and_cuts_long_text():
    assert visible("naïve 東京 👩‍🔬 ½") == "naïve 東京 👩‍🔬 ½"
    assert visible("x" * 1_000_000, 10) == "xxxxxxxxxx … (999,990 more characters)"
    assert visible("\x9b31m\U000e0041") == "⟨U+009B⟩31m⟨U+E0041⟩"


def test_two_evaluations_are_named_and_their_change_is_second_less_first():
    told = results()
    lines = shown(
        comparison_table(("one", HOSTILE), (told["before"], told["after"]), told["difference"])
    ).splitlines()
    assert lines[0].split() == ["A", "one"]
    assert "␛[2J" in lines[1]
    row = next(line for line in lines if line.strip().startswith("b "))
    assert row.split()[1:4] == ["0.250", "0.750", "+0.500"]
