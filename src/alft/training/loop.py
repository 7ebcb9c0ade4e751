"""The training phase of a run: TRL's trainer as a plan asks for it, with watch, guard, logs and trackers."""

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from rich.progress import Progress
from transformers import PreTrainedTokenizerBase, PrinterCallback
from transformers.integrations.deepspeed import unset_hf_deepspeed_config

from alft.completions import Completion
from alft.config.training import VllmConfig
from alft.errors import ConfigError, DivergedError, Problem, RunInterrupted
from alft.models.base import parted
from alft.models.loading import adapter, precision, undivided
from alft.plan.plan import Plan
from alft.rewards.scorer import ScoredBatch, Scorer
from alft.storage.checkpoint import Remembers, step_of
from alft.training.callbacks import GradientGuard, MetricsCallback, Tracker
from alft.training.dataset import to_dataset
from alft.training.processes import everyone, from_main
from alft.training.rundir import RunDirectory
from alft.training.saving import JsonPart, check_whole, elements
from alft.training.stopping import StopRequest
from alft.training.trl import AlignmentGameRLOOTrainer, AlignmentGameTrainer
from alft.training.watch import WatchCallback

TRAINERS = {"grpo": AlignmentGameTrainer, "rloo": AlignmentGameRLOOTrainer}
NOT_FINITE = "probability tensor contains"  # what torch says of sampling from outputs that are not finite
BAD_STEPS = 3  # gradients in a row that are not finite, after which a run is stopped


class Stopwatch(Remembers):
    """Seconds of training, those before a resume too."""

    remembered = ("seconds",)

    def __init__(self) -> None:
        self.seconds = 0.0

    @property
    def seconds(self) -> float:
        """Seconds so far; setting them counts on from there."""
        return time.monotonic() - self._started

    @seconds.setter
    def seconds(self, earlier: float) -> None:
        self._started = time.monotonic() - earlier


@dataclass(frozen=True)
class Loop:
    """The training phase of a plan in a run directory; `request` may ask to stop, `watch` may find a reason to."""

    plan: Plan
    run: RunDirectory
    progress: Progress
    request: StopRequest
    watch: WatchCallback | None

    def train(
        self, model: Any, tokenizer: PreTrainedTokenizerBase, scorer: Scorer, checkpoint: Path | None
    ) -> tuple[Any, dict[str, Any]]:
        """Train to the end, or until there is a reason to stop.

        Returns the model, under its adapter if one is trained, and what results.json says of training. Raises
        RunInterrupted if it was asked to stop, DivergedError if it came to numbers that are none and no watch
        has a model to give back.
        """
        guard, stopwatch = GradientGuard(BAD_STEPS), Stopwatch()
        trainer = self._trainer(model, tokenizer, scorer, guard)
        trainer.parts += [JsonPart("logs", self.run), JsonPart("guard", guard), JsonPart("clock", stopwatch)]
        self._go(trainer, checkpoint)
        steps = trainer.state.global_step
        if signals := [one for one in everyone(self.request.signal) if one is not None]:
            what = f"stopped after step {steps}"
            raise RunInterrupted(Problem(str(self.run.path), what, "continue with --resume"), signals[0])
        return self._whole(trainer), {
            "game": self.plan.config.game.label,
            "trainer": self.plan.config.training.trainer,
            "steps": steps,
            "completions": math.ceil(steps / self.plan.steps_per_batch) * self.plan.completions_per_step,
            "seconds": stopwatch.seconds,
            "stopped": guard.reason or (None if self.watch is None else self.watch.reason),
            "consensus_kept": {} if self.watch is None else self.watch.shares,
        }

    def _trainer(
        self, model: Any, tokenizer: PreTrainedTokenizerBase, scorer: Scorer, guard: GradientGuard
    ) -> Any:
        config = self.plan.config
        task = self.progress.add_task("training", total=config.training.steps, metrics="")
        trainer = TRAINERS[config.training.trainer](
            model=model,
            game=scorer,
            args=trl_config(self.plan, self.run.checkpoints),
            on_batch=self._see,
            views_per_step=config.training.views_per_step,
            share_prompts=config.training.share_prompts,
            train_dataset=to_dataset(self.plan.train, chat=tokenizer.chat_template is not None),
            processing_class=tokenizer,
            peft_config=adapter(config.lora),
            callbacks=[  # those that add to the log come first
                *([] if self.watch is None else [self.watch]),
                guard,
                MetricsCallback(self.run, self.progress, task),
                *map(Tracker, config.training.report_to),
            ],
        )
        trainer.remove_callback(PrinterCallback)  # the progress bar shows what it would print
        trainer.stop = self.request
        return trainer

    def _whole(self, trainer: Any) -> Any:
        """The trained model as it was before training: undivided, and computing in no precision but its own."""
        if not parted(trainer.model):
            return trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
        weights, path = trainer.gathered(), self.run.good / "last"
        from_main(lambda: trainer.model.save_pretrained(path, state_dict=weights))
        from_main(lambda: check_whole(path, elements(trainer.model)))
        unset_hf_deepspeed_config()  # it would divide what is loaded
        return undivided(self.plan.config, trainer.model, path)

    def _see(self, step: int, completions: Sequence[Completion], batch: ScoredBatch) -> None:
        views = {question.id: question.views for question in self.plan.train}
        samples = self.plan.config.training.samples
        named = (
            replace(one, view=views[one.question][one.place].name, sample=index % samples)
            for index, one in enumerate(completions)
        )
        self.run.log_completions(named, "train", step)

    def _go(self, trainer: Any, checkpoint: Path | None) -> None:
        if checkpoint is not None and step_of(checkpoint) >= self.plan.config.training.steps:
            trainer.restore(checkpoint)
            return
        try:
            with self.request.patience():
                trainer.train(resume_from_checkpoint=checkpoint)
        except RuntimeError as error:
            if NOT_FINITE not in str(error):
                raise
            step, what = trainer.state.global_step, "the model's outputs are not finite"
            if self.watch is None:
                remedy = "lower training.learning_rate, or train in float32"
                raise DivergedError(Problem(f"step {step + 1}", what, remedy)) from error
            self.watch.stop(step, what)


