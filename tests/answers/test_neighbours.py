"""Neighbours of faults from the field, by kind: other languages, marks, units, templates and model families.

A row of neighbours.jsonl is a completion with its answer (null: unread), or an answer with one that has the same
key, or another key. Most were written before the readers had seen them; some came with a fix.
"""

import json
from pathlib import Path

import pytest

from alft.answers import KeyPolicy, canonical, read

ROWS = [json.loads(line) for line in Path(__file__).with_name("neighbours.jsonl").read_text("utf-8").splitlines()]
READ = [row for row in ROWS if "answer" in row]
COMPARED = [row for row in ROWS if "answer" not in row]
DROPPED = (
    "18 eggs|18 more eggs|18 eggs per day|USD 18|$18 USD|US$18|18 dollars/day|$18 every day|$18 daily|$18 in total"
    "|18 $/day|$18 total|18 pieces of candy|= 18|18 (eggs)|18 times|₹18|18元|Rs. 18|18 °C|18 €"
)
KEPT = (
    "18 dozen|18 million|18k|18 or so|18+|18 - 2|18 eggs, 2 hens|18, 19|18 x|18th|#18|about 18|18 out of 20"
    "|18 half eggs"
)


@pytest.mark.parametrize("row", READ, ids=lambda row: row["kind"])
def test_a_completion_is_read_or_unread_with_a_reason(row: dict[str, str | None]) -> None:
    found = read(row["text"])
    assert found.answer == row["answer"]
    assert (found.unread is None) == (row["answer"] is not None)


@pytest.mark.parametrize("row", COMPARED, ids=lambda row: row["kind"])
def test_what_says_another_thing_has_another_key_and_only_that(row: dict[str, str]) -> None:
    same = "same" in row
    one, other = canonical(row["text"]), canonical(row["same" if same else "differs"])
    assert None not in (one, other)
    assert (one == other) is same


@pytest.mark.parametrize("text", DROPPED.split("|"))
def test_k9_a_unit_money_or_a_rate_is_dropped_where_units_are(text: str) -> None:
    assert canonical(text, KeyPolicy(units="drop")) == "18"


@pytest.mark.parametrize("text", KEPT.split("|"))
def test_k9_what_says_another_number_is_kept(text: str) -> None:
    assert canonical(text, KeyPolicy(units="drop")) != "18"


@pytest.mark.parametrize(
    "text", [r"12\pi\text{ cm}^2", "12π cm²", "12 pi square units", r"12\pi \text{ centimeters}"]
)
def test_a_unit_behind_a_formula_is_dropped_where_units_are(text: str) -> None:
    assert canonical(text, KeyPolicy(units="drop")) == canonical(r"12\pi")


@pytest.mark.parametrize("text", [r"12\pi r", r"12\pi r^2", r"12\pi\cos x", r"12\pi i", r"12\pi h"])
def test_a_variable_behind_a_formula_is_kept(text: str) -> None:
    assert canonical(text, KeyPolicy(units="drop")) == canonical(text) != canonical(r"12\pi")
