"""What test_several_processes.py starts in two processes: a run with given completions, then runs that fail.

accelerate launch --cpu --num_processes 2 several_processes.py MODEL OUT
"""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.trainer.grpo_trainer import GRPOTrainer

from alft import games
from alft.answers import Extraction
from alft.questions import Question, View
from alft.rewards import Scoring, scorer
from alft.training.dataset import to_dataset
from alft.training.faithful import faithful_config
from alft.training.trl import AlignmentGameMixin, AlignmentGameTrainer
from alft.training.watch import collapse_watch
from tests.training.conftest import QUIET

SAMPLES, BATCH = 4, 16


class GivenCompletions(AlignmentGameTrainer):
    """Completions depend on prompt, step and place in the group, not on who generates them."""

    def _generate_single_turn(self, prompt_ids, *_: Any, **__: Any) -> Any:
        def completion(place: int, prompt: list[int]) -> list[int]:
            random = np.random.default_rng([self.state.global_step, place % SAMPLES, *prompt])
            return random.integers(30, 60, size=random.integers(2, 7)).tolist()

        first = self.accelerator.process_index * len(prompt_ids)
        return [completion(first + i, list(prompt)) for i, prompt in enumerate(prompt_ids)], None


def make(
    model: str,
    out: str,
    processes: int,
    kind: Any = GivenCompletions,
    settings: Mapping[str, Any] | None = None,
    beta: float = 0.1,
    **options: Any,
) -> Any:
    asked = [Question(f"q{i}", (View(f"{i} a", "one"), View(f"{i} b", "two")), "1") for i in range(8)]
    chosen: dict[str, Any] = {
        "output_dir": out,
        "max_steps": 4,
        "per_device_train_batch_size": BATCH // processes,
        "num_generations": SAMPLES,
        "max_completion_length": 8,
        "learning_rate": 1.25e-4,
        **QUIET,
    }
    args = faithful_config(**{**chosen, **(settings or {})})
    return kind(
        model=AutoModelForCausalLM.from_pretrained(model),
        game=Scoring(games.Coherence("geometric"), beta=beta),
        args=args,
        train_dataset=to_dataset(asked),
        processing_class=AutoTokenizer.from_pretrained(model),
        **options,
    )


def read_texts_as_keys() -> None:
    """A random model marks no answer: read its texts as one of three keys instead, the longest as unread."""
    keys = {0: "0", 1: "1", 2: "2", 3: None}
    scorer.read = lambda text, *_, **__: Extraction(keys[len(text) % 4])  # type: ignore[assignment]


def run(model: str, out: str, processes: int) -> dict[str, np.ndarray]:
    """Rewards, advantages and texts of every step, in the order of the batch, and the weights at the end."""
    seen: dict[str, list] = {"rewards": [], "advantages": [], "texts": [], "questions": []}

    def on_batch(step, rows, batch) -> None:
        seen["rewards"].append(batch.rewards)
        seen["advantages"].append(batch.advantages)
        seen["texts"].append([row.text for row in rows])
        seen["questions"].append([row.question for row in rows])

    trainer = make(model, out, processes, on_batch=on_batch)
    trainer.train()
    weights = np.concatenate([p.detach().numpy().reshape(-1) for p in trainer.model.parameters()])
    return {name: np.array(values) for name, values in seen.items()} | {"weights": weights}


def failures(model: str, out: str) -> dict[str, str]:
    """What each process is told when a reward function, then generation, raises on process 1 alone."""
    import torch.distributed as dist

    def on_one(*_: Any, **__: Any) -> Any:
        if dist.get_rank() == 1:
            raise KeyError("only here")
        return [0] * (BATCH // 2)

    class BrokenGeneration(GRPOTrainer):
        def _generate_single_turn(self, *_: Any, **__: Any) -> Any:
            return [[40 + on_one()[0]]] * (BATCH // 2), None

    class Broken(AlignmentGameMixin, BrokenGeneration):
        default_args = staticmethod(faithful_config)

    told = {}
    for name, trainer in {
        "reward": make(model, out, 2, reward_funcs=[on_one]),
        "generation": make(model, out, 2, kind=Broken),
    }.items():
        try:
            trainer.train()
        except Exception as error:
            told[name] = f"{type(error).__name__}: {error}"
    return told


def watched(model: str, out: str) -> dict[str, Any]:
    """What each process knows of the models that its watch kept: after training, and read back many times."""
    import torch.distributed as dist

    watch = collapse_watch(f"{out}/good", window=2, information_loss=1.0, unread=1.0)
    make(model, out, 2, callbacks=[watch]).train()
    kept, saved = [step for step, _ in watch.kept], Path(out) / "saved"
    watch.stop(4, "to see what is given back")
    if dist.get_rank() == 0:
        saved.mkdir()
        watch.save(saved)
    dist.barrier()
    resumed = collapse_watch(f"{out}/good", window=2)
    for _ in range(20):
        resumed.load(saved)
    there = [(path / "model.safetensors").is_file() for _, path in resumed.kept]
    last = [watch.last_good(), resumed.last_good()]
    return {"kept": kept, "there": there, "last_good": [None if good is None else good[0] for good in last]}


def main() -> None:
    """Train, train under a watch, fail twice together, then once on process 1 alone, where nobody can be asked."""
    import json

    import torch.distributed as dist

    model, out = sys.argv[1:]
    read_texts_as_keys()
    result = run(model, out, 2)
    rank = dist.get_rank()
    np.savez(f"{out}/rank-{rank}.npz", allow_pickle=False, **result)
    Path(f"{out}/watched-{rank}.json").write_text(json.dumps(watched(model, out)))
    Path(f"{out}/told-{rank}.json").write_text(json.dumps(failures(model, out)))
    last = make(model, out, 2)
    if rank == 1:
        last.compute_loss = lambda *_, **__: [Path(f"{out}/raised").write_text(str(time.time())), 1 / 0]
    last.train()


if __name__ == "__main__":
    main()
