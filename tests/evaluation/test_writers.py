"""A local model as a writer of drafts: batch by batch, and never loaded for what is on disk."""

import pytest

from alft.models import writers
from alft.models.writers import LocalWriter
from alft.questions import Question, View
from alft.questions.paraphrase import Draft, DraftCache, paraphrased
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


def test_progress_is_reported_within_a_batch(directory):
    writer, seen = LocalWriter(directory, max_new_tokens=5), []
    writer.step = lambda done, of: seen.append((done, of))
    list(writer.write({"a": "x", "b": "y"}))
    assert seen == sorted(seen)
    assert seen[-1] == (2, 2)
    assert any(0 < done < 2 for done, _ in seen)
