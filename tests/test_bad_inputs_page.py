"""docs/bad-inputs.md lists every item, and every item has a test of its number."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "bad-inputs.md").read_text("utf-8")
ITEMS = range(1, 99)


def test_every_item_has_a_row_and_a_test() -> None:
    rows = [int(number) for number in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    source = "".join(path.read_text("utf-8") for path in TESTS.rglob("test_*.py"))
    tested = {int(number) for number in re.findall(r"^def test_item_(\d+)_", source, re.MULTILINE)}
    assert [number for number in rows if number in ITEMS] == list(ITEMS)
    assert set(ITEMS) - tested == set()
