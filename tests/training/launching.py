"""`alft train` on a tiny random model in processes of its own, forked from a server that has done the imports.

The game is a limit by the user's own Python, which has a state and an effect although the model marks no answer;
it can hold a step until it is let go, so that a signal arrives in the middle of one.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import resource
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.training import train_launched

FLAG = """
import os
import time
from pathlib import Path

HERE = Path(__file__).parent

def letters(text, key):
    training = "ALFT_HELD" in os.environ and (HERE / "runs" / "run" / "checkpoints").exists()
    while training and (HERE / "hold").exists():
        (HERE / "held").touch()
        time.sleep(0.01)
    return any(letter.isascii() and letter.isalpha() for letter in text)
"""
GRACE = 240  # seconds after which a process counts as hung


def prepare(folder: Path, model: Path) -> list[str]:
    """Questions, a limit and settings in `folder`; returns the arguments of `alft`."""
    rows = [{"id": f"q{i}", "question": f"{i}?", "views": [f"and {i}?"], "answer": "1"} for i in range(7)]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "flag.py").write_text(FLAG)
    values = {
        "model": {"path": str(model)},
        "data": {"path": str(folder / "questions.jsonl"), "held_out": 1, "instruction": ""},
        "game": "majority",
        "constraints": [{"function": f"{folder / 'flag.py'}:letters", "at_most": 0.0}],
        "training": {
            "steps": 6,
            "questions_per_step": 2,
            "samples": 4,
            "learning_rate": 0.01,
            "schedule": "constant",
            "max_new_tokens": 4,
            "threads": 1,
            "checkpoint_every": 1,
        },
        "evaluation": {"samples": 1},
        "watch": {"enabled": False},
        "output": {"directory": str(folder / "runs"), "name": "run"},
    }
    (folder / "run.yaml").write_text(json.dumps(values))
    return ["train", str(folder / "run.yaml")]


def start(arguments: list[str], log: Path, largest_file: int | None = None) -> Any:
    """A process of `alft` with these arguments, whose output is added to `log`."""
    return _forked(_alft, arguments, log, largest_file)


def start_two(
    arguments: list[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    main: Callable[[], None] = train_launched.main,
) -> list[Any]:
    """Two processes of `main`, as `torchrun` sets their environment; what both print is added to folder/log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = [{**both, **(environment or {}), "RANK": each, "LOCAL_RANK": each} for each in ("0", "1")]
    return [_forked(_rank, main, arguments, folder / "log", each) for each in ranks]


def _forked(work: Callable[..., None], *arguments: Any) -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["alft.cli.main", "alft.training.run", "alft.reporting"])
    process = context.Process(target=work, args=arguments)
    process.start()
    return process


def finish(arguments: list[str], log: Path, largest_file: int | None = None) -> int | None:
    """The exit code of `alft` with these arguments."""
    process = start(arguments, log, largest_file)
    process.join(GRACE)
    return process.exitcode


def wait_for(path: Path, process: Any) -> None:
    """Until a file is there, which a process makes."""
    deadline = time.monotonic() + GRACE
    while not path.exists():
        if process.exitcode is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{path.name} never came; exit code {process.exitcode}")
        time.sleep(0.01)


def wait_for_text(text: str, path: Path, process: Any) -> None:
    """Until a process has written a text into a file."""
    deadline = time.monotonic() + GRACE
    while not path.exists() or text not in path.read_text():
        if process.exitcode is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{text!r} never came; exit code {process.exitcode}: {path.read_text()[-2000:]}")
        time.sleep(0.01)


def fingerprint(run: Path) -> dict[str, str]:
    """Digests of what a finished run leaves and must not depend on how it came to its end."""
    completions = json.dumps(pq.read_table(run / "completions.parquet").to_pylist())
    weights = (run / "model" / "model.safetensors").read_bytes()
    return {
        "weights": hashlib.sha256(weights).hexdigest(),
        "completions": hashlib.sha256(completions.encode()).hexdigest(),
        "files": " ".join(sorted(path.name for path in run.iterdir())),
    }


def _rank(main: Callable[[], None], arguments: list[str], log: Path, environment: Mapping[str, str]) -> None:
    _print_to(log)
    os.environ.update(environment)
    sys.argv = ["alft", *arguments]
    main()


def _print_to(log: Path) -> None:
    with log.open("ab", 0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _alft(arguments: list[str], log: Path, largest_file: int | None) -> None:
    _print_to(log)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    os.environ["ALFT_HELD"] = "here, and not in the process that tests"
    from alft.cli.main import main

    sys.argv = ["alft", *arguments]
    main()
