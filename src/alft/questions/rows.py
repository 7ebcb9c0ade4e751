"""Fields of a row to a Question, strictly, and back: texts, chat messages, views and their answer maps."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from alft.answers import canonical, key_in_space
from alft.errors import DataError
from alft.questions.fields import Fields, Number, Problems, Row, did_you_mean
from alft.questions.model import Message, Prompt, Question, View, normalised

BEFORE: Final = "before"  # written by alft; not offered where a field is unknown
_USUAL: Final = ("id", "question", "answer", "views", "group", "name", "answer_map", "aliases", "metadata")
FIELDS: Final = (*_USUAL, BEFORE)
_VIEW_FIELDS: Final = ("text", "name", "answer_map", "answer", BEFORE)
_TYPES: Final = {
    bool: "true or false",
    str: "a text",
    Number: "a number",
    float: "a floating-point number, which is not exact",
    dict: "an object",
    Fields: "an object",
    list: "a list",
}
_ROLES: Final = ("system", "user", "assistant")
_LONGEST_ANSWER: Final = 15  # words


def question(row: Row, problems: Problems) -> Question | None:
    """The question in a row; None, and errors in `problems`, if a field is wrong."""
    before = len(problems)
    first, answer = _view(row.fields, "question", "view 1", row.where, problems)
    if answer is not None and canonical(answer) is None:
        what = f"the answer {answer!r:.80} has no letter or digit"
        problems.add("unreadable answer", row.where, what, "correct it, or leave the row out")
    elif answer is not None and len(answer.split()) > _LONGEST_ANSWER:
        problems.note("the answer is as long as a solution: write the final answer alone", row.where)
    views, own = _views(row.fields.get("views"), first, row.where, problems)
    identity = _text(row.fields, "id", row.where, problems)
    group = _text(row.fields, "group", row.where, problems)
    aliases = _aliases(row.fields.get("aliases"), answer, f"{row.where} aliases", problems)
    if len(problems) > before:
        return None
    name = identity if identity is not None else f"q{row.number}"
    try:
        asked = Question(name, views, answer, group, aliases, row.where)
    except DataError as error:
        for problem in error.problems:
            problems.add("options", problem.where, problem.what, problem.remedy)
        return None
    maps = {view.name: view.answer_map for view in asked.views}
    for given, view in zip(views, asked.views, strict=True):
        if view != given:
            what = "options have other letters than in the question and no answer_map: answers are matched"
            problems.note(f"{what} by the options' texts", f"{asked.place}, {view.name}")
    for view, own_answer, where in own:  # it must map to the question's
        pulled = key_in_space(own_answer, maps[view])
        if asked.answer is not None and pulled != canonical(asked.answer):
            meaning = f", which is {pulled!r:.80} in the question," if pulled != canonical(own_answer) else ""
            what = f"the view's answer {own_answer!r:.80}{meaning} is not the question's {asked.answer!r:.80}"
            remedy = "fix one of the two, or map the view's answers by an answer_map"
            problems.add("answers differ", where, what, remedy)
    return asked if len(problems) == before else None


def _text(fields: Mapping[str, object], name: str, where: str, problems: Problems) -> str | None:
    """A text, or a number as it was written; None if the field is absent."""
    value = fields.get(name)
    if name not in fields:
        return None
    if isinstance(value, str) and value.strip():
        return str(value)
    if value is None or isinstance(value, str):
        remedy = "leave it out" + ", which data.answers: partial allows" * (name == "answer")
        what = f"'{name}' is {'null' if value is None else 'empty'}"
        problems.add(f"empty '{name}'", where, what, remedy)
    else:
        others = ", other right answers in 'aliases'" * (name == "answer" and isinstance(value, list))
        what, remedy = f"'{name}' is {_type(value)}", f"write it as a text{others}"
        problems.add(f"'{name}' is not a text", where, what, remedy)
    return None


def _prompt(value: object, where: str, problems: Problems) -> Prompt:
    """A question's text or chat messages; the empty text, and an error, if it is neither."""
    if isinstance(value, list):
        return _messages(value, where, problems)
    if isinstance(value, str) and not isinstance(value, Number):
        if not value.strip():
            problems.add("empty question", where, "the text is empty", "write it, or leave the row out")
        return value
    remedy = "write a text or a list of chat messages"
    problems.add("question is not a text", where, f"this is {_type(value)}", remedy)
    return ""


def _messages(value: list[object], where: str, problems: Problems, last: str = "user") -> tuple[Message, ...]:
    """Chat messages: known roles, non-empty texts, the system only first, that of `last` at the end."""
    messages: list[Message] = []
    for place, item in enumerate(value):
        role = item.get("role") if isinstance(item, Mapping) else None
        content = item.get("content") if isinstance(item, Mapping) else None
        if not isinstance(item, Mapping) or set(item) != {"role", "content"}:
            problems.add("bad message", f"{where}[{place}]", "a message has exactly 'role' and 'content'")
        elif not isinstance(role, str) or role not in _ROLES or (role == "system" and place > 0):
            problems.add("bad role", f"{where}[{place}]", f"role {role!r} here", "system (first), user, assistant")
        elif not isinstance(content, str) or isinstance(content, Number) or not content.strip():
            problems.add("bad content", f"{where}[{place}]", "'content' is not a text, or is empty")
        else:
            messages.append({"role": role, "content": content})
    if len(messages) == len(value) and (not messages or messages[-1]["role"] != last):
        end = "the question" if last == "user" else "the answer"
        problems.add("last message", where, f"the last message is not the {last}'s", f"end with {end}")
    return tuple(messages)


