r"""A pretrained model before any training, asked in three ways, each read strictly and leniently.

Run: python -m benchmarks.real_prompts MODEL TASK…      (SmolLM2-135M, one thread: three minutes a task)

The held-out questions of `benchmarks.real_runs`, in the wordings that are trained on, 8 samples each:

    examples  three solved questions and plain text, as in the study: the rest of the line is the answer
    boxed     the chat template, no examples, "Put your final answer within \boxed{}.": alft's usual reading
    one word  the chat template, no examples, "Answer with one word.": the first line is the answer

Read leniently, a completion is right if the gold answer stands anywhere in it as a word of its own: more than any
strict reading can give.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from alft.answers import AnswerPolicy, ReadPolicy
from alft.completions import Completion
from alft.config.schema import ModelConfig
from alft.evaluation import EvaluationSettings, evaluate_model
from alft.evaluation.intervals import intervals
from alft.models.loading import load_model, set_threads
from alft.questions import Question, with_instruction
from alft.reporting.progress import quiet_libraries
from benchmarks.real_runs import HELD_OUT
from benchmarks.real_tasks import questions

LINE = AnswerPolicy(reading=ReadPolicy(pattern=r"^\s*(\S[^\n]*)"))
BOXED = "Put your final answer within \\boxed{}."
WAYS = {
    "examples": ("plain", "", EvaluationSettings(8, 6, 256, greedy=False, answers=LINE, stop=["\n"])),
    "boxed": ("auto", BOXED, EvaluationSettings(8, 48, 256, greedy=False)),
    "one word": ("auto", "Answer with one word.", EvaluationSettings(8, 12, 256, greedy=False, answers=LINE)),
}


def main(path: str, tasks: list[str]) -> None:
    """One line a task and way."""
    quiet_libraries()
    set_threads(1)
    heads = (f"{'strict':>8} [95 %]       ", f"{'lenient':>8} [95 %]       ")
    print(f"{'task':12}{'prompt':10}{''.join(heads)}{'unread':>8}{'agreement':>10}")
    for task in tasks:
        for way, (chat, instruction, settings) in WAYS.items():
            model, tokenizer = load_model(ModelConfig(path=path, chat=chat))
            every = questions(task, shown=way == "examples")
            asked = [with_instruction(one, instruction) for one in every[-min(HELD_OUT, len(every) // 3) :]]
            found = evaluate_model(model, tokenizer, asked, settings)
            strict = found.measured.by_view["accuracy_sampled"].mean(axis=1)
            lenient = np.array([leniently(one, found.records) for one in asked])
            told = " ".join(
                f"{values.mean():8.3f} [{low:.3f}, {high:.3f}]"
                for values in (strict, lenient)
                for low, high in intervals(values[:, None], shares=True)
            )
            summary = found.summary()
            end = f"{summary['unread']:9.3f}{summary['agreement_sampled']:10.3f}"
            print(f"{Path(task).name:12}{way:10}{told}{end}", flush=True)


def leniently(question: Question, records: Sequence[Completion]) -> float:
    """The share of a question's completions that hold its gold answer as a word."""
    gold = re.compile(rf"(?<!\w){re.escape(str(question.answer))}(?!\w)", re.IGNORECASE)
    return float(np.mean([gold.search(one.text) is not None for one in records if one.question == question.id]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
