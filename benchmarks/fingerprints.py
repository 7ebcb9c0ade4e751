"""Runs the command in five ways and prints a digest of what each leaves, to compare two versions bit for bit.

    python -m benchmarks.fingerprints DIRECTORY [--demo]

Runs: plain, with a limit, RLOO with a fixed Target, interrupted and resumed, one offline pass; `--demo` adds the
demonstration. Each prints `name  weights  results`, where `results` digests results.json without its times.
"""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SHORT = ["training.steps=6", "evaluation.questions=24", "training.checkpoint_every=2", "watch.every=2"]
TIMES = ("seconds",)


def alft(*arguments: str, until: Path | None = None) -> None:
    """Run a verb; with `until`, send SIGTERM as soon as that file has something in it."""
    command = [sys.executable, "-m", "alft", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if until is not None:
        while process.poll() is None and not (until.exists() and until.stat().st_size):
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
    code = process.wait()
    if code not in (0, 143):
        raise SystemExit(f"{' '.join(command)} ended with {code}")


def settings(*values: str) -> list[str]:
    """`--set` for each value."""
    return [part for value in values for part in ("--set", value)]


def without_times(value: Any) -> Any:
    """A JSON value less the fields that hold seconds."""
    if isinstance(value, dict):
        return {name: without_times(item) for name, item in value.items() if name not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def report(name: str, directory: Path) -> None:
    """Print the digests of a run or of a distilled model."""
    weights = hashlib.sha256((directory / "model" / "model.safetensors").read_bytes()).hexdigest()
    results = directory / "results.json"
    known = json.dumps(without_times(json.loads(results.read_text())), sort_keys=True) if results.exists() else ""
    print(f"{name:10} {weights[:32]} {hashlib.sha256(known.encode()).hexdigest()[:32]}", flush=True)


def train(folder: Path, name: str, *values: str) -> None:
    """One short run of `alft train`."""
    alft("train", *settings(*SHORT, f"output.directory={folder}", f"output.name={name}", *values))
    report(name, folder / name)


def main(folder: Path, demo: bool) -> None:
    """All runs, one after the other."""
    train(folder, "plain")
    limit = "constraints=[{name: sevens, regex: '7', at_most: 0.05}]"
    train(folder, "limits", limit, "game=coherence_arithmetic", "scoring.beta=0.05")
    train(folder, "fixed", "game=coherence_fixed", "training.trainer=rloo")
    resumed = settings(*SHORT, f"output.directory={folder}", "output.name=resumed")
    alft("train", *resumed, until=folder / "resumed" / "metrics.jsonl")  # its first step is logged
    alft("train", *resumed, "--resume")
    report("resumed", folder / "resumed")
    offline = folder / "offline"
    alft("distill", "-o", str(offline), "--samples", "4", *settings("data.size=24"))
    report("offline", offline)
    if demo:
        alft("train", *settings(f"output.directory={folder}", "output.name=demo"))
        report("demo", folder / "demo")


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--demo" in sys.argv)
