"""Answers: completion → text (`extract`) → key (`canonical`) → outcome (`grade`). Standard library only.

An unread answer is None everywhere, and is never equal to another.
"""

from alft.answers.extraction import Completion, Extraction, Unread, completion_text, extract, read
from alft.answers.grading import LETTERS, Outcome, answer_key, gold_keys, gold_set, grade, key_in_space
from alft.answers.keys import canonical, kind, shared_kind
from alft.answers.policy import DEFAULT, MARKED, USUAL, AnswerPolicy, KeyPolicy, ReadPolicy

__all__ = [
    "DEFAULT",
    "LETTERS",
    "MARKED",
    "USUAL",
    "AnswerPolicy",
    "Completion",
    "Extraction",
    "KeyPolicy",
    "Outcome",
    "ReadPolicy",
    "Unread",
    "answer_key",
    "canonical",
    "completion_text",
    "extract",
    "gold_keys",
    "gold_set",
    "grade",
    "key_in_space",
    "kind",
    "read",
    "shared_kind",
]
