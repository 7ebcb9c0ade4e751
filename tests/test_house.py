"""The limits of the source tree, as `python -m benchmarks.house` measures them."""

import pytest

from benchmarks.house import House, circles, longest_chain

HOUSE = House()


def test_the_tree_stays_small():
    assert HOUSE.lines <= 28_900  # the aim is 21,500
    assert len(HOUSE.modules) <= 171  # the aim is 170
    assert len(HOUSE.top) <= 12


def test_import_chains_stay_short():
    assert len(longest_chain(HOUSE.imports)) <= 16


def test_nothing_imports_in_a_circle():
    assert circles(HOUSE.imports) == []
    assert circles(HOUSE.folders) == []


@pytest.mark.parametrize("line", ["from alft.b.two import X", "def f():\n    from alft.b.two import X"])
def test_a_circle_is_found(tmp_path, line):
    source = tmp_path / "alft"
    for place, text in {"a/one.py": line, "b/two.py": "import alft.a.one", "b/__init__.py": ""}.items():
        (source / place).parent.mkdir(parents=True, exist_ok=True)
        (source / place).write_text(text)
    house = House(source)
    assert circles(house.imports) == [["alft.a.one", "alft.b.two"]]
    assert circles(house.folders) == [["a", "b"]]
    assert longest_chain({"a": ["b"], "b": []}) == ["a", "b"]
