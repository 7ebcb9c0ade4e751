"""Where a pretrained model has something to gain from agreement: ten small tasks, before any training.

Run: python -m benchmarks.scan MODEL [QUESTIONS] [TASK…]      (SmolLM2-135M, 48 questions: two minutes a task)

A task is worth a study where a single answer is right .1 to .8 of the time, the free vote over wordings and
samples is right at least .1 more often, and few answers are unread: what is unread is form, not agreement.
"""

from __future__ import annotations

import sys
from typing import Any, cast

from alft.answers import AnswerPolicy, ReadPolicy
from alft.config.schema import ModelConfig
from alft.evaluation import EvaluationSettings, evaluate_model
from alft.models.loading import load_model, set_threads
from alft.reporting.progress import quiet_libraries
from benchmarks.real_tasks import TASKS, questions

COLUMNS = ("sampled", "greedy", "vote", "vote greedy", "agreement", "sampled", "unread")


def main(path: str, many: int, tasks: list[str]) -> None:
    """One line a task."""
    quiet_libraries()
    set_threads(1)
    model, tokenizer = load_model(ModelConfig(path=path, chat="plain"))
    policy = AnswerPolicy(reading=ReadPolicy(pattern=r"^\s*(\S[^\n]*)"))
    print(f"{'task':14}{'questions':>10}" + "".join(f"{name:>12}" for name in COLUMNS) + "  by wording")
    for task in tasks or TASKS:
        asked = questions(task)[:many]
        found = evaluate_model(model, tokenizer, asked, EvaluationSettings(4, 6, 256, answers=policy, stop=["\n"]))
        told = cast(dict[str, Any], found.summary())
        values = (
            told["accuracy_sampled"]["mean"],
            told["accuracy_greedy"]["mean"],
            told["consensus"]["vote_sampled"]["mean"],
            told["consensus"]["vote_greedy"]["mean"],
            told["agreement_greedy"],
            told["agreement_sampled"],
            told["unread"],
        )
        wordings = " ".join(f"{value:.2f}" for value in told["accuracy_sampled"]["by_view"].values())
        print(
            f"{task:14}{len(asked):>10}" + "".join(f"{value:>12.3f}" for value in values) + f"  {wordings}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 48, sys.argv[3:])
