"""The directory of a run: what was asked, where it ran, what happened at each step, and the result.

config.yaml         resolved configuration: `alft train config.yaml` runs it again
environment.json    versions and machine
metrics.jsonl       one line a step
completions.parquet every completion, before, during and after training
results.json        before and after, with intervals
model/              the trained model, as a Hugging Face directory
report.html
"""

from __future__ import annotations

import json
import math
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

PACKAGES = ("alft", "torch", "transformers", "trl", "accelerate", "datasets", "numpy")
COMPLETIONS = pa.schema(
    [
        ("phase", pa.string()),
        ("step", pa.int64()),
        ("question_id", pa.string()),
        ("view", pa.string()),
        ("kind", pa.string()),
        ("sample", pa.int64()),
        ("completion", pa.string()),
        ("key", pa.string()),
        ("right", pa.bool_()),
    ]
)


class RunDirectory:
    """Writes the files of one run; `close` completes them, also after a failure."""

    def __init__(self, path: Path, config_yaml: str) -> None:
        path.mkdir(parents=True)
        self.path = path
        self.model = path / "model"
        (path / "config.yaml").write_text(config_yaml, encoding="utf-8")
        self.write_json("environment.json", environment())
        self._metrics = (path / "metrics.jsonl").open("w", encoding="utf-8")
        self._completions = pq.ParquetWriter(path / "completions.parquet", COMPLETIONS)

    def log_step(self, metrics: Mapping[str, Any]) -> None:
        """Append one step to metrics.jsonl."""
        self._metrics.write(json.dumps(plain(metrics), allow_nan=False) + "\n")
        self._metrics.flush()

    def log_completions(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Append completions, one mapping of column to value each."""
        rows = [{**record, "completion": encodable(record["completion"])} for record in records]
        self._completions.write_table(pa.Table.from_pylist(rows, schema=COMPLETIONS))

    def write_json(self, name: str, value: Any) -> None:
        """Write one JSON file whole or not at all."""
        self.write_text(name, json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))

    def write_text(self, name: str, text: str) -> None:
        """Write one text file whole or not at all."""
        part = self.path / f".{name}.part"
        part.write_text(text, encoding="utf-8")
        part.replace(self.path / name)

    def close(self) -> None:
        """Complete metrics.jsonl and completions.parquet."""
        self._metrics.close()
        self._completions.close()


def environment() -> dict[str, Any]:
    """Versions and machine that a run was made with."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def plain(value: Any) -> Any:
    """The value with nan and infinities as None, since JSON has neither."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def encodable(text: str) -> str:
    """The text with lone surrogates escaped, which no UTF-8 file can hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
