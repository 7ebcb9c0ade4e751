"""The directory of a run: what was asked, where it ran, what happened at each step, and the result.

config.yaml         resolved configuration: `alft train config.yaml` runs it again, --resume continues it
inputs.json         digests of the questions and of the model that training started from
environment.json    versions and machine
metrics.jsonl       one line a step
completions.parquet every completion, before, during and after training
errors.jsonl        completions on which reading failed, with their text; only if there were any
weighted.parquet    offline: the completions that were sampled, each with its weight
results.json        before and after, with intervals; written last
model/              the trained model, as a Hugging Face directory, with a model card
adapter/            the LoRA adapter alone, if one was trained (model/ has it merged)
report.html

While it runs, completions are in completions.jsonl, checkpoints in checkpoints/, models that the watch may
give back in good/, samples and the model of an offline run in offline/; a finished run has none of these.
Beside it, .kept holds what the model said before training: runs of the same model, questions and settings read it.
Each log is a `Journal`: it only grows, and a resumed run goes back to where its checkpoint was made.
"""

import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from accelerate import PartialState

from alft.completions import SCHEMA, Completion, from_row, to_row
from alft.storage.checkpoint import discard
from alft.storage.files import Journal, plain, write_parquet

PACKAGES = ("alft", "torch", "transformers", "trl", "accelerate", "datasets", "numpy")
ERROR_COLUMNS = ("step", "question_id", "view", "error")
ROWS_AT_ONCE = 10_000  # completions in memory while completions.parquet is written


class RunDirectory:
    """Writes the files of one run; `close` completes them, also after a failure.

    Opened on a directory that holds a run, it continues its logs, from the place that `load_state_dict` says.
    Without `writes` it changes no file: of several processes, only the main one writes.
    """

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self.path, self.writes = path, writes
        self.model, self.checkpoints, self.good = path / "model", path / "checkpoints", path / "good"
        self.adapter, self.offline = path / "adapter", path / "offline"
        self.kept = path.parent / ".kept"
        self._logs = {name: Journal(path / f"{name}.jsonl") for name in ("metrics", "completions", "errors")}

    def digests(self) -> dict[str, str]:
        """Content of inputs.json."""
        return json.loads((self.path / "inputs.json").read_text(encoding="utf-8"))

    def log_step(self, metrics: Mapping[str, Any]) -> None:
        """Append one step to metrics.jsonl."""
        if self.writes:
            self._logs["metrics"].append([plain(metrics)])

    def log_completions(self, completions: Iterable[Completion], phase: str, step: int | None = None) -> None:
        """Append completions of a phase; those that could not be read also go to errors.jsonl."""
        if not self.writes:
            return
        rows = [to_row(one, phase=phase, step=step) for one in completions]
        self._logs["completions"].append(rows)
        failed = [row for row in rows if row["error"] is not None]
        self._logs["errors"].append(
            {**{name: row[name] for name in ERROR_COLUMNS}, "text": row["completion"]} for row in failed
        )

    def completions(self, phase: str) -> Iterator[Completion]:
        """The completions of a phase so far, oldest first."""
        return (from_row(row) for row in self._logs["completions"].records() if row["phase"] == phase)

    def state_dict(self) -> dict[str, Any]:
        """The place in every log."""
        return {name: journal.state_dict() for name, journal in self._logs.items()} if self.writes else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a place in every log: what a killed process wrote after its last checkpoint goes."""
        for name, journal in self._logs.items() if self.writes else ():
            journal.load_state_dict(state[name])

    def close(self) -> None:
        """Leave completions.parquet of what there is."""
        if not self.writes:
            return
        for journal in self._logs.values():
            journal.close()
        records = self._logs["completions"].records()
        batches = iter(lambda: list(islice(records, ROWS_AT_ONCE)), [])
        tables = (pa.Table.from_pylist(rows, schema=SCHEMA) for rows in batches)
        write_parquet(self.path / "completions.parquet", tables, SCHEMA, compression="snappy")
        errors = self._logs["errors"].path
        if errors.exists() and not errors.stat().st_size:
            errors.unlink()

    def tidy(self) -> None:
        """Remove what only a resumed run needs; call after `close`.

        completions.jsonl goes last: while it is there, a killed process has not done with this.
        """
        if not self.writes:
            return
        for folder in (self.checkpoints, self.good, self.offline):
            discard(folder)
        (self.path / "completions.jsonl").unlink(missing_ok=True)


def environment() -> dict[str, Any]:
    """Versions and machine that a run was made with."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "processes": PartialState().num_processes,
        "packages": {name: version(name) for name in PACKAGES},
    }
