"""Questions with their views: read strictly, checked, compared, written. Light: pyarrow for Parquet only."""

from alft.questions.model import DataWarning, Message, Prompt, Question, View, digest, normalised, overlap
from alft.questions.options import lettered
from alft.questions.presets import PRESETS
from alft.questions.sources import AnswerRule, dump_questions, load_questions
from alft.questions.views import MAKERS, instructed, permuted, programmed, suspects, templated, with_views

__all__ = [
    "MAKERS",
    "PRESETS",
    "AnswerRule",
    "DataWarning",
    "Message",
    "Prompt",
    "Question",
    "View",
    "digest",
    "dump_questions",
    "instructed",
    "lettered",
    "load_questions",
    "normalised",
    "overlap",
    "permuted",
    "programmed",
    "suspects",
    "templated",
    "with_views",
]
