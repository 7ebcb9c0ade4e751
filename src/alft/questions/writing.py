"""Questions to JSONL, in the fields that are read back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from alft.questions.model import Question, View


def dump_questions(questions: Iterable[Question], path: str | Path) -> None:
    """Write questions as JSONL that `load_questions` reads back equal.

    >>> import tempfile
    >>> asked = [Question("a", (View("1 + 1?", "view 1"), View("One and one?", "words")), "2")]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dump_questions(asked, folder + "/q.jsonl")
    ...     from alft.questions import load_questions; load_questions(folder + "/q.jsonl") == asked
    True
    """
    with open(path, "w", encoding="utf-8", newline="\n") as stream:
        for asked in questions:
            stream.write(json.dumps(fields_of(asked), ensure_ascii=False) + "\n")


def fields_of(asked: Question) -> dict[str, object]:
    """The JSON object of a question; what has its default value is left out."""
    first, *others = asked.views
    fields: dict[str, object] = {"id": asked.id, "question": first.text, "answer": asked.answer}
    if first.name != "view 1":
        fields["name"] = first.name
    fields["answer_map"] = None if first.answer_map is None else dict(first.answer_map)
    fields["views"] = [_view_fields(view) for view in others] or None
    fields["group"] = asked.group
    fields["aliases"] = asked.aliases or None
    return {name: value for name, value in fields.items() if value is not None}


def _view_fields(view: View) -> dict[str, object]:
    fields: dict[str, object] = {"text": view.text, "name": view.name}
    if view.answer_map is not None:
        fields["answer_map"] = dict(view.answer_map)
    return fields
