"""The page: numbers of results.json, several runs, missing pieces, and hostile text that stays text."""

import json
import re
import shlex
import time
from html.parser import HTMLParser

import pytest

from alft.config.schema import RUN_NAME
from alft.errors import DataError, NoRunError
from alft.evaluation import compare
from alft.evaluation.intervals import FEWEST
from alft.reporting.page import render_report
from alft.reporting.plots import mark_of
from alft.reporting.runs import load_run, load_runs
from alft.reporting.terminal import story, terminal_runs
from alft.text import LABELS, number, signed
from tests.evaluation.test_tables import shown
from tests.report.runs import BEFORE, measured, write_run

HOSTILE = (
    "<script>alert(1)</script></pre></details></body><img src=x onerror=alert(1)>"
    '" onmouseover="alert(1)" \' javascript:alert(1) <a href="javascript:alert(1)">x</a>'
    "{{ 7 * 7 }} {% raw %} \x1b[2J\x1b]8;;http://x\x07\u202egnp.exe\u2066\x00\x85 $\\frac{$ <!-- ]]> \U000e0041 "
)
VOID = {"meta", "link", "br", "img", "input", "hr"}
REMOTE = ("src", "href", "xlink:href", "action", "data", "poster", "srcset", "formaction")


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that tags close in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words, self.open = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def assert_inert(text):
    text.encode("utf-8")
    page = Page(text)
    assert not {"script", "img", "iframe", "object", "embed", "link", "base", "form", "a"} & set(page.tags) - {"a"}
    assert page.tags.count("a") == 1
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in REMOTE or value.startswith("#"), (tag, name, value)
        assert "url(" not in (value or "") or "url(#" in value
    assert "default-src 'none'" in text
    assert "base-uri 'none'; form-action 'none'" in text
    assert not set("\x1b\x07\x00\x85\u202e\u2066\U000e0041") & set(text)
    assert "http" not in text.replace("http://www.w3.org/", "").replace("http-equiv", "").replace(
        "8;;http://x", ""
    )
    return page


def test_the_numbers_on_the_page_are_those_of_results_json(tmp_path):
    results = write_run(tmp_path / "run")
    page = assert_inert(render_report([tmp_path / "run"]))
    for name in ("accuracy_sampled", "accuracy_greedy"):
        for view in results["after"]["views"]:
            row = [results[part][name]["by_view"][view] for part in ("before", "after", "difference")]
            label = f"{LABELS[name]}, {view}"
            assert f"{label} {number(row[0])} {number(row[1])} {signed(row[2])}" in page.text
    for key, label in (
        ("incoherence_corrected", "incoherence (nats, bias-corrected)"),
        ("entropy", "answer entropy (nats)"),
    ):
        told = f"{label} {number(results['before'][key])} {number(results['after'][key])}"
        assert told in page.text
    # before: plain 3/4, list 1/4, riddle 1/4; after: 1, 3/4, 0
    assert "Accuracy 0.417 → 0.583" in page.text
    assert "Worst view 0.250 → 0.000" in page.text
    assert "Agreement between views, greedy 0.333 → 0.333" in page.text
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert "plain from 0.750 to 1.000; list from 0.250 to 0.750; riddle from 0.250 to 0.000" in labels[0]
    bars = [value for tag, name, value in page.attributes if tag == "div" and name == "aria-label"]
    assert "list: 1 25%, 2 50%, unread 25%" in bars


@pytest.mark.parametrize("count", [2, 5])
def test_several_runs_stand_side_by_side(tmp_path, count):
    paths = [tmp_path / f"run-{i}" for i in range(count)]
    for path in paths:
        write_run(path)
    text = render_report(paths)
    page = assert_inert(text)
    assert f"{count} runs side by side" in page.text
    assert all(path.name in page.text for path in paths)
    assert page.tags.count("svg") == count + 4  # one of accuracy each, four curves for all
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    swatches = {(mark.colour, mark.line) for mark in map(mark_of, range(count))}
    assert len(swatches) == count
    assert all(f'class="swatch {line}" style="--mark: var(--{colour})"' in text for colour, line in swatches)
    assert ("Only the first 3 runs are shown" in page.text) == (count > 3)
    assert "riddle" in shown(terminal_runs(load_runs(paths)))


