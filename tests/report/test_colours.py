"""Contrast of the page's colours, light and dark, by the formula of WCAG 2."""

import re
from pathlib import Path

import pytest

import alft.reporting
from alft.reporting.plots import COLOURS, RUN_COLOURS

CSS = (Path(alft.reporting.__file__).parent / "page.css.j2").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", part))
    for part in CSS.split("@media (prefers-color-scheme")[:2]
)
TEXT = [
    ("ink", "paper"),
    ("muted", "paper"),
    ("fall", "paper"),
    ("ink", "wash"),
    ("ink", "notice"),
    ("on-right", "right"),
    ("on-other", "other"),
    *(("on-answer", f"a{rank}") for rank in range(1, 5)),
]
MARKS = [(name, "paper") for name in ("before", "rise", "fall", *RUN_COLOURS)]


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    dark, light = sorted(map(luminance, (first, second)))
    return (light + 0.05) / (dark + 0.05)


def test_the_formula_has_its_known_values():
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_and_marks_can_be_seen(theme):
    low = {pair: contrast(theme[pair[0]], theme[pair[1]]) for pair in TEXT}
    assert {pair: told for pair, told in low.items() if told < 4.5} == {}
    faint = {pair: contrast(theme[pair[0]], theme[pair[1]]) for pair in MARKS}
    assert {pair: told for pair, told in faint.items() if told < 3} == {}


def test_figures_are_drawn_in_the_colours_of_the_light_page():
    assert {name: LIGHT[name] for name in COLOURS} == COLOURS
