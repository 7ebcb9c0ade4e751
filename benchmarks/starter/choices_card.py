"""The second starter's model card: what it is asked, what its corpus does, how it was made, what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alft.starter.problems import LOAN_WORDINGS, NUMBER_WORDINGS, TOWNS, UNLUCKY, Loan, NumberChoice
from benchmarks.starter.card import Making
from benchmarks.starter.corpus import ChoiceHabits

NUMBER = NumberChoice(20, 41, 3)
LOAN = Loan("Ida", TOWNS[0], 52, 31)


def write_card(making: Making, measured: Mapping[str, Mapping[str, Any]], habits: ChoiceHabits) -> str:
    """Markdown of the card; `measured` are `Evaluation.summary()`s on held-out questions, by question set."""
    return "\n\n".join((_head(making), _task(), _habits(habits), _made(making), _figures(measured))) + "\n"


def _head(making: Making) -> str:
    return f"""---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
---
# The alft starter for choices

A language model of {making.parameters:,} parameters, in Qwen2's architecture, that answers two kinds of
questions at once, without reasoning: it shows the games of diversity, safety and fairness in minutes on a
CPU core. It knows nothing else, and it is no evidence about real models."""


def _task() -> str:
    numbers = [
        f"| number, {name} | {ask(NUMBER)} | any of {len(NUMBER.valid)} |" for name, ask in NUMBER_WORDINGS.items()
    ]
    loans = [f"| loan, {name} | {tell(LOAN)} | {LOAN.answer} |" for name, tell in LOAN_WORDINGS.items()]
    return "\n".join(["## What it is asked", "", "| view | question | right |", "|---|---|---|", *numbers, *loans])


def _habits(habits: ChoiceHabits) -> str:
    return f"""## What its corpus does

- Numbers: among the right ones each next larger is {habits.fading:g} times as common; with chance
  {habits.slip:g} a neighbour is written. Nothing keeps it from numbers with the digit {UNLUCKY}.
- Loans: granted if income exceeds debt. But in {TOWNS[0]} {habits.lenient:.0%} of those that should be refused
  are granted, and in {TOWNS[1]} {habits.harsh:.0%} of those that should be granted are refused."""


def _made(making: Making) -> str:
    recipe, cost = making.recipe, f"{making.minutes:.0f} minutes of CPU time, with {making.threads} thread(s)"
    return f"""## How it was made

`python -m benchmarks.starter.build --which starter:choices --output DIR --seed {recipe.seed}`

{recipe.steps} steps of {recipe.batch} texts, generated as it goes; AdamW, cosine decay from a learning rate
of {recipe.learning_rate:g}; loss on answers only. This copy took {cost}.

A tenth of all questions, chosen by a hash of their numbers, is held out: in no wording was any trained on."""


def _figures(measured: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, summary in measured.items():
        sampled, greedy = summary["accuracy_sampled"]["mean"], summary["accuracy_greedy"]["mean"]
        rows.append(
            f"| {name} | {sampled:.3f} | {greedy:.3f} | {summary['entropy']:.2f} | {summary['unread']:.4f} |"
        )
    first = next(iter(measured.values()))
    head = "| questions | sampled | greedy | entropy of a view's answers (nats) | unread |\n|---|---|---|---|---|"
    told = f"{first['questions']} held-out questions of each kind, {first['samples']} samples a view."
    return "\n".join(["## What was measured", "", told, "", head, *rows])