def shares(plan: Plan, processes: int | None = None) -> tuple[int, int]:
    """Completions of one process in an optimizer step, and in a forward pass.

    Raises ConfigError if the step can't be divided among so many processes, by default those of this launch.
    """
    training, processes = plan.config.training, processes or PartialState().num_processes
    step = plan.completions_per_step // training.steps_per_generation
    own, left = divmod(step, processes)
    micro = training.micro_batch_size or own
    if left or own % micro:
        what = f"{step} completions a step can't be divided among {processes} processes"
        remedy = "change training.questions_per_step, training.micro_batch_size or the number of processes"
        raise ConfigError(Problem("training", f"{what}, {micro} at once" if not left else what, remedy))
    return own, micro


def trl_config(plan: Plan, output: Path) -> Any:
    """The settings of TRL's trainer for a plan: GRPO's or RLOO's, saved in `output`.

    Trackers are not among them: they are attached apart, so that one that fails can't end a run.
    """
    training = plan.config.training
    step, micro = shares(plan)
    os.environ.pop("ACCELERATE_MIXED_PRECISION", None)  # a launcher's: what is measured is what is trained
    return TRAINERS[training.trainer].default_args(
        output_dir=str(output),
        run_name=plan.directory.name,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.schedule,
        warmup_steps=training.warmup_steps,
        max_steps=training.steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=step // micro,
        steps_per_generation=step * training.steps_per_generation // micro,
        num_iterations=training.num_iterations,
        num_generations=training.samples,
        max_completion_length=training.max_new_tokens,
        generation_kwargs=None if training.stop is None else {"stop_strings": training.stop},
        max_grad_norm=training.max_grad_norm,
        seed=training.seed,
        bf16=precision(plan.config.model) == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        logging_steps=1,
        save_strategy="steps" if training.checkpoint_every else "no",
        save_steps=training.checkpoint_every or 1,
        save_total_limit=training.keep_checkpoints,
        report_to=[],
        disable_tqdm=True,
        **vllm_settings(training.vllm),
    )


def vllm_settings(vllm: VllmConfig | None) -> dict[str, Any]:
    """The settings of TRL's trainer that make it generate by vLLM; {} if it should not."""
    if vllm is None:
        return {}
    chosen = vllm.model_dump(exclude_none=True)
    return {"use_vllm": True} | {f"vllm_{name}": value for name, value in chosen.items()}
