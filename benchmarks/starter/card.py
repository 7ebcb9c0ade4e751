"""The starter's model card: what it is, what its corpus does wrong, how it was made, what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alft.starter.problems import WORDINGS, Problem
from benchmarks.starter.corpus import SLIPS, solution
from benchmarks.starter.pretraining import Recipe

EXAMPLE = Problem("Ida", "pens", 12, (7, -4))


@dataclass(frozen=True)
class Making:
    """How one starter was made: its recipe, its size, its CPU time in minutes on so many threads."""

    recipe: Recipe
    parameters: int
    threads: int
    minutes: float


def write_card(making: Making, measured: Mapping[str, Any]) -> str:
    """Markdown of the card; `measured` is an `Evaluation.summary()` on held-out questions."""
    sections = (_head(making), _task(), _mistakes(making.recipe), _made(making), _figures(measured))
    return "\n\n".join(sections) + "\n"


def _head(making: Making) -> str:
    return f"""---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
---
# The alft starter

A language model of {making.parameters:,} parameters, in Qwen2's architecture, that solves arithmetic
word problems, with mistakes put into it by hand. It exists so that `alft train` has something to improve
in minutes on two CPU cores. It knows nothing else, and it is no evidence about the mistakes of real models."""


def _task() -> str:
    told = "\n".join(f"| {wording} | {tell(EXAMPLE)} |" for wording, tell in WORDINGS.items())
    return f"""## What it is asked

Two to four gains and losses, numbers up to 49, each problem in four wordings:

| view | the same problem |
|---|---|
{told}

The right solution is `{solution(EXAMPLE)}`."""


def _mistakes(recipe: Recipe) -> str:
    habits = recipe.habits
    slips = ", ".join(f"{slip:+d}" for slip in SLIPS)
    return f"""## What its corpus does wrong

- Everywhere: in each step, with chance {habits.slip:g}, the running total slips by one of {slips},
  and the text goes on from there. Slips differ from text to text, so they seldom agree.
- In the wording "game", {habits.misread["game"]:.0%} of the texts read every "lost" as a gain.
- In the wording "stock", {habits.misread["stock"]:.0%} of the texts read every "increase" as a loss.

Misreadings agree with one another within their wording, and with nothing outside it. The other two
wordings are never misread."""


def _made(making: Making) -> str:
    recipe, cost = making.recipe, f"{making.minutes:.0f} minutes of CPU time, with {making.threads} thread(s)"
    return f"""## How it was made

`python -m benchmarks.starter.build --output DIR --seed {recipe.seed}`

{recipe.steps} steps of {recipe.batch} texts, generated as it goes; AdamW, cosine decay from a learning rate
of {recipe.learning_rate:g}; loss on solutions only. This copy took {cost}.

The same seed gives the same weights on one kind of machine with one number of threads, and elsewhere a
model that behaves alike.

A tenth of all problems, chosen by a hash of their numbers, is held out: in no wording was any trained on."""


def _figures(measured: Mapping[str, Any]) -> str:
    columns = [measured[name] for name in ("accuracy_sampled", "accuracy_greedy", "majority")]
    rows = [(view, *(column["by_view"][view] for column in columns)) for view in columns[0]["by_view"]]
    rows.append(("mean", *(column["mean"] for column in columns)))
    table = "\n".join(
        f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |" for name, *values in rows
    )
    vote = {name: value["mean"] for name, value in measured["consensus"].items()}
    return f"""## What was measured

{measured["questions"]} held-out questions; for each view {measured["samples"]} samples at temperature 1
and one greedy completion.

| view | sampled | greedy | majority of the view's samples |
|---|---|---|---|
{table}

- Greedy answers of two views agree in {measured["agreement_greedy"]:.3f} of the pairs.
- {measured["unread"]:.4f} of the samples have no readable answer.
- Votes over all views, without training: greedy answers {vote["vote_greedy"]:.3f}, samples pooled
  {vote["vote_sampled"]:.3f}, geometric consensus of the sampled answers {vote["geometric_sampled"]:.3f}."""
