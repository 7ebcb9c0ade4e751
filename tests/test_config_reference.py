"""docs/configuration.md is the page that the declaration gives, and leaves no field undescribed."""

import re
from pathlib import Path

from alft.config.schema import RunConfig
from benchmarks.config_page import page

ROOT = Path(__file__).parents[1]
COMMAND = "python -m benchmarks.config_page > docs/configuration.md"


def test_the_page_is_what_the_declaration_gives() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == page(), f"run {COMMAND}"
    assert "(docs/configuration.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_section_is_there_and_every_field_has_all_four_cells() -> None:
    told = page()
    assert {*RunConfig.model_fields, "training.vllm"} == set(re.findall(r"^## `(.+)`$", told, re.MULTILINE))
    rows = [line for line in told.splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert [row for row in rows if not all(map(str.strip, row.strip("|").split("|"))) or row.count("|") != 5] == []


def test_defaults_types_and_bounds_are_told() -> None:
    told = page()
    assert "| `steps` | whole number > 0 | `60` | optimiser steps |" in told
    assert "| `at_most` | number | has to be given | largest mean cost, e.g. 0.05 |" in told
    assert "| `trainer` | `grpo`, `rloo`, `offline` | `grpo` |" in told
    assert "| `decay` | number ≥ 0, < 1 | `0.95` |" in told
    assert "| `learning_rate` | number > 0, ≤ 1 | – |" in told
    assert "| `key` | text or list of text | – |" in told
