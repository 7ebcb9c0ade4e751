"""The pages hold together: their examples run, their links lead somewhere, README repeats the study's numbers."""

import doctest
import re
from pathlib import Path

import pytest

from benchmarks import api_page

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*DOCS, *(ROOT / name for name in ("README.md", "PAPER.md", "CONTRIBUTING.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def rows_of(page: Path) -> dict[str, set[str]]:
    """The numbers of each row of a page's tables, by the row's first cell."""
    lines = [line for line in page.read_text("utf-8").splitlines() if line.startswith("| ")]
    return {line.split(" | ")[0]: set(re.findall(r"\d\.\d{3}", line)) for line in lines}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page: Path) -> list[str]:
    """Relative links of a page whose file or heading does not exist."""
    dead = []
    for path, anchor in LINK.findall(page.read_text("utf-8")):
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(f"{path}#{anchor}")
    return dead


@pytest.mark.parametrize("page", [page for page in DOCS if page.name != "api.md"], ids=lambda page: page.name)
def test_examples_run(page):
    assert doctest.testfile(str(page), module_relative=False).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    assert dead_links(page) == []


def test_a_dead_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Here\n[a](nowhere.md) [b](#here) [c](#there) [d](https://example.org/x)")
    assert dead_links(page) == ["nowhere.md#", "#there"]


def test_the_api_page_is_what_the_docstrings_give():
    """Its examples run where they are written, in the docstrings."""
    found = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert found == api_page.page(), "run `python -m benchmarks.api_page > docs/api.md`"


def test_the_index_lists_every_page():
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs" / "index.md").read_text("utf-8")))
    assert listed == {page.name for page in DOCS} - {"index.md"}


def test_readme_repeats_the_numbers_of_the_study():
    readme = (ROOT / "README.md").read_text("utf-8")
    study = rows_of(ROOT / "docs" / "study.md")
    evidence = {name: found for name, found in rows_of(ROOT / "README.md").items() if name in study}
    assert len(evidence) >= 5
    for name, numbers in evidence.items():
        assert numbers, name
        assert numbers <= study[name], name
    assert f"with {len(study) - 4} methods" in readme  # less the head, its rule and the two rows without training


def test_readme_is_short_and_starts_with_the_two_commands():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len(readme.split()) <= 1300
    first = re.findall(r"```bash\n(.*?)```", readme, re.DOTALL)[0].splitlines()
    assert [line.split("#")[0].strip() for line in first] == ["make demo", "make test"]
