"""Small run directories, as `alft train` writes them."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from alft.completions import SCHEMA, to_row
from alft.evaluation import compare
from tests.evaluation.test_evaluation import evaluation, joined

BEFORE = {"plain": ["1", "1", "1", "2"], "list": ["1", "2", "2", None], "riddle": ["3", "3", "3", "1"]}
AFTER = {"plain": ["1", "1", "1", "1"], "list": ["1", "1", "1", "2"], "riddle": ["3", "3", "3", "3"]}
GREEDY = {"plain": ["1"], "list": ["1"], "riddle": ["3"]}


def measured(table, gold: str | None = "1", rename=lambda name: name, questions=8):
    def asked(views):
        return {rename(f"q{i}"): {rename(view): keys for view, keys in views.items()} for i in range(questions)}

    return joined(evaluation(asked(table), gold), evaluation(asked(GREEDY), gold, "greedy"))


def write_run(path, *, gold: str | None = "1", rename=lambda name: name, text=None, stopped=None, size=(12, 8)):
    """A run directory at `path`; `rename` changes every name in it, `text` every completion;
    `size` is (steps, questions)."""
    steps, questions = size
    path.mkdir(parents=True)
    before, after = (measured(table, gold, rename, questions) for table in (BEFORE, AFTER))
    results = {
        "before": before.summary(),
        "after": after.summary(),
        "difference": compare(before, after),
        "training": {
            "game": "coherence_geometric",
            "steps": steps,
            "completions": 99,
            "seconds": 61.0,
            "stopped": stopped,
        },
    }
    (path / "results.json").write_text(json.dumps(results, allow_nan=False), encoding="utf-8")
    config = {"game": "coherence_geometric", "model": {"path": rename("starter")}, "output": {"name": path.name}}
    (path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    environment = {"python": "3.11", "cores": 2, "packages": {"torch": rename("2.13")}}
    (path / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    lines = [
        {"step": step, "incoherence": 1 / step, "agreement": 0.5, "unread": 0.0, "accuracy": 0.5 if gold else None}
        for step in range(1, steps + 1)
    ]
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    moments = {"before": before, "after": after}
    rows = [to_row(one, phase=phase) for phase, measured in moments.items() for one in measured.records]
    if text is not None:
        rows = [{**row, "completion": text} for row in rows]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path / "completions.parquet")
    return results
