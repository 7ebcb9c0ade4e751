"""Time and memory of `alft solve` as a samples file grows.

Run: python -m benchmarks.solve_rows FOLDER [ROWS …] (makes FOLDER/samples-ROWS.parquet, solves it in a process of
its own into a file of weights, adds a line to FOLDER/solve_rows.jsonl, removes both files; 6 CPU seconds for 1e5
rows, 161 for 2e7). 16 completions a view, 4 views, 4 to 40 distinct answers a question, texts of 400 characters.

`python -m benchmarks.solve_rows same FOLDER [ROWS]` compares the weights and the summary with those of one piece.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from alft.completions import SCHEMA, upgraded
from alft.offline.source import Provenance
from alft.storage.files import write_parquet

pc = cast(Any, pyarrow.compute)  # its functions are made at run time: no type checker knows them
ROWS = (100_000, 1_000_000, 5_000_000, 20_000_000)
SAMPLES, VIEWS, SEED, TEXT, POOL = 16, 4, 5, 400, 1 << 16
QUESTIONS_AT_ONCE = 256


def main(folder: Path, sizes: tuple[int, ...]) -> None:
    """Make, solve and measure each size; a line is written as soon as a size is done."""
    folder.mkdir(parents=True, exist_ok=True)
    for rows in sizes:
        path, weighted = folder / f"samples-{rows}.parquet", folder / f"weighted-{rows}.parquet"
        made = _timed(lambda path=path, rows=rows: make(path, rows // (SAMPLES * VIEWS)))
        size = path.stat().st_size
        found = _solve(path, weighted)
        line = {"rows": rows, "bytes": size, "made_seconds": round(made, 1), **found}
        with (folder / "solve_rows.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)
        path.unlink()
        weighted.unlink()


def _timed(work) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _solve(path: Path, weighted: Path) -> dict[str, float]:
    """`alft solve` in a process of its own: seconds of the clock and of CPU, and the largest resident size."""
    command = [sys.executable, "-m", "alft", "solve", str(path), "-o", str(weighted)]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"alft solve ended with {os.waitstatus_to_exitcode(status)}")
    cpu = used.ru_utime + used.ru_stime
    return {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_mib": round(used.ru_maxrss / 1024),
    }


def make(path: Path, questions: int) -> None:
    """A samples file of random answers: every question has its own, skewed, shared by its views in part."""
    rng = np.random.default_rng(SEED)
    provenance = Provenance({"backend": "made"}, {"samples": SAMPLES}, {"questions": questions}, "made")
    letters = rng.integers(97, 123, POOL * TEXT, dtype=np.uint8)
    ends = pa.py_buffer(np.arange(0, POOL * TEXT + 1, TEXT, dtype=np.int32))
    texts = pa.StringArray.from_buffers(POOL, ends, pa.py_buffer(letters))
    starts = range(0, questions, QUESTIONS_AT_ONCE)
    parts = (range(start, min(start + QUESTIONS_AT_ONCE, questions)) for start in starts)
    tables = (_table(rng, part, texts) for part in parts)
    write_parquet(path, tables, SCHEMA.with_metadata(provenance.to_metadata()))


def _table(rng: np.random.Generator, questions: range, texts: pa.StringArray) -> pa.Table:
    each = SAMPLES * VIEWS
    rows = len(questions) * each
    width = rng.integers(4, 41, len(questions))
    there = np.arange(40) < width[:, None]
    common, own = (rng.gamma(0.3, size=(len(questions), views, 40)) * there[:, None] for views in (1, VIEWS))
    mixed = 0.6 * common / common.sum(-1, keepdims=True) + 0.4 * own / own.sum(-1, keepdims=True)
    drawn = (rng.random((len(questions), VIEWS, SAMPLES, 1)) > mixed.cumsum(-1)[:, :, None]).sum(-1)
    number = np.repeat(np.array(questions), each)
    keys = pa.array(np.minimum(drawn, width[:, None, None] - 1).ravel() + number).cast(pa.string())
    view = np.tile(np.repeat(np.arange(VIEWS), SAMPLES), len(questions))
    names = pa.array(number).cast(pa.string())
    columns = {
        "question_id": pc.binary_join_element_wise("q", names, ""),
        "view": pa.array([f"view {i}" for i in range(VIEWS)]).take(pa.array(view)),
        "prompt": pc.binary_join_element_wise("Question", names, "in wording", pa.array(view).cast("string"), " "),
        "chat": pa.array(np.zeros(rows, dtype=bool)),
        "gold": pc.binary_join_element_wise('["', names, '"]', ""),
        "sample": pa.array(np.tile(np.arange(SAMPLES), len(questions) * VIEWS)),
        "completion": texts.take(pa.array(rng.integers(0, POOL, rows))),
        "key": pc.if_else(pa.array(rng.random(rows) < 0.02), None, keys),
        "truncated": pa.array(np.zeros(rows, dtype=bool)),
    }
    return upgraded(pa.table(columns))


def same(folder: Path, rows: int) -> None:
    """The largest difference of weights and of summaries between pieces and one piece."""
    from alft.offline import read_samples, solve_samples
    from alft.offline.parts import open_samples
    from alft.offline.solve import settings_of, solve_source

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "samples.parquet"
    make(path, rows // (SAMPLES * VIEWS))
    for game, beta in (("coherence_geometric", 0.0), ("coherence_geometric", 0.1), ("coherence_arithmetic", 0.1)):
        settings = settings_of(game, beta, None)
        weighted = folder / "weighted.parquet"
        found = solve_source(open_samples(path), settings, game, weighted).summary()
        whole = solve_samples(read_samples(path), settings, game)
        weights = pq.read_table(weighted, columns=["weight"]).column("weight").to_numpy()
        apart = np.abs(weights - whole.weights).max()
        numbers = [_numbers(each) for each in (found, whole.summary())]
        worst = np.abs(np.subtract(numbers[0], numbers[1])).max()
        print(
            f"{game} β={beta:g}, {rows:,} rows: weights differ by {apart:.1e}, the summary by {worst:.1e}",
            flush=True,
        )
        weighted.unlink()
    path.unlink()


def _numbers(told: Any) -> list[float]:
    if isinstance(told, dict):
        return [number for value in told.values() for number in _numbers(value)]
    if isinstance(told, list):
        return [number for value in told for number in _numbers(value)]
    return [float(told)] if isinstance(told, int | float) else []


if __name__ == "__main__":
    if sys.argv[1] == "same":
        same(Path(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 1_000_000)
    else:
        main(Path(sys.argv[1]), tuple(map(int, sys.argv[2:])) or ROWS)