def test_ten_runs_are_drawn_in_ten_ways():
    assert len({(mark.colour, mark.line) for mark in map(mark_of, range(10))}) == 10


def test_the_first_screen_says_what_was_bought_and_what_was_lost(tmp_path):
    results = write_run(tmp_path / "run")
    page = assert_inert(render_report([tmp_path / "run"])).text
    first = page.split("Before and after, by view")[0]
    told = "Accuracy was lost in “riddle” (0.250 → 0.000); 2 of 3 ways of asking became more accurate."
    assert told in first  # plain 3/4 → 1, list 1/4 → 3/4, riddle 1/4 → 0, the same for all questions
    assert "Its views agree about as often as before (0.333 → 0.333)." in first
    assert "a vote over the greedy answers of all views of the model before training is right on 1.000" in first
    write_run(tmp_path / "other")
    several = render_report([tmp_path / "run", tmp_path / "other"]).split("Before and after, by view")[0]
    assert several.count("Accuracy was lost in") == 2
    assert several.count("What costs no training") == 1
    assert told in " ".join(shown(terminal_runs(load_runs([tmp_path / "run"]))).split())
    change = results["difference"]["accuracy_sampled"]["interval_by_view"]
    assert change["riddle"] == [-0.25, -0.25]
    assert story({**results, "difference": compare(*[measured(BEFORE)] * 2)}).startswith(
        "No way of asking changed"
    )


