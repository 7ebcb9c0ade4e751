"""Hand-made pairs of answers, same and different, over all kinds."""

from pathlib import Path

import pytest

from alft.answers import canonical

LINES = [
    line
    for line in Path(__file__).with_name("pairs.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


def test_there_are_at_least_300_pairs() -> None:
    assert len(LINES) >= 300
    assert len(set(LINES)) == len(LINES)


@pytest.mark.parametrize("line", LINES)
def test_pair(line: str) -> None:
    same = " ≡ " in line
    left, right = line.split(" ≡ " if same else " ≢ ")
    keys = canonical(left), canonical(right)
    assert None not in keys
    assert (keys[0] == keys[1]) is same, keys
