"""The trainer under Ray Train: the built-in model learns to agree with itself, on two CPU workers.

    pip install 'alft[ray]'
    python examples/ray_train.py        # a few minutes on two CPU cores

Nothing of alft changes: every worker builds the same `AlignmentGameTrainer`, which finds the process group that
Ray made. On GPUs set `use_gpu=True`, more workers, and your own model and questions.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import ray
from ray.train import Checkpoint, RunConfig, ScalingConfig, get_context, report
from ray.train.torch import TorchTrainer

WORKERS = 2
SAMPLES = 8  # completions of each wording
QUESTIONS = 4  # in a step; each is asked in all its wordings


def train_on_worker(settings: dict) -> None:
    """What each worker runs. A step's completions are divided among them, and whole questions scored by all."""
    import alft
    from alft import starter

    context = get_context()
    questions = starter.training_questions(0, settings["questions"])
    completions = QUESTIONS * len(questions[0].views) * SAMPLES
    with tempfile.TemporaryDirectory() as folder:
        trainer = alft.AlignmentGameTrainer(
            model=str(starter.model_path()),
            game="agreement",
            args=alft.faithful_config(
                output_dir=folder,
                use_cpu=True,
                bf16=False,
                per_device_train_batch_size=completions // context.get_world_size(),
                num_generations=SAMPLES,
                max_completion_length=40,
                max_steps=settings["steps"],
                learning_rate=1.25e-4,
                logging_steps=1,
                save_strategy="no",
                report_to=[],
            ),
            train_dataset=alft.to_dataset(questions),
        )
        trainer.train()
        log = [row for row in trainer.state.log_history if "game/agreement" in row]
        trainer.save_model(folder)  # on the main process; the others wait
        metrics = {"agreement": [row["game/agreement"] for row in log], "processes": context.get_world_size()}
        report(metrics, checkpoint=Checkpoint.from_directory(folder) if context.get_world_rank() == 0 else None)


def main(steps: int, questions: int, storage: Path) -> dict:
    """Train, and return what the workers reported."""
    trainer = TorchTrainer(
        train_on_worker,
        train_loop_config={"steps": steps, "questions": questions},
        scaling_config=ScalingConfig(num_workers=WORKERS, use_gpu=False),
        run_config=RunConfig(name="alft", storage_path=str(storage.absolute())),
    )
    result = trainer.fit()
    return {**(result.metrics or {}), "model": result.checkpoint.path if result.checkpoint else None}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--questions", type=int, default=480)
    parser.add_argument("--storage", type=Path, default=Path("runs/ray"))
    given = parser.parse_args()
    ray.init(address="local", num_cpus=WORKERS + 1, include_dashboard=False)
    print(json.dumps(main(given.steps, given.questions, given.storage)))
