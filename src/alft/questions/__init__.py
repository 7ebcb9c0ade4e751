"""Questions with their views: read strictly, checked, compared and written. Only Parquet needs pyarrow."""

from alft.errors import DataWarning
from alft.questions.fields import Source, SourceOptions
from alft.questions.loading import AnswerRule, load_questions
from alft.questions.model import (
    BOXED,
    Prompt,
    Question,
    View,
    digest,
    overlap,
    pull_back,
    with_examples,
    with_instruction,
)
from alft.questions.options import lettered
from alft.questions.presets import PRESETS
from alft.questions.rows import dump_questions
from alft.questions.sources import source_of
from alft.questions.views import (
    MAKERS,
    PERMUTED,
    instructed,
    item_problems,
    made_views,
    more_views,
    permuted,
    programmed,
    suspects,
    templated,
    with_views,
)

__all__ = [
    "BOXED",
    "MAKERS",
    "PERMUTED",
    "PRESETS",
    "AnswerRule",
    "DataWarning",
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
    "overlap",
    "permuted",
    "programmed",
    "pull_back",
    "source_of",
    "suspects",
    "templated",
    "with_examples",
    "with_instruction",
    "with_views",
]
