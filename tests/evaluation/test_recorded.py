"""A run's directory read back: what a run was allowed to begin with, it can be read with."""

import pytest

from alft.errors import DataError
from alft.evaluation.recorded import read_recorded
from alft.questions import Question, View, dump_questions


def test_a_run_with_gold_answers_to_some_questions_is_read_back(tmp_path):
    views = (View("one a?", "view 1"), View("one b?", "view 2"))
    asked = [Question("a", views, "1"), Question("b", views[:1], None)]
    dump_questions(asked, tmp_path / "questions.jsonl")
    recorded = read_recorded(tmp_path)
    assert list(recorded.questions.values()) == asked
    with pytest.raises(DataError, match="holds no measured completions — let the run end, or run it again"):
        print(recorded.latest)