def test_metrics_of_games_on_all_questions_are_drawn_under_hostile_names(tmp_path):
    write_run(tmp_path / "run")
    lines = [{"step": step, f"cost/{HOSTILE}": 0.1, "parity": 0.2, "kl": 1 / step} for step in (1, 2, 3)]
    (tmp_path / "run" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = assert_inert(render_report([tmp_path / "run"]))
    for title in ("Cost: <script>alert(1)</script>", "Difference between groups (nats)", "KL from the first"):
        assert title in page.text


def test_runs_of_the_same_name_are_told_apart(tmp_path):
    paths = [tmp_path / folder / "runs" / "x" for folder in ("a", "b")]
    for path in paths:
        write_run(path)
    text = render_report([*paths, paths[0]])
    assert "2 runs side by side" in text
    assert "a/runs/x" in text
    assert "b/runs/x" in text
    assert shown(terminal_runs(load_runs(paths))).count("/runs/x:") == 2


def test_hostile_text_stays_text_everywhere(tmp_path):
    write_run(tmp_path / "run", rename=lambda name: name + HOSTILE, text=HOSTILE, stopped=HOSTILE)
    page = assert_inert(render_report([tmp_path / "run"]))
    assert "<script>alert(1)</script></pre>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "␛[2J" in page.text
    assert "⟨U+202E⟩gnp.exe" in page.text
    out = shown(terminal_runs(load_runs([tmp_path / "run"])))
    assert not set("\x1b\x07\x00\x85\u202e\u2066") & set(out)


def test_lone_surrogates_in_json_files_are_shown(tmp_path):
    write_run(tmp_path / "run")
    path = tmp_path / "run" / "results.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"list"', '"list\\udc80\\ud800"'), encoding="utf-8")
    page = assert_inert(render_report([tmp_path / "run"]))
    assert "list⟨U+DC80⟩⟨U+D800⟩" in page.text


def test_a_completion_of_a_megabyte_is_cut_and_says_so(tmp_path):
    write_run(tmp_path / "run", text="<b>x</b>" * 131_072, size=(12, 1))
    text = render_report([tmp_path / "run"])
    assert_inert(text)
    assert len(text) < 600_000
    assert "1,044,576 more characters" in text


def test_without_gold_the_page_shows_what_needs_none(tmp_path):
    write_run(tmp_path / "run", gold=None, stopped="answers collapsed")
    page = assert_inert(render_report([tmp_path / "run"]))
    assert "Incoherence (nats)" in page.text
    assert "run was stopped : answers collapsed" in page.text
    assert "accuracy, plain" not in page.text
    first = page.text.split("During training")[0]
    assert "Accuracy" not in first
    assert "Worst view" not in first


def test_pieces_may_be_missing(tmp_path):
    write_run(tmp_path / "whole")
    write_run(tmp_path / "part")
    for name in ("environment.json", "completions.parquet", "metrics.jsonl"):
        (tmp_path / "part" / name).unlink()
    assert_inert(render_report([tmp_path / "part"]))
    write_run(tmp_path / "going")
    (tmp_path / "going" / "results.json").unlink()
    with (tmp_path / "going" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 13, "incoh')
    page = assert_inert(render_report([tmp_path / "whole", tmp_path / "going"]))
    assert "going is still running or was interrupted: 12 steps so far" in page.text
    assert "No results yet" in render_report([tmp_path / "going"])
    assert "12 steps so far" in shown(terminal_runs(load_runs([tmp_path / "going"])))


def test_everything_that_is_no_run_is_named_at_once(tmp_path):
    write_run(tmp_path / "broken")
    (tmp_path / "broken" / "results.json").write_text("{")
    with pytest.raises(DataError) as error:
        render_report([tmp_path / "nothing", tmp_path / "broken"])
    assert [problem.where.rsplit("/", 1)[1] for problem in error.value.problems] == ["nothing", "results.json"]


@pytest.mark.parametrize("file", ["distill.json", "rounds.json", "sampling.json"])
def test_a_distilled_directory_is_named_rightly(tmp_path, file):
    place = tmp_path / "offline"
    place.mkdir()
    (place / file).write_text("{}")
    (place / "results.json").write_text('{"rows": 3, "steps": 1}')
    with pytest.raises(NoRunError) as error:
        load_run(place)
    assert str(error.value) == (
        f"{place}: was made by `alft distill`, and is no run — measure it by `alft evaluate {place / 'model'}`"
    )


def test_long_runs_render_in_time(tmp_path):
    paths = [tmp_path / f"run-{i}" for i in range(3)]
    for path in paths:
        write_run(path, size=(1000, 6))
    start = time.process_time()
    text = render_report(paths)
    assert time.process_time() - start < 6
    assert len(text) < 1_500_000


def test_the_command_to_run_again_is_one_that_a_shell_takes(tmp_path):
    path = tmp_path / ("it's; touch gone " + "x" * 90)
    write_run(path)
    page = Page(render_report([path])).text
    command = next(line for line in page.split("alft train ")[1:])
    parsed = shlex.split("alft train " + command.split("-again")[0] + "-again")
    assert parsed[:3] == ["alft", "train", str(path / "config.yaml")]
    assert re.fullmatch(RUN_NAME, parsed[4].removeprefix("output.name="))


@pytest.mark.parametrize(
    ("file", "content", "place"),
    [
        ("results.json", '{"after": {}}', "before, after"),
        ("results.json", "[]", "the whole"),
        ("results.json", "null", "the whole"),
        ("metrics.jsonl", '{"step": 1}\n{\n{"step": 2}\n', "metrics.jsonl:2"),
    ],
)
def test_a_malformed_file_is_told_with_its_place(tmp_path, file, content, place):
    write_run(tmp_path / "run")
    (tmp_path / "run" / file).write_text(content)
    with pytest.raises(DataError, match=place):
        render_report([tmp_path / "run"])


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.yaml", "model: starter\ngame: [1, {a: b}]\n"),
        ("config.yaml", "- 1\n"),
        ("environment.json", "[1]"),
        (
            "metrics.jsonl",
            '1\n{"step": "x", "accuracy": "y"}\n{"step": true, "accuracy": [1]}\n{"accuracy": NaN}\n',
        ),
    ],
)
def test_what_is_odd_but_not_needed_is_passed_over(tmp_path, file, content):
    write_run(tmp_path / "run")
    (tmp_path / "run" / file).write_text(content)
    assert_inert(render_report([tmp_path / "run"]))


def test_a_changed_number_in_a_result_is_refused(tmp_path):
    results = write_run(tmp_path / "run")
    for change in ({"entropy": "1"}, {"accuracy_sampled": {"mean": 1.0}}, {"views": [1]}):
        (tmp_path / "run" / "results.json").write_text(
            json.dumps({**results, "after": {**results["after"], **change}})
        )
        with pytest.raises(DataError, match="at after"):
            render_report([tmp_path / "run"])


def test_limits_parity_pass_at_k_and_the_distance_to_the_equilibrium_are_on_the_page(tmp_path):
    results = write_run(tmp_path / "run")
    told = {"known": True, "mean": 0.25, "interval": [0.1, 0.4], "at_most": 0.05, "violation": 0.2}
    more = {"limits": {"four": told}, "parity": {"parity": 0.125, "interval": [0.0, 0.2], "null": 0.0625}}
    approach = {"beta": 0.05, "distance_before": 0.9, "distance": 0.7, "distance_null": 0.4, "gap": 0.3}
    results |= {"before": {**results["before"], **more}, "after": {**results["after"], **more}}
    results["approach"] = {**approach, "gap_null": 0.2, "samples": 4.0}
    (tmp_path / "run" / "results.json").write_text(json.dumps(results))
    page = assert_inert(render_report([tmp_path / "run"])).text
    assert "four, at most 0.05 0.250 0.250 0.000" in page
    assert "run : four is over its limit by 0.200." in page
    assert "difference between groups (nats) 0.125 0.125 0.000" in page
    assert "run 0.900 0.700 0.400 0.300 0.200 0.05 4" in page
    # 4 samples: before plain 3 right, list 1, riddle 1 of 4; after 4, 3, 0
    assert f"pass@2 {number((1 + 1 / 2 + 1 / 2) / 3)} {number((1 + 1 + 0) / 3)}" in page
    assert "maj@4" in page


def test_one_question_is_not_told_as_several(tmp_path):
    write_run(tmp_path / "run", size=(12, 1))
    assert "on 1 held-out question, each asked in 3 ways with 4 samples." in render_report([tmp_path / "run"])


def test_much_unread_is_said_first_with_its_remedy_and_not_that_weights_hardly_moved(tmp_path):
    results = write_run(tmp_path / "run")
    gone = {**results["before"], "unread": 0.9, "truncated": 0.8}
    told = {**results, "before": gone, "after": gone, "difference": compare(*[measured(BEFORE)] * 2)}
    (tmp_path / "run" / "results.json").write_text(json.dumps(told), encoding="utf-8")
    first = assert_inert(render_report([tmp_path / "run"])).text.split("Before and after")[0]
    assert "after training, 90 % of the completions are unread and 80 % cut off: raise training.max_new" in first
    assert "hardly moved" not in first


def test_a_large_change_that_may_be_chance_is_not_told_as_none(tmp_path):
    results = write_run(tmp_path / "run")
    results["difference"]["intervals"]["agreement_greedy"] = None
    for after, told in ((0.667, "agreement: 0.333 → 0.667; too few questions to tell."), (0.34, "about as often")):
        results["after"]["agreement_greedy"] = after
        assert told in story(results)


def test_the_first_screen_warns_of_few_questions_and_of_a_run_that_changed_nothing(tmp_path):
    few, same, well = tmp_path / "few", tmp_path / "same", tmp_path / "well"
    write_run(few, size=(12, FEWEST - 1))
    results = write_run(same)
    change = compare(*[measured(BEFORE)] * 2)
    (same / "results.json").write_text(
        json.dumps({**results, "after": results["before"], "difference": change}), encoding="utf-8"
    )
    write_run(well)
    pages = (few, same, well)
    first = {path.name: assert_inert(render_report([path])).text.split("Before and after")[0] for path in pages}
    assert [name for name, text in first.items() if f"only {FEWEST - 1} questions held out" in text] == ["few"]
    assert [name for name, text in first.items() if "the weights hardly moved" in text] == ["same"]
    assert all("Unread completions" in text and "Completions cut off" in text for text in first.values())
