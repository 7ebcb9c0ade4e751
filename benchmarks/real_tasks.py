"""Small tasks for small pretrained models: three wordings a question, plain text, three worked examples before it.

With the examples a model answers in form from the start, so that what training adds is not the form.

Beside the TASKS made here, a relation of ParaRel (Elazar et al., 2021) is one: `DIRECTORY/P495`, where the
directory holds `facts/P495.jsonl` and `patterns/P495.jsonl` as published. Of its patterns that end in the answer,
four are taken, evenly spaced; the last is unseen: it is asked of held-out questions only.
"""

from __future__ import annotations

import calendar
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from alft.questions import Question, View, with_examples

Pairs = Mapping[str, str]
TRAINED_WORDINGS = EXAMPLES = 3
PAIRS: dict[str, Pairs] = json.loads((Path(__file__).parent / "pairs.json").read_text(encoding="utf-8"))


def _sums() -> Pairs:
    return {f"{a} + {b}": str(a + b) for a in range(2, 20) for b in range(2, 20)}


def _larger() -> Pairs:
    draw = np.random.default_rng(0)
    pairs = {tuple(draw.choice(np.arange(10, 100), 2, replace=False).tolist()) for _ in range(400)}
    return {f"{a} or {b}": str(max(a, b)) for a, b in sorted(pairs)}


def _products() -> Pairs:
    return {f"{a} times {b}": str(a * b) for a in range(2, 13) for b in range(2, 13)}


def _months() -> Pairs:
    names = calendar.month_name[1:]
    return dict(zip(names, [*names[1:], names[0]], strict=True))


TASKS: dict[str, tuple[Callable[[], Pairs], tuple[str, str, str]]] = {
    "sums": (_sums, ("{} =", "The sum {} is", "{} equals")),
    "products": (_products, ("What is {}?", "Compute {}.", "Tell me the result of {}.")),
    "larger": (_larger, ("Which is larger, {}?", "What is the larger number: {}?", "Name the bigger one: {}.")),
    "opposites": (
        lambda: PAIRS["opposites"],
        ("The opposite of {} is", "{} and its antonym", "An antonym of {}:"),
    ),
    "capitals": (
        lambda: PAIRS["capitals"],
        ("What is the capital of {}?", "Which city is the capital of {}?", "Name the capital city of {}."),
    ),
    "countries": (
        lambda: {city: country for country, city in PAIRS["capitals"].items()},
        (
            "{} is the capital of which country?",
            "In which country is {}?",
            "Name the country whose capital is {}.",
        ),
    ),
    "months": (
        _months,
        ("Which month comes after {}?", "What is the month after {}?", "Name the month after {}."),
    ),
    "plurals": (
        lambda: PAIRS["plurals"],
        ("What is the plural of {}?", "Write {} in the plural.", "One {}, two what?"),
    ),
    "past": (
        lambda: PAIRS["past"],
        ("What is the past tense of {}?", "Put {} into the past tense.", "Today I {}. Yesterday I what?"),
    ),
    "first letters": (
        lambda: {word: word[0] for word in PAIRS["opposites"]},
        (
            "What is the first letter of {}?",
            "With which letter does {} begin?",
            "Name the first letter of the word {}.",
        ),
    ),
}
"""Ten tasks: what is asked and the answer, and three wordings."""


def questions(name: str, *, unseen: bool = False, shown: bool = True) -> list[Question]:
    """All questions of a task, in an order that is always the same; the three examples are not among them.

    `unseen`: in the wordings that are not trained on, too. `shown`: the examples stand before each.
    """
    pairs, wordings = (TASKS[name][0](), TASKS[name][1]) if name in TASKS else _relation(Path(name))
    order = np.random.default_rng(0).permutation(len(pairs))
    asked = [list(pairs)[place] for place in order]
    named = [(f"wording {n}" if n <= TRAINED_WORDINGS else "unseen", text) for n, text in enumerate(wordings, 1)]
    kept = named if unseen else named[:TRAINED_WORDINGS]
    every = [
        Question(one, tuple(View(_as_line(text, one), view) for view, text in kept), pairs[one]) for one in asked
    ]
    shots = every[: EXAMPLES * shown]
    return [with_examples(one, shots, plain=True) if shots else one for one in every[EXAMPLES:]]


def _relation(path: Path) -> tuple[Pairs, tuple[str, ...]]:
    """The facts of a relation of ParaRel, and four of its patterns."""
    facts, patterns = (
        [json.loads(line) for line in (path.parent / kind / f"{path.name}.jsonl").read_text("utf-8").splitlines()]
        for kind in ("facts", "patterns")
    )
    ends = [text for one in patterns if (text := one["pattern"].rstrip(" .")).endswith("[Y]")]
    spaced = [ends[round(place)] for place in np.linspace(0, len(ends) - 1, TRAINED_WORDINGS + 1)]
    wordings = tuple(text.removesuffix("[Y]").rstrip().replace("[X]", "{}") for text in spaced)
    return {one["sub_label"]: one["obj_label"] for one in facts}, wordings


def _as_line(wording: str, asked: str) -> str:
    """A question with a place for its answer; a wording that is the beginning of a line has one at its end."""
    return f"Question: {wording.format(asked)}\nAnswer:" if wording[-1] in "?." else wording.format(asked)
