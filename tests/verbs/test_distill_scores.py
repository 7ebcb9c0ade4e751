"""`alft distill` scores what views borrow, since the model that it trains is at hand."""

import shutil

import numpy as np
import pytest

import alft
from alft import starter
from alft.config.schema import ModelConfig
from alft.offline import read_samples
from alft.offline.scores import scorer
from alft.verbs.distill import Distilling
from alft.verbs.sample import Draw
from alft.verbs.solve import GameChoice


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """Completions of a model that is not called built-in: the built-in one, copied."""
    folder = tmp_path_factory.mktemp("scored")
    shutil.copytree(starter.model_path(), folder / "model")
    config = {"model": {"path": str(folder / "model")}, "data": {"path": "starter", "size": 6}}
    alft.sample(folder / "samples.parquet", config, draw=Draw(samples=4))
    return folder


def test_views_borrow_by_the_score_of_the_model_that_is_trained(sampled):
    path = sampled / "samples.parquet"
    alft.distill(path, sampled / "scored", Distilling(epochs=0.1), GameChoice(power=4.0))
    samples = read_samples(path)
    scores = scorer(samples, ModelConfig(path=str(sampled / "model")))(samples)
    assert np.array_equal(np.load(sampled / "scored" / "scores.npy"), scores)
    alft.distill(path, sampled / "unscored", Distilling(epochs=0.1, scored=False), GameChoice(power=4.0))
    assert not (sampled / "unscored" / "scores.npy").exists()
    models = [(sampled / name / "model" / "model.safetensors").read_bytes() for name in ("scored", "unscored")]
    assert models[0] != models[1]
