"""A question and its views: the same question asked in several ways, with answers in one space."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from alft.answers import canonical, kind
from alft.errors import DataError, Problem
from alft.questions.options import answer_maps, options_of, own_letters, shown_options, text_keys
from alft.text import visible

Message = dict[str, str]  # {"role": "user", "content": "…"}
Prompt = str | tuple[Message, ...]

BOXED = "Reason step by step, and put your final answer within \\boxed{}."
"""The instruction that the commands add to questions for a model other than the built-in ones."""


@dataclass(frozen=True)
class View:
    """One way to ask a question: a `text` (or chat messages) with a name.

    `answer_map` maps answers of this view to those of the question; None where they are the same. `before` is what
    the model reads before the text and is no part of the question: solved examples, as text or messages.
    """

    text: Prompt
    name: str
    answer_map: Mapping[str, str] | None = None
    before: Prompt = ""

    @property
    def prompt(self) -> Prompt:
        """What a model is asked: the text behind what is before it; a system message stays first."""
        if not self.before:
            return self.text
        if isinstance(self.before, str) and isinstance(self.text, str):
            return self.before + self.text
        chat = as_chat(self.text)
        head = int(chat[0]["role"] == "system")
        return (*chat[:head], *as_chat(self.before), *chat[head:])


@dataclass(frozen=True)
class Question:
    r"""One question: its `views` (the first is the question as given), its gold answer and its place.

    `answer` is the gold answer as text, or None; `aliases` are other right answers; `group` is its group in games
    of parity; `where` (file:line) is where it was read, for messages only.

    A view without `answer_map` that lists the question's options under other letters gets the map that the texts
    of the options give. Raises DataError if the texts are not enough, or if a map merges two options of a view.

    >>> Question("a", (View("Where is it?", "view 1"),), "New York City", aliases=("NYC",)).gold
    ('New York City', 'NYC')
    >>> views = View("Where?\nA. Rome\nB. Paris", "view 1"), View("Where?\nA. Paris\nB. Rome", "view 2")
    >>> Question("a", views).views[1].answer_map
    {'A': 'B', 'B': 'A'}
    """

    id: str
    views: tuple[View, ...]
    answer: str | None = None
    group: str | None = None
    aliases: tuple[str, ...] = ()
    where: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        views = tuple(self.views)
        listed = [shown_options(text_of(view.text)) for view in views]
        given = [view.answer_map for view in views]
        if any(listed) or any(given):
            maps, faults = answer_maps(listed, given, self.gold)
            if faults:
                wrong = ((f"{self.place}, {views[at].name} answer_map", fault) for at, fault in faults.items())
                raise DataError([Problem(where, *fault) for where, fault in wrong])
            views = tuple(replace(view, answer_map=found) for view, found in zip(views, maps, strict=True))
        object.__setattr__(self, "views", views)

    @property
    def place(self) -> str:
        """The place and id of the question, for messages."""
        return f"{self.where} question '{visible(self.id, 80)}'".strip()

    @property
    def gold(self) -> tuple[str, ...]:
        """The answer and its aliases; empty without an answer."""
        return () if self.answer is None else (self.answer, *self.aliases)

    @property
    def spellings(self) -> Iterator[str]:
        """What completions may answer as far as it is known: gold, and what the views' maps translate."""
        yield from self.gold
        for view in self.views:
            yield from view.answer_map or ()


def text_of(prompt: Prompt) -> str:
    """Text of a prompt; of chat messages, the last one."""
    return prompt if isinstance(prompt, str) else prompt[-1]["content"]


def as_chat(prompt: str | Sequence[Message]) -> list[Message]:
    """The prompt as chat messages: a text is what the user says."""
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)


def as_text(prompt: Prompt) -> str:
    """The prompt as one text: chat messages each behind its role."""
    return prompt if isinstance(prompt, str) else "\n".join(f"{one['role']}: {one['content']}" for one in prompt)


def with_text(prompt: Prompt, text: str) -> Prompt:
    """The prompt with another text; of chat messages, in the last one."""
    return text if isinstance(prompt, str) else (*prompt[:-1], {**prompt[-1], "content": text})


def normalised(prompt: Prompt) -> str:
    r"""Text of a prompt for finding duplicates: NFKC and single spaces; letter case and punctuation count.

    >>> normalised("How  many?\n") == normalised("How many?")
    True
    """
    if not isinstance(prompt, str):
        return "\n".join(f"{message['role']}: {normalised(message['content'])}" for message in prompt)
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", prompt)).strip()


