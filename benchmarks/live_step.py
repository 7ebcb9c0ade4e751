"""A live step of a pretrained model: plain TRL, our trainer, and ours with prompts that are read once.

    python -m benchmarks.live_step MODEL [--task opposites] [--rounds 2]     (SmolLM2: 3 minutes a round)

Four questions of a task of `benchmarks.real_tasks`, three wordings, 8 completions: 96 in a step, in one forward
pass. Sampling is timed apart from the loss with its gradient, which all take of the same completions with the same
advantages; in every round one trainer after the other, in processor seconds. The gradients' distance from that of
TRL in float32 is printed too, as a share of its norm.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from typing import Any, Literal

import numpy as np
import torch
from trl.trainer.grpo_trainer import GRPOTrainer

from alft import games
from alft.config.schema import ModelConfig
from alft.models.loading import load_model
from alft.reporting.progress import quiet_libraries
from alft.training.dataset import to_dataset
from alft.training.faithful import faithful_config
from alft.training.trl import AlignmentGameTrainer
from benchmarks.real_tasks import questions

QUESTIONS, SAMPLES, TOKENS = 4, 8, 6
KINDS = ("TRL", "ours", "ours, prompts read once")


def trainer(kind: str, model: str, task: str, dtype: Literal["auto", "float32"] = "auto") -> Any:
    """One of the trainers, ready for a step."""
    network, tokenizer = load_model(ModelConfig(path=model, chat="plain", dtype=dtype))
    common = {
        "model": network,
        "args": faithful_config(
            output_dir=tempfile.mkdtemp(),
            per_device_train_batch_size=QUESTIONS * 3 * SAMPLES,
            num_generations=SAMPLES,
            max_completion_length=TOKENS,
            gradient_checkpointing=False,
            report_to=[],
            disable_tqdm=True,
        ),
        "train_dataset": to_dataset(questions(task)[:QUESTIONS], chat=False),
        "processing_class": tokenizer,
    }
    if kind == "TRL":
        made: Any = GRPOTrainer(reward_funcs=lambda completions, **_: [0.0] * len(completions), **common)
    else:
        made = AlignmentGameTrainer(game=games.Agreement(), share_prompts=kind != "ours", **common)
    made.model.train()
    made.current_gradient_accumulation_steps = 1
    return made


def sampled(trainer: Any) -> tuple[dict[str, Any], float]:
    """A batch of completions, and the seconds it took."""
    asked = [row for row in trainer.train_dataset for _ in range(SAMPLES)]
    torch.manual_seed(0)
    began = time.process_time()
    batch = trainer._generate_and_score_completions(asked)
    return batch, time.process_time() - began


def learnt(trainer: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, float]:
    """The gradient of the loss, and the seconds it took."""
    trainer.model.zero_grad()
    began = time.process_time()
    trainer._compute_loss(trainer.model, dict(batch)).backward()
    spent = time.process_time() - began
    return torch.cat([p.grad.float().flatten() for p in trainer.model.parameters() if p.grad is not None]), spent


def main() -> None:
    """Seconds and ratios by kind, and distances of gradients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a directory or Hub id")
    parser.add_argument("--task", default="opposites")
    parser.add_argument("--rounds", type=int, default=2)
    chosen = parser.parse_args()
    quiet_libraries()
    torch.set_num_threads(1)
    exact = trainer("TRL", chosen.model, chosen.task, "float32")
    batch, _ = sampled(exact)
    batch["advantages"] = torch.linspace(-1, 1, len(batch["advantages"]))
    expected, _ = learnt(exact, batch)
    del exact
    seconds: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for _ in range(chosen.rounds):
        for kind in KINDS:
            one = trainer(kind, chosen.model, chosen.task)
            _, drew = sampled(one)
            found, took = learnt(one, batch)
            seconds[kind].append((drew, took))
            away = float((found - expected).norm() / expected.norm())
            print(f"{kind:26} sampling {drew:6.1f} s, gradient {took:6.1f} s, {away:.1e} from float32", flush=True)
            del one, found
    plain = np.median(seconds["TRL"], axis=0)
    for kind in KINDS[1:]:
        sampling, gradient = plain / np.median(seconds[kind], axis=0)
        whole = plain.sum() / np.median(np.sum(seconds[kind], axis=1))
        print(f"{kind}: sampling {sampling:.1f}, gradient {gradient:.1f}, both {whole:.1f} times as fast as TRL")


if __name__ == "__main__":
    main()
