"""Damage is told, whatever it is; what is written is whole or not there."""

import json
import os
import subprocess
import sys

import pytest

from alft.errors import CheckpointError, RunLockedError
from alft.storage.checkpoint import candidates, commit, damage, find_newest, prune, staging
from alft.storage.files import LOCK, locked

FILES = {
    "model.safetensors": b"weights" * 9,
    "optimizer.pt": b"moments",
    "rng_state.pth": b"dice",
    "good/a.bin": b"kept weights",
}


def save(folder, step):
    written = staging(folder) / f"checkpoint-{step}"
    for name, content in FILES.items():
        (written / name).parent.mkdir(parents=True, exist_ok=True)
        (written / name).write_bytes(content)
    return commit(written, folder)


def flip(path):
    content = bytearray(path.read_bytes())
    content[2:6] = bytes(byte ^ 0xFF for byte in content[2:6])
    path.write_bytes(content)


def shorten(path):
    path.write_bytes(path.read_bytes()[:-1])


DAMAGES = {  # reliability.md 1.2
    "missing optimizer": (lambda path: (path / "optimizer.pt").unlink(), "optimizer.pt is missing"),
    "missing random state": (lambda path: (path / "rng_state.pth").unlink(), "rng_state.pth is missing"),
    "four flipped bytes": (lambda path: flip(path / "model.safetensors"), "model.safetensors was changed"),
    "cut short": (lambda path: shorten(path / "model.safetensors"), "has 62 bytes instead of 63"),
    "a kept model changed": (lambda path: flip(path / "good/a.bin"), "good/a.bin was changed"),
    "sentinel": (
        lambda path: (path / "checkpoint-is-incomplete.txt").touch(),
        "checkpoint-is-incomplete.txt is not",
    ),
    "no manifest": (lambda path: (path / "manifest.json").unlink(), "never completed"),
    "cut manifest": (lambda path: shorten(path / "manifest.json"), "manifest.json can't be read"),
    "empty manifest": (lambda path: (path / "manifest.json").write_text(""), "manifest.json can't be read"),
    "emptied": (lambda path: [file.unlink() for file in path.rglob("*") if file.is_file()], "never completed"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_told_and_the_older_checkpoint_taken(tmp_path, kind):
    older, newer = save(tmp_path, 9), save(tmp_path, 10)
    assert find_newest(tmp_path).path == newer
    harm, told = DAMAGES[kind]
    harm(newer)
    found = find_newest(tmp_path)
    assert found.path == older
    (skipped,) = found.skipped
    assert skipped.where == str(newer)
    assert told in skipped.what


@pytest.mark.parametrize("place", range(3, 200, 13))
def test_a_manifest_changed_anywhere_is_not_believed(tmp_path, place):
    path = save(tmp_path, 1) / "manifest.json"
    content = bytearray(path.read_bytes())
    if chr(content[place]).isspace():
        return
    content[place] ^= 1
    path.write_bytes(content)
    assert damage(path.parent) is not None


def test_an_empty_newer_directory_is_skipped(tmp_path):
    good = save(tmp_path, 3)
    (tmp_path / "checkpoint-99").mkdir()
    assert find_newest(tmp_path).path == good


def test_none_valid_is_an_error_that_lists_them(tmp_path):
    for step in (1, 2):
        (save(tmp_path, step) / "optimizer.pt").unlink()
    with pytest.raises(CheckpointError, match="no checkpoint is valid") as caught:
        find_newest(tmp_path)
    assert [problem.where.rsplit("-", 1)[1] for problem in caught.value.problems] == ["2", "1"]


def test_no_checkpoint_at_all_is_none(tmp_path):
    staging(tmp_path)  # an interrupted first save
    assert find_newest(tmp_path).path is None
    assert find_newest(tmp_path / "nowhere").path is None


def test_the_last_valid_checkpoint_is_never_pruned(tmp_path):
    for step in (1, 2, 3):
        newest = save(tmp_path, step)
    (tmp_path / "checkpoint-99").mkdir()
    prune(newest, keep=2)
    assert [path.name for path in candidates(tmp_path)] == ["checkpoint-99", "checkpoint-3", "checkpoint-2"]
    prune(newest, keep=1)
    assert find_newest(tmp_path).path == newest


def test_a_damaged_checkpoint_is_replaced_by_the_same_step(tmp_path):
    (save(tmp_path, 1) / "optimizer.pt").unlink()
    assert damage(save(tmp_path, 1)) is None
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-1"]


def test_nothing_is_there_before_the_rename(tmp_path):
    written = staging(tmp_path) / "checkpoint-1"
    written.mkdir()
    assert candidates(tmp_path) == []
    assert list(staging(tmp_path).iterdir()) == []  # the next save clears what was left


HOLD = """
import sys
from pathlib import Path
from alft.storage.files import locked
with locked(Path(sys.argv[1])):
    print("in", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_and_a_dead_one_holds_nothing(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "in\n"
    with (
        pytest.raises(RunLockedError, match=f"another run is using this directory .process {holder.pid} on "),
        locked(tmp_path),
    ):
        pass
    holder.kill()
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()
    assert json.loads((tmp_path / LOCK).read_text())["pid"] == holder.pid  # stale
    with locked(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert not (tmp_path / LOCK).exists()
