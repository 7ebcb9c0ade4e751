"""Questions as the dataset that TRL trains on: one row per view, the views of a question side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence

from datasets import Dataset

from alft.questions import Message, Question, View, pull_back, with_instruction


def to_dataset(questions: Sequence[Question], *, instruction: str = "", chat: bool = True) -> Dataset:
    """Rows with `prompt`, `question_id`, `view`, `answer`, `aliases`, `group`, `answer_map` (JSON or None).

    `instruction` is added to every view: how to mark the answer, for example (`alft.questions.BOXED`).
    With `chat` a text becomes a user message, as models with a chat template expect; without, it stays text.
    """
    asked = [with_instruction(question, instruction) for question in questions]
    rows = [
        {
            "prompt": prompt_of(view, chat=chat),
            "question_id": question.id,
            "view": index,
            "answer": question.answer,
            "aliases": list(question.aliases),
            "group": question.group,
            "answer_map": None if (pulled := pull_back(question, view)) is None else json.dumps(pulled),
        }
        for question in asked
        for index, view in enumerate(question.views)
    ]
    return Dataset.from_list(rows)


def prompt_of(view: View, *, chat: bool) -> str | list[Message]:
    """The view as TRL takes it: messages for a chat model, text otherwise."""
    if isinstance(view.text, str):
        return [{"role": "user", "content": view.text}] if chat else view.text
    return [dict(message) for message in view.text]
