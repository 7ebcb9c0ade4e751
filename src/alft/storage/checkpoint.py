"""Checkpoints on disk: whole or not there, and never used unless every byte is what was written.

    checkpoints/checkpoint-20/   the trainer's files, ours, and manifest.json: size and sha256 of each
    checkpoints/.saving/         the one being written, renamed when all of it is on the disk

A checkpoint is written to `.saving`, hashed, synchronised and renamed, so that a process killed at any moment
leaves the earlier ones as they were. Which is the newest is decided by its step, never by a clock.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from alft.errors import CheckpointError, Problem
from alft.storage.files import sync

MANIFEST = "manifest.json"
STAGING = ".saving"
NEVER_LOADED = ("training_args.bin",)  # a pickle of live objects; nothing here reads pickles
_NAME = re.compile(r"checkpoint-\d+")


class Remembers:
    """An object whose attributes `remembered` decide how a run continues; JSON can hold them."""

    remembered: ClassVar[tuple[str, ...]]

    def state_dict(self) -> dict[str, Any]:
        """What is remembered, by name."""
        return {name: deepcopy(getattr(self, name)) for name in self.remembered}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""
        for name in self.remembered:
            setattr(self, name, deepcopy(state[name]))


@dataclass(frozen=True)
class Found:
    """The newest valid checkpoint, None if there is none, and what newer ones were found damaged."""

    path: Path | None
    skipped: tuple[Problem, ...] = ()


def staging(folder: Path) -> Path:
    """An empty place to write a checkpoint of `folder` to; what an interrupted save left there is removed."""
    place = folder / STAGING
    discard(place)
    place.mkdir(parents=True)
    return place


def commit(written: Path, folder: Path) -> Path:
    """Move a checkpoint, written whole, from staging to `folder`; returns where it is now."""
    for name in NEVER_LOADED:
        (written / name).unlink(missing_ok=True)
    paths = {name: written / name for name in _files(written)}
    files = {name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for name, path in paths.items()}
    manifest = {"files": files, "digest": _digest_of(files)}
    (written / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    for place in (*written.rglob("*"), written):
        sync(place)
    final = folder / written.name
    if final.exists():  # one that was damaged, or the same step again after a resume
        final.rename(written.with_name("replaced"))
    written.rename(final)
    sync(folder)
    discard(folder / STAGING)
    return final


def find_newest(folder: Path) -> Found:
    """The newest valid checkpoint of `folder`, looking from newest to oldest.

    Raises CheckpointError if there are checkpoints and none of them is valid: starting again without a word
    would lose a run.
    """
    skipped: list[Problem] = []
    for path in candidates(folder):
        if (what := damage(path)) is None:
            return Found(path, tuple(skipped))
        skipped.append(Problem(str(path), what))
    if skipped:
        *others, last = skipped
        remedy = f"restore one from a copy, or start over with --overwrite (else: remove {folder})"
        raise CheckpointError([*others, Problem(last.where, f"{last.what}; no checkpoint is valid", remedy)])
    return Found(None)


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint: files missing, added, cut or changed; None if it is as it was written.

    Hidden files that it was not written with (a file system's, an editor's) are ignored.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        listed, digest = manifest["files"], manifest["digest"]
        if digest != _digest_of(listed):
            return f"{MANIFEST} was changed"
        there = {name: path / name for name in _files(path)}
        added = [name for name in there if name not in listed and not any(p[0] == "." for p in Path(name).parts)]
        wrong = [f"{name} is missing" for name in sorted(listed.keys() - there.keys())]
        if wrong := wrong + [f"{name} is not its own" for name in added]:
            return "; ".join(wrong)
        return next(_changed({name: there[name] for name in listed}, listed), None)
    except FileNotFoundError:
        return f"it has no {MANIFEST}: it was never completed"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{MANIFEST} can't be read ({error})"


def candidates(folder: Path) -> list[Path]:
    """Checkpoints of a folder, valid or not, the one of the latest step first."""
    return sorted((path for path in folder.glob("*") if _NAME.fullmatch(path.name)), key=step_of, reverse=True)


def step_of(path: Path) -> int:
    """The optimiser step at which a checkpoint was made.

    >>> step_of(Path("checkpoint-20"))
    20
    """
    return int(path.name.removeprefix("checkpoint-"))


def prune(newest: Path, keep: int, best: str | None = None) -> None:
    """Remove checkpoints older than the `keep` last ones up to `newest`, which was just written and is valid.

    The `best` one, if a trainer knows one, stays too.
    """
    older = [path for path in candidates(newest.parent) if step_of(path) < step_of(newest)]
    for path in older[max(keep - 1, 0) :]:
        if best is None or path != Path(best):
            discard(path)


def discard(path: Path) -> None:
    """Remove a directory, if it is there."""
    if path.exists():
        shutil.rmtree(path)


def _digest_of(files: Any) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def _files(path: Path) -> list[str]:
    """Names of all files of a checkpoint, sorted. PyTorch's sharded checkpoints need their hidden `.metadata`."""
    found = (file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    return sorted(name for name in found if name != MANIFEST)


def _changed(there: dict[str, Path], listed: dict[str, Any]) -> Iterator[str]:
    for name, path in there.items():
        if path.stat().st_size != listed[name]["bytes"]:
            yield f"{name} has {path.stat().st_size} bytes instead of {listed[name]['bytes']}"
    for name, path in there.items():
        if sha256(path) != listed[name]["sha256"]:
            yield f"{name} was changed (its sha256 is another)"


def sha256(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
