"""A local model as a writer of drafts: batch by batch, and never loaded for what is on disk."""

import pytest

from alft.completions import Completion as Draft
from alft.models import writers
from alft.models.writers import LocalWriter
from alft.questions import Question, View
from alft.questions.paraphrase import DraftCache, paraphrased
from alft.verbs.questions import _counting
from tests.evaluation.tiny import model, tokenizer


@pytest.fixture
def directory(tmp_path):
    model().save_pretrained(tmp_path / "model")
    tokenizer().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_drafts_come_batch_by_batch(directory, monkeypatch):
    monkeypatch.setattr(writers, "BATCH", 2)
    told = list(LocalWriter(directory, max_new_tokens=5).write({"a": "x", "b": "x", "c": "y"}))
    assert [key for key, _ in told] == ["a", "b", "c"]
    assert all(isinstance(draft, Draft) for _, draft in told)
    assert told[0][1] != told[1][1]


def test_a_second_run_does_not_load_the_model(directory, tmp_path, monkeypatch):
    asked = [Question("a", (View("how many?", "view 1"),))]
    first = paraphrased(asked, 1, DraftCache(tmp_path / "cache", LocalWriter(directory, 5)))
    monkeypatch.setattr("alft.models.loading.load_model", lambda config: pytest.fail("the model was loaded"))
    assert paraphrased(asked, 1, DraftCache(tmp_path / "cache", LocalWriter(directory, 5))) == first
    assert LocalWriter(directory, 6).identity != LocalWriter(directory, 5).identity


def test_progress_is_reported_within_a_batch_and_ends_at_the_last_draft(directory, tmp_path, monkeypatch):
    """Of a model of noise every draft is rejected: it is asked for three times."""
    monkeypatch.setattr(writers, "BATCH", 2)
    seen: list[float] = []
    cache = DraftCache(tmp_path / "cache", LocalWriter(directory, 5))
    asked = [Question(name, (View(f"how many {name}?", "view 1"),)) for name in "abc"]
    made = paraphrased(asked, 1, cache, _counting(cache, seen.append))
    assert len(made.rejected) == 9
    assert max(seen) == seen[-1] == 1.0
    assert any(0 < share < 1 / 3 for share in seen)
