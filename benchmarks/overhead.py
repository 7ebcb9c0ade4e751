"""What playing a game costs: our trainer against plain TRL GRPO, paired in one run.

    python -m benchmarks.overhead [--rounds 3] [--steps 4] [--questions 32]     (36 steps of 16 CPU seconds)

The same starter model, questions, order, seed and settings in all, learning rate 0 and one thread, so all
write the same texts (checked). A constant reward has no gradient, ours has one: a third trainer, plain with a
reward that varies, tells what that alone costs. Rounds alternate which trainer goes first.
Seconds are those of the clock and of the processor; the latter are the ones to trust on a busy machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.grpo_trainer import GRPOTrainer

from alft import games, starter
from alft.config.schema import ModelConfig
from alft.models.loading import load_model
from alft.reporting.progress import quiet_libraries
from alft.training.dataset import to_dataset
from alft.training.faithful import faithful_config
from alft.training.trl import AlignmentGameTrainer

SAMPLES, MICRO = 8, 256
Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"clock": time.perf_counter, "processor": time.process_time}


@dataclass
class Times(TrainerCallback):
    """Seconds of every step, by clock, and of our own code within it."""

    steps: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in CLOCKS})
    own: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in CLOCKS})

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clocks."""
        self._began = {name: clock() for name, clock in CLOCKS.items()}

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the seconds of a step."""
        for name, clock in CLOCKS.items():
            self.steps[name].append(clock() - self._began[name])

    def within(self, function: Callable) -> Callable:
        """The function, with its seconds added to those of our own code in the step that is under way."""

        def timed(*args: Any) -> Any:
            began = {name: clock() for name, clock in CLOCKS.items()}
            result = function(*args)
            for name, clock in CLOCKS.items():
                self.own[name].append(clock() - began[name])
            return result

        return timed


def constant(completions: Sequence[Any], **_: Any) -> list[float]:
    """The reward of the plain trainer."""
    return [0.0] * len(completions)


def varied(completions: Sequence[Any], **_: Any) -> list[float]:
    """The reward of the plain trainer that has a gradient: any number that differs between texts."""
    texts = [text if isinstance(text, str) else text[-1]["content"] for text in completions]
    return [sum(map(ord, text)) % 7 / 7 for text in texts]


PLAIN: dict[str, Any] = {"constant": constant, "varied": varied}
KINDS = ("ours", *PLAIN)


def run(kind: str, questions: int, steps: int) -> tuple[Times, list[str]]:
    """Times and last texts of one trainer."""
    model, tokenizer = load_model(ModelConfig())
    times, asked = Times(), starter.training_questions(0, questions * steps)
    with tempfile.TemporaryDirectory() as folder:
        common = {
            "model": model,
            "args": settings(folder, questions * len(asked[0].views) * SAMPLES, steps),
            "train_dataset": to_dataset(asked, chat=tokenizer.chat_template is not None),
            "processing_class": tokenizer,
            "callbacks": [times],
        }
        if kind == "ours":
            trainer: Any = AlignmentGameTrainer(game=games.Coherence("geometric"), **common)
            trainer._read, trainer._score = times.within(trainer._read), times.within(trainer._score)
        else:
            trainer = GRPOTrainer(reward_funcs=PLAIN[kind], **common)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return times, list(trainer._logs["completion"])


def settings(folder: str, batch: int, steps: int) -> Any:
    """The same for both."""
    return faithful_config(
        output_dir=folder,
        max_steps=steps,
        learning_rate=0.0,
        per_device_train_batch_size=min(MICRO, batch),
        gradient_accumulation_steps=max(batch // MICRO, 1),
        num_generations=SAMPLES,
        max_completion_length=40,
        shuffle_dataset=False,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


def main() -> None:
    """Print the ratio of step times and the share of our code in a step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--questions", type=int, default=32)
    chosen = parser.parse_args()
    quiet_libraries()
    torch.set_num_threads(1)
    found: dict[str, list[Times]] = {kind: [] for kind in KINDS}
    for number in range(chosen.rounds):
        told = {}
        for kind in KINDS if number % 2 == 0 else reversed(KINDS):
            times, told[kind] = run(kind, chosen.questions, chosen.steps)
            found[kind].append(times)
        if any(texts != told["ours"] for texts in told.values()):
            raise SystemExit("the trainers wrote different texts: nothing can be compared")
    for clock in CLOCKS:
        for plain in PLAIN:
            report(found, clock, plain, chosen.questions * 4 * SAMPLES)


def report(found: dict[str, list[Times]], clock: str, kind: str, completions: int) -> None:
    """Ours against one plain trainer. The first step of every run warms up and is left out."""
    ours, plain = (np.array([times.steps[clock][1:] for times in found[name]]) for name in ("ours", kind))
    own = np.array([times.own[clock] for times in found["ours"]])
    own = own.reshape(len(own), -1, 2).sum(axis=-1)[:, 1:]
    ratio = np.sort((ours / plain).reshape(-1))
    print(
        f"{clock:>9}: step of {completions} completions {np.median(ours):.2f} s, "
        f"plain with a {kind} reward {np.median(plain):.2f} s; "
        f"ratio median {np.median(ratio):.3f} [{ratio[0]:.3f}, {ratio[-1]:.3f}], of sums "
        f"{ours.sum() / plain.sum():.3f}; our code {1000 * np.median(own):.0f} ms, "
        f"{own.sum() / ours.sum():.2%} of a step"
    )


if __name__ == "__main__":
    main()
