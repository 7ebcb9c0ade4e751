"""A million completions: how long `alft solve` takes on them, and how much memory.

Run: python -m benchmarks.offline [COMPLETIONS] (makes the file in a temporary directory, then solves it in a
process of its own, 8 to 10 CPU seconds for each of four settings). 16 completions a view, 4 views, 4 to 40
distinct answers a question, texts of 400 characters.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from alft.completions import SCHEMA
from alft.offline.samples import Provenance
from alft.storage.files import write_parquet

SAMPLES, VIEWS, SEED = 16, 4, 5
QUESTIONS_AT_ONCE = 256
SETTINGS = {"coherence_geometric": (0.0, 0.1), "coherence_arithmetic": (0.1,), "correctness": (0.1,)}


def main(completions: int) -> None:
    """Make the file, then solve it with each setting."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.parquet"
        began = time.monotonic()
        make(path, completions // (SAMPLES * VIEWS))
        size = path.stat().st_size / 2**20
        print(f"made {completions:,} completions in {time.monotonic() - began:.0f} s, {size:.0f} MiB", flush=True)
        for game, beta in [(game, beta) for game, betas in SETTINGS.items() for beta in betas]:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.offline", "solve", str(path), game, str(beta)],
                check=True,
                capture_output=True,
                text=True,
            )
            print(done.stdout, end="", flush=True)


def make(path: Path, questions: int) -> None:
    """A samples file of random answers: every question has its own, skewed, shared by its views in part."""
    rng = np.random.default_rng(SEED)
    provenance = Provenance({"backend": "made"}, {"samples": SAMPLES}, {"questions": questions}, "made")
    schema = SCHEMA.with_metadata(provenance.to_metadata())
    filler = "".join(rng.choice(list("abcdefghij "), 100_000).tolist())
    starts = range(0, questions, QUESTIONS_AT_ONCE)
    parts = (range(start, min(start + QUESTIONS_AT_ONCE, questions)) for start in starts)
    write_parquet(path, (_table(rng, part, filler, schema) for part in parts), schema)


def _table(rng: np.random.Generator, questions: range, filler: str, schema: pa.Schema) -> pa.Table:
    rows = []
    for question in questions:
        answers = int(rng.integers(4, 41))
        common = rng.dirichlet(np.full(answers, 0.3))
        for view in range(VIEWS):
            marginal = 0.6 * common + 0.4 * rng.dirichlet(np.full(answers, 0.3))
            for sample, answer in enumerate(rng.choice(answers, SAMPLES, p=marginal).tolist()):
                at = int(rng.integers(len(filler) - 400))
                rows.append(
                    {
                        "question_id": f"q{question}",
                        "view": f"view {view}",
                        "prompt": f"Question {question} in wording {view}?",
                        "chat": False,
                        "gold": json.dumps([str(question)]),
                        "sample": sample,
                        "completion": f"{filler[at : at + 400]} #### {question + answer}",
                        "key": None if rng.random() < 0.02 else str(question + answer),
                        "truncated": False,
                    }
                )
    return pa.Table.from_pylist(rows, schema=schema)


def solve(path: Path, game: str, beta: float) -> None:
    """Solve and write the weighted file; print seconds, of the clock and of CPU, and the largest resident size."""
    began = time.monotonic()
    from alft.offline import read_samples, solve_samples
    from alft.offline.solve import settings_of

    samples = read_samples(path)
    read = time.monotonic() - began
    solution = solve_samples(samples, settings_of(game, beta, None), game)
    summary = solution.summary()
    found = time.monotonic() - began
    solution.write(path.with_name("weighted.parquet"))
    seconds = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    gap = summary["largest_gap"]
    print(
        f"{game} β={beta:g}: {len(samples):,} completions, {summary['questions']:,} questions: read {read:.1f} s, "
        f"solved and summed up at {found:.1f} s, written at {seconds:.1f} s, "
        f"{used.ru_utime + used.ru_stime:.1f} CPU s in all; peak {used.ru_maxrss / 2**20:.2f} GiB; "
        f"{'a limit, no gap' if gap is None else f'largest gap {gap:.0e}'}"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["solve"]:
        solve(Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)