def overlap(first: Iterable[Question], second: Iterable[Question]) -> list[tuple[str, str]]:
    """Pairs (id in first, id in second) of questions that share a view's text, apart from letter case.

    >>> ask = lambda id, text: Question(id, (View(text, "view 1"),))
    >>> overlap([ask("a", "How many?"), ask("b", "Why?")], [ask("c", "how  many?")])
    [('a', 'c')]
    """
    seen: dict[str, str] = {}
    for question in first:
        for view in question.views:
            seen.setdefault(normalised(view.text).casefold(), question.id)
    pairs: dict[tuple[str, str], None] = {}
    for question in second:
        for view in question.views:
            if (match := seen.get(normalised(view.text).casefold())) is not None:
                pairs[match, question.id] = None
    return list(pairs)


def digest(questions: Sequence[Question], *, answers: bool = True) -> str:
    """SHA-256 of the questions in their order; with `answers=False`, of what a label-free run sees.

    >>> q = Question("a", (View("1+1?", "view 1"),), answer="2")
    >>> unlabelled = [Question("a", q.views)]
    >>> digest([q]) == digest(unlabelled), digest([q], answers=False) == digest(unlabelled)
    (False, True)
    """
    content = hashlib.sha256()
    for question in questions:
        row = [
            question.id,
            [[view.name, view.prompt, dict(view.answer_map or {})] for view in question.views],
            list(question.gold) if answers else [],
            question.group,
        ]
        content.update(json.dumps(row, sort_keys=True).encode("ascii") + b"\n")
    return content.hexdigest()


def pull_back(question: Question, view: View) -> dict[str, str] | None:
    r"""The view's `answer_map`, with letter and text of each option that it lists; None without either.

    A model may answer `B`, `B. Paris` or `Paris`: all map to the option's letter in the question itself. Options
    are ignored where the gold answer is not one of their letters, and so are texts that two options share.

    >>> asked = Question("a", (View("Where?\nA. Rome\nB. Paris", "view 1"),), "B")
    >>> pull_back(asked, asked.views[0])
    {'A': 'A', 'B': 'B', 'Rome': 'A', 'Paris': 'B'}
    """
    given = dict(view.answer_map or {})
    listed = options_of(text_of(view.text))
    letters = own_letters(listed, given)
    of_letters = {canonical(answer) for answer in given} <= letters.keys()
    answered = question.answer is None or not set(letters.values()).isdisjoint(map(canonical, question.gold))
    if not letters or not of_letters or not answered:
        return given or None
    telling = text_keys(listed)
    texts = {text: letters[letter] for letter, text in listed if letter in telling and kind(text) != "option"}
    return letters | texts


def json_map(question: Question, view: View) -> str | None:
    """`pull_back` as JSON; None where there is no map."""
    pulled = pull_back(question, view)
    return None if pulled is None else json.dumps(pulled)


def with_instruction(question: Question, instruction: str | None) -> Question:
    """The question with an instruction on a line of its own at the end of every view; unchanged without one."""
    if not instruction:
        return question
    views = (
        replace(view, text=with_text(view.text, f"{text_of(view.text)}\n{instruction}")) for view in question.views
    )
    return replace(question, views=tuple(views))


def with_examples(question: Question, examples: Sequence[Question], *, plain: bool = False) -> Question:
    r"""The question with solved examples before every view (few-shot): turns of a conversation, or `plain` text.

    An example is a text with an answer, written as the model should answer. It is shown in its view of the same
    name, if the answers of that view are its own, else in its first. A text and its answer are on one line where
    the text is one, or ends with a colon; a blank line comes between examples of several lines. Chat messages stay
    messages.

    >>> asked, shown = Question("a", (View("up?", "view 1"),)), Question("b", (View("hot?", "view 1"),), "cold")
    >>> with_examples(asked, [shown], plain=True).views[0].prompt
    'hot? cold\nup?'
    >>> [message["content"] for message in with_examples(asked, [shown]).views[0].prompt]
    ['hot?', 'cold', 'up?']
    """
    views = []
    for view in question.views:
        shown = [(_as_asked(example, view.name), str(example.answer)) for example in examples]
        as_text = plain and isinstance(view.text, str)
        views.append(replace(view, before=_lines(shown, view.text) if as_text else _turns(shown)))
    return replace(question, views=tuple(views)) if examples else question


def _as_asked(example: Question, name: str) -> str:
    first, *others = example.views
    same = [view for view in (first, *others) if view.name == name and view.answer_map is None]
    return text_of((same or [first])[0].text)


def _turns(shown: Iterable[tuple[str, str]]) -> tuple[Message, ...]:
    said = (turn for pair in shown for turn in zip(("user", "assistant"), pair, strict=True))
    return tuple({"role": role, "content": content} for role, content in said)


def _lines(shown: Iterable[tuple[str, str]], text: Prompt) -> str:
    blocks = [f"{asked}{_gap(asked)}{answer}" for asked, answer in shown]
    end = "\n\n" if any("\n" in each for each in (*blocks, text)) else "\n"
    return "".join(block + end for block in blocks)


def _gap(asked: str) -> str:
    if asked[-1:].isspace():
        return ""
    return "\n" if "\n" in asked and not asked.endswith(":") else " "
