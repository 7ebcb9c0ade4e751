"""The offline run of the study: as many completions as a run in all, sampled once, solved exactly, distilled."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from alft import starter
from alft.config.load import load_config
from alft.config.schema import ModelConfig
from alft.evaluation import Evaluation, evaluate_model
from alft.evaluation.evaluate import evaluation_settings
from alft.plan.build import load_plan
from benchmarks.offline_starter import SAMPLES, collected, loaded, solved
from benchmarks.study.protocol import Setting
from benchmarks.study.rows import answers_of, blank_row

QUESTIONS = 240
"""Times 4 wordings of 16 completions: the 15,360 of a run of 60 steps."""


def offline_row(setting: Setting, folder: Path, unseen_of: Any) -> dict[str, Any]:
    """Sample, solve, distill, and measure as a run is measured; `unseen_of`: on unseen wordings."""
    from alft.offline.distill import distill
    from alft.offline.trainer import Training

    began = time.process_time()
    questions = starter.training_questions(setting.seed, QUESTIONS)
    solution = solved(collected(folder / "samples.parquet", ModelConfig(), questions, SAMPLES, setting.seed))
    training = Training(setting.learning_rate, seed=setting.seed)
    model = distill(solution.weighted, ModelConfig(), training, folder / "run")
    used = time.process_time() - began
    before, after = (_measured(chosen) for chosen in (ModelConfig(), ModelConfig(path=str(model))))
    return {
        **blank_row(setting),
        "steps": 1,
        "rollouts_per_step": len(solution.weights),
        "cpu_seconds": used,
        "results": json.dumps({"before": before.summary(), "after": after.summary()}),
        "unseen": json.dumps(unseen_of(model.parent)),
        **answers_of(before, after),
    }


def _measured(chosen: ModelConfig) -> Evaluation:
    plan = load_plan(load_config(None, []))
    return evaluate_model(*loaded(chosen), plan.held_out, evaluation_settings(plan.config))
