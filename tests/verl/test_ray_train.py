"""examples/ray_train.py: the trainer under Ray Train, on two CPU workers."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from safetensors import safe_open

from alft import starter

EXAMPLE = Path(__file__).parents[2] / "examples" / "ray_train.py"


def test_the_example_stays_short():
    assert len(EXAMPLE.read_text().splitlines()) <= 80


@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install 'alft[ray]'")
def test_two_workers_train_one_model(tmp_path):
    command = [sys.executable, str(EXAMPLE), "--steps", "2", "--questions", "8", "--storage", str(tmp_path)]
    source = str(EXAMPLE.parents[1] / "src")
    environment = os.environ | {"PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=570)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["processes"] == 2
    assert len(found["agreement"]) == 2
    before, after = (
        safe_open(Path(folder, "model.safetensors"), "np") for folder in (starter.model_path(), found["model"])
    )
    names = set(before.keys()) & set(after.keys())
    assert len(names) > 10
    changed = [name for name in names if (before.get_tensor(name) != after.get_tensor(name)).any()]
    assert changed
