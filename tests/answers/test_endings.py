"""Endings of completions as models of several families write them, in many languages, each with its reading."""

import json
from pathlib import Path

import pytest

from alft.answers import read

ENDINGS = [json.loads(line) for line in Path(__file__).with_name("endings.jsonl").read_text("utf-8").splitlines()]


def test_there_are_at_least_400_endings_all_different() -> None:
    assert len(ENDINGS) == len({ending["text"] for ending in ENDINGS}) >= 400


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending["style"])
def test_an_ending_is_read_as_a_person_reads_it(ending: dict[str, str]) -> None:
    found = read(ending["text"])
    assert (found.answer, found.unread) == (ending.get("answer"), ending.get("unread"))
