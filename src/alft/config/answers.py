"""The part of a configuration that says what counts as an answer, and as the same answer."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Annotated, Any, Literal, Self

from pydantic import field_validator

from alft.answers import AnswerPolicy, KeyPolicy, ReadPolicy, shared_kind
from alft.answers import policy as choices
from alft.answers.custom import bounded_pattern, reader_of
from alft.config.section import Section, checked, setting
from alft.user_code import code_path


class AnswersConfig(Section):
    """How completions are read and answers compared, everywhere in a run: docs/answers.md."""

    percent: choices.Percent = setting("keep", "50%: its own answer, 1/2 (scale), or 50 (drop)")
    units: choices.Kept = setting("keep", "5 cm and 5 apples: their own answers, or 5 (drop)")
    currency: choices.Dropped = setting("drop", "$18: 18, or its own answer (keep)")
    decimal: choices.Decimal = setting("point", "1,234.5 is a number, or 1.234,5 (comma)")
    assignment: choices.Dropped = setting("drop", "x = 5: 5, or its own answer (keep)")
    lists: choices.Lists = setting("unordered", "whether 2, 1 is the set {1, 2}")
    tuples: choices.Tuples = setting("ordered", "whether (2, 1) is the set {1, 2} (set)")
    case: choices.Case = setting("fold", "whether PARIS is Paris (fold), or not (keep)")
    pattern: Annotated[str, checked(bounded_pattern)] | None = setting(
        None, "your own expression for the answer: its last match goes before all marks"
    )
    unmarked: choices.Unmarked = setting("unread", "what is read where nothing is marked; last number: a guess")
    box: choices.Box = setting("last", "which of several boxes counts; same: if all are alike")
    thinking: choices.Thinking = setting("ignore", "whether answers inside thinking count (read)")
    truncated: choices.Truncated = setting("unread", "completions cut off at max_new_tokens: unread, or read")
    kind: choices.Kind | None = setting(None, "kind of answers read; default: that of all gold answers, else any")
    marks: list[str] = setting([], "your own phrases before an answer, like 'Result:'")
    reader: Annotated[str, checked(code_path)] | None = setting(
        None, "path.py:name, your function from a completion's text to its answer, or None"
    )
    second_opinion: Literal["math_verify"] | None = setting(
        None, "asked by evaluate, never in training, about formulas that differ from gold"
    )

    @field_validator("marks")
    @classmethod
    def _spoken(cls, marks: list[str]) -> list[str]:
        if not all(mark.strip() for mark in marks):
            raise ValueError("an empty phrase stands before everything")
        return marks

    def suited_to(self, golds: Iterable[str]) -> Self:
        """The section with `kind` filled: that of all gold answers, `any` for your own pattern or reader."""
        own = self.pattern is not None or self.reader is not None
        kind = self.kind or ("any" if own else shared_kind(golds))
        return self.model_copy(update={"kind": kind})

    @property
    def policy(self) -> AnswerPolicy:
        """The policy for the functions of `alft.answers`; loads and tries the reader, once."""
        if self.reader is not None:
            reader_of(self.reader)
        chosen: dict[str, Any] = self.model_dump(exclude={"second_opinion"}) | {"kind": self.kind or "any"}
        reading = {field.name: chosen.pop(field.name) for field in fields(ReadPolicy)}
        return AnswerPolicy(KeyPolicy(**chosen), ReadPolicy(**reading))
