"""Questions with their views: read strictly, checked, compared, written. Light: pyarrow for Parquet only."""

from alft.questions.loading import AnswerRule, load_questions
from alft.questions.making import PERMUTED, item_problems, made_views, more_views
from alft.questions.model import DataWarning, Message, Prompt, Question, View, digest, normalised, overlap
from alft.questions.options import lettered
from alft.questions.presets import PRESETS
from alft.questions.pull_back import pull_back
from alft.questions.sources import Source, SourceOptions, source_of
from alft.questions.views import MAKERS, instructed, permuted, programmed, suspects, templated, with_views
from alft.questions.writing import dump_questions

__all__ = [
    "MAKERS",
    "PERMUTED",
    "PRESETS",
    "AnswerRule",
    "DataWarning",
    "Message",
    "Prompt",
    "Question",
    "Source",
    "SourceOptions",
    "View",
    "digest",
    "dump_questions",
    "instructed",
    "item_problems",
    "lettered",
    "load_questions",
    "made_views",
    "more_views",
    "normalised",
    "overlap",
    "permuted",
    "programmed",
    "pull_back",
    "source_of",
    "suspects",
    "templated",
    "with_views",
]
