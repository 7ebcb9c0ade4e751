"""Weights that processes divide: kept and final models are whole, and one that is not is never kept in silence."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM

from alft.errors import CheckpointError
from alft.models.base import finite
from alft.rewards import scorer
from alft.storage import checkpoint
from alft.training.saving import check_whole, elements
from tests.training import divided, several_processes


@pytest.fixture(scope="module")
def launched(tiny_model, tmp_path_factory):
    """What a run over two processes of FSDP2 left, whose checkpoints would be sharded."""
    out = tmp_path_factory.mktemp("divided")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*torchrun, divided.__file__, "fsdp2", str(tiny_model), str(out)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return out, [json.loads((out / f"told-{rank}.json").read_text()) for rank in (0, 1)]


def test_each_process_held_half_of_the_weights(launched, tiny_model):
    whole = AutoModelForCausalLM.from_pretrained(tiny_model)
    for told in launched[1]:
        assert told["type"] == "DistributedType.FSDP"
        halves = [[len(each) // 2, *each.shape[1:]] for each in whole.parameters()]
        assert [shape for shape in told["local"] if shape in halves] == halves


@pytest.mark.parametrize("place", ["good/step-4", "final"])
def test_kept_and_final_models_are_whole(launched, place):
    trained, saved = torch.load(launched[0] / "weights.pt"), load_file(launched[0] / place / "model.safetensors")
    assert saved
    for name, weight in saved.items():
        torch.testing.assert_close(weight, trained[name], rtol=0, atol=0)
    assert [told["kept"] for told in launched[1]] == [[2, 4]] * 2


def test_they_are_what_one_process_trains(launched, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(scorer, "read", scorer.read)
    several_processes.read_texts_as_keys()
    trainer = several_processes.make(str(tiny_model), str(tmp_path), 1, beta=0.0)
    trainer.train()
    moved, start = 0.0, AutoModelForCausalLM.from_pretrained(tiny_model).state_dict()
    trained = torch.load(launched[0] / "weights.pt")
    for name, weight in trainer.model.state_dict().items():
        moved = max(moved, float((weight - start[name]).abs().max()))
        torch.testing.assert_close(trained[name], weight, rtol=0, atol=1e-6)
    assert moved > 1e-4


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
