"""Weights that processes divide: one that is not whole is never kept in silence."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from alft.errors import CheckpointError
from alft.models.base import finite
from alft.storage import checkpoint
from alft.training.saving import check_whole, elements


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        ("nothing", None),
        ("a tensor", "0.weight"),
        ("elements", "has 6 of 8 weights"),
        ("the file", "has 0 of 8 weights"),
    ],
)
def test_a_model_that_is_not_whole_is_refused(tmp_path, lost, told):
    model = nn.Sequential(nn.Linear(3, 2))
    state = model.state_dict()
    if lost == "a tensor":
        state["0.weight"] = torch.empty(0)
    if lost == "elements":
        del state["0.bias"]
    if lost != "the file":
        save_file(state, tmp_path / "model.safetensors")
    if told is None:
        return check_whole(tmp_path, elements(model))
    with pytest.raises(CheckpointError, match=told) as error:
        check_whole(tmp_path, elements(model))
    assert str(tmp_path) in str(error.value)
    assert "zero3_save_16bit_model" in str(error.value)


def test_weights_left_empty_by_zero3_are_judged_by_what_is_there():
    layer = nn.Linear(2, 2, bias=False)
    layer.weight.ds_tensor, layer.weight.ds_numel = torch.tensor([1.0, torch.nan]), 4
    layer.weight.data = torch.empty(0)
    assert not finite(layer)
    assert elements(layer) == 4
    layer.weight.ds_tensor = torch.ones(2)
    assert finite(layer)


def test_hidden_files_of_a_checkpoint_are_its_own(tmp_path):
    written = checkpoint.staging(tmp_path) / "checkpoint-1"
    (written / "model_0").mkdir(parents=True)
    (written / "model_0" / ".metadata").write_text("where each shard is")
    path = checkpoint.commit(written, tmp_path)
    (path / ".DS_Store").write_text("of a file browser")
    assert checkpoint.damage(path) is None
    (path / "model_0" / ".metadata").write_text("where each shard was")
    assert ".metadata" in str(checkpoint.damage(path))
    (path / "model_0" / ".metadata").unlink()
    assert ".metadata is missing" in str(checkpoint.damage(path))