def _views(
    value: object, first: View, where: str, problems: Problems
) -> tuple[tuple[View, ...], list[tuple[str, str, str]]]:
    """The question and its other views without duplicates; (view, answer, place) of each answer in a view."""
    if value is not None and not isinstance(value, list):
        problems.add("views is not a list", f"{where} views", f"this is {_type(value)}", "write a list")
        return (first,), []
    kept: dict[str, View] = {normalised(first.text): first}
    names, own = {first.name}, list[tuple[str, str, str]]()
    for number, item in enumerate(value or [], start=2):
        here = f"{where} views[{number - 2}]"
        view, answer = _view(item, "text", f"view {number}", here, problems)
        double = kept.setdefault(normalised(view.text), view)
        if double is not view:
            problems.note(f"the same text as '{double.name}': left out", here)
        elif view.name in names:
            problems.add("view name", here, f"two views are named '{view.name}'", "give each view its own name")
        if answer is not None:
            own.append((double.name, answer, here))
        names.add(view.name)
    return tuple(kept.values()), own


def _view(item: object, text: str, name: str, where: str, problems: Problems) -> tuple[View, str | None]:
    """A view, with its text in the field `text`, and the answer beside it."""
    if not isinstance(item, Fields):
        return View(_prompt(item, where, problems), name), None
    known = FIELDS if text == "question" else _VIEW_FIELDS
    free = [field for field in known if field not in (*item, BEFORE)]
    for field in [field for field in item if field not in known]:
        remedy = f"{did_you_mean(field, free)}; put other data under 'metadata'"
        problems.add(f"unknown field '{field}'", where, f"unknown field '{field}'", remedy)
    prompt = _prompt(item.get(text), f"{where} {text}", problems)
    name = _text(item, "name", where, problems) or name
    answer_map = _answer_map(item.get("answer_map"), f"{where} answer_map", problems)
    before = _before(item.get(BEFORE), prompt, f"{where} before", problems)
    return View(prompt, name, answer_map, before), _text(item, "answer", where, problems)


def _before(value: object, asked: Prompt, where: str, problems: Problems) -> Prompt:
    """What the model reads before a view: a text before a text, or messages that end with a reply."""
    if value is None or (isinstance(value, str) and isinstance(asked, str) and not isinstance(value, Number)):
        return value or ""
    if isinstance(value, list):
        return _messages(value, where, problems, last="assistant")
    problems.add("bad before", where, f"this is {_type(value)}", "write messages, or a text before a text")
    return ""


def _aliases(value: object, answer: str | None, where: str, problems: Problems) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        problems.add("bad aliases", where, "this is not a list of texts", 'like ["NYC", "New York"]')
        return ()
    if answer is None and value:
        problems.add("aliases without an answer", where, "there are aliases but no answer", "give the answer")
    if None in map(canonical, value):
        problems.add("bad aliases", where, "one of them has no letter or digit", "remove it")
    return tuple(str(item) for item in value)


def _answer_map(value: object, where: str, problems: Problems) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, Fields) or not value or not all(isinstance(v, str) for v in value.values()):
        problems.add("bad answer_map", where, "this does not map texts to texts", 'like {"A": "C", "C": "A"}')
        return None
    found = {str(view): str(own) for view, own in value.items()}
    keys = [canonical(view) for view in found]
    if None in keys or len(set(keys)) < len(keys) or None in map(canonical, found.values()):
        what = "two of its answers are the same, or one can't be read"
        problems.add("bad answer_map", where, what, "list each answer of the view once")
        return None
    return found


def _type(value: object) -> str:
    return "missing or null" if value is None else _TYPES.get(type(value), type(value).__name__)


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
    """The JSON object of a question, without fields that have their default."""
    first, *others = asked.views
    fields: dict[str, object] = {"id": asked.id, "question": first.text, "answer": asked.answer}
    if first.name != "view 1":
        fields["name"] = first.name
    fields["answer_map"] = None if first.answer_map is None else dict(first.answer_map)
    fields[BEFORE] = first.before or None
    views: list[dict[str, object]] = [{"text": view.text, "name": view.name} for view in others]
    for view, written in zip(others, views, strict=True):
        if view.answer_map is not None:
            written["answer_map"] = dict(view.answer_map)
        if view.before:
            written[BEFORE] = view.before
    fields |= {"views": views or None, "group": asked.group, "aliases": asked.aliases or None}
    return {name: value for name, value in fields.items() if value is not None}
