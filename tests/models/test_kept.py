"""Completions kept on disk: asked once, read back the same, and never taken for those of another request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from alft.config.schema import ModelConfig
from alft.models import loading
from alft.models.base import Sampling
from alft.models.kept import KeptModel
from alft.models.loading import as_stored, load_model
from alft.models.local import LocalModel

ASKED = ["What is 1 + 2?", "What is 2 + 2?"]
SAMPLING = Sampling(samples=3, max_new_tokens=6, seed=4)


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return LocalModel(*load_model(ModelConfig()), "starter")


def kept(model: LocalModel, folder: Path, digest: str = "a") -> KeptModel:
    return KeptModel(model, folder, digest)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def test_a_second_run_reads_what_the_first_was_told(model: LocalModel, tmp_path: Path) -> None:
    told = kept(model, tmp_path).complete(ASKED, SAMPLING)
    assert told == model.complete(ASKED, SAMPLING)
    [path] = files(tmp_path)
    written = path.stat().st_mtime_ns
    assert kept(model, tmp_path).complete(ASKED, SAMPLING) == told
    assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    "other",
    [
        lambda model, folder: kept(model, folder, "b").complete(ASKED, SAMPLING),
        lambda model, folder: kept(model, folder).complete(ASKED[:1], SAMPLING),
        lambda model, folder: kept(model, folder).complete(ASKED[::-1], SAMPLING),
        lambda model, folder: kept(model, folder).complete(ASKED, replace(SAMPLING, seed=5)),
        lambda model, folder: kept(model, folder).complete(ASKED, replace(SAMPLING, greedy=True)),
        lambda model, folder: kept(model, folder).complete(ASKED, replace(SAMPLING, stop=["."])),
    ],
    ids=["model", "fewer prompts", "order", "seed", "greedy", "stop"],
)
def test_another_request_has_a_file_of_its_own(model: LocalModel, tmp_path: Path, other) -> None:
    kept(model, tmp_path).complete(ASKED, SAMPLING)
    other(model, tmp_path)
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("damage", ["", "[[", "{}", "[]", "[[1]]", "null"])
def test_a_damaged_file_is_written_again(model: LocalModel, tmp_path: Path, damage: str) -> None:
    told = kept(model, tmp_path).complete(ASKED, SAMPLING)
    [path] = files(tmp_path)
    path.write_text(damage)
    assert kept(model, tmp_path).complete(ASKED, SAMPLING) == told
    assert kept(model, tmp_path).complete(ASKED, SAMPLING) == told


@pytest.fixture
def halved(tmp_path: Path) -> ModelConfig:
    """A checkpoint in 16 bits."""
    network, tokenizer = load_model(ModelConfig())
    network.to(torch.bfloat16).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return ModelConfig(path=str(tmp_path))


def test_weights_come_back_exactly(halved: ModelConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "fast_bfloat16", lambda: True)
    trained, _ = load_model(halved, trained=True)
    before = {name: each.clone() for name, each in trained.named_parameters()}
    with as_stored(halved, trained):
        assert {each.dtype for each in trained.parameters()} == {torch.bfloat16}
    assert {each.dtype for each in trained.parameters()} == {torch.float32}
    assert all(torch.equal(each, before[name]) for name, each in trained.named_parameters())


def test_16_bits_are_computed_in_where_that_is_fast_or_asked_for(
    halved: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = halved.model_copy(update={"dtype": "bfloat16"})
    found = {}
    for fast in (True, False):
        monkeypatch.setattr(loading, "fast_bfloat16", lambda fast=fast: fast)
        found[fast] = loading.precision(halved), loading.precision(asked), load_model(halved)[0].dtype
    assert found[True] == ("bfloat16", "bfloat16", torch.bfloat16)
    assert found[False] == ("float32", "bfloat16", torch.float32)
