"""`alft train`: measure, train, measure again, and leave a run directory that explains itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
)
from trl.trainer.grpo_config import GRPOConfig

from alft import starter
from alft.config import BUILT_IN, ModelConfig, RunConfig
from alft.config_file import dump_config
from alft.errors import ConfigError, Problem
from alft.estimators import Estimator
from alft.evaluation import Evaluation, EvaluationSettings, compare, evaluate_model
from alft.games import NAMED
from alft.plan import Plan
from alft.questions import Question, dump_questions
from alft.rewards import Scoring
from alft.training.callbacks import MetricsCallback, WatchCallback
from alft.training.collapse import CollapseWatch
from alft.training.dataset import to_dataset
from alft.training.probe import ConsensusProbe, consensus_answers
from alft.training.rundir import RunDirectory
from alft.training.scorer import Row, ScoredBatch
from alft.training.trl import AlignmentGameTrainer, faithful_config


@dataclass(frozen=True)
class RunResult:
    """What a run came to: its directory and the content of its results.json."""

    directory: Path
    results: dict[str, Any]


def train(plan: Plan, console: Console | None = None) -> RunResult:
    """Run a plan. The model trained is measured on held-out questions before and after.

    If answers collapse across questions the run stops, the last good model is restored, measured and saved,
    and `results["training"]["stopped"]` says why.
    """
    console = console or Console(stderr=True)
    set_threads(plan.config.training.threads)
    model, tokenizer = load_model(plan.config.model)
    run = RunDirectory(plan.directory, dump_config(plan.config))
    dump_questions(plan.held_out, run.path / "questions.jsonl")
    try:
        with _progress(console) as progress:
            return _Run(plan, run, progress).execute(model, tokenizer)
    finally:
        run.close()


@dataclass(frozen=True)
class _Run:
    plan: Plan
    run: RunDirectory
    progress: Progress

    def execute(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> RunResult:
        before = self._evaluate(model, tokenizer, "before")
        watch = self._watch(tokenizer, before)
        training = self._train(model, tokenizer, watch)
        results = {"before": before.summary()}
        good = watch.last_good() if watch is not None else None
        if good is not None:
            results["at_stop"] = self._evaluate(model, tokenizer, "at_stop").summary()
            training["restored_step"] = good[0]
            model = _reload(model, good[1])
        after = self._evaluate(model, tokenizer, "after")
        results |= {"after": after.summary(), "difference": compare(before, after), "training": training}
        if watch is not None:
            watch.clear()
        model.save_pretrained(self.run.model)
        tokenizer.save_pretrained(self.run.model)
        self.run.write_json("results.json", results)
        return RunResult(self.run.path, results)

    def _watch(self, tokenizer: PreTrainedTokenizerBase, before: Evaluation) -> WatchCallback | None:
        chosen = self.plan.config.watch
        if not chosen.enabled:
            return None
        asked = self.plan.held_out[: chosen.probe_questions or 0]
        settings = replace(evaluation_settings(self.plan.config), samples=chosen.probe_samples, greedy=False)
        probe = ConsensusProbe(asked, consensus_answers(before), settings)
        return WatchCallback(
            CollapseWatch(chosen.window, chosen.information_loss or 0.0, chosen.unread),
            self.run.path / "good",
            chosen.every,
            (lambda model: probe.share(model, tokenizer)) if asked else None,
            chosen.drop,
        )

    def _train(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, watch: WatchCallback | None
    ) -> dict[str, Any]:
        config, steps = self.plan.config, self.plan.config.training.steps
        task = self.progress.add_task("training", total=steps, metrics="")
        metrics = MetricsCallback(self.run, self.progress, task)
        started = time.monotonic()

        def on_batch(step: int, rows: Sequence[Row], batch: ScoredBatch) -> None:
            if watch is not None:
                watch.see(step, batch)
            self.run.log_completions(_training_records(step, rows, self.plan))

        trainer = AlignmentGameTrainer(
            model=model,
            game=scoring_of(config),
            args=trl_config(self.plan, self.run.path),
            on_batch=on_batch,
            train_dataset=to_dataset(self.plan.train, chat=tokenizer.chat_template is not None),
            processing_class=tokenizer,
            callbacks=[metrics, *([] if watch is None else [watch])],
        )
        trainer.remove_callback(PrinterCallback)  # the progress bar shows what it would print
        trainer.train()
        return {
            "game": config.game,
            "steps": trainer.state.global_step,
            "completions": trainer.state.global_step * self.plan.completions_per_step,
            "seconds": time.monotonic() - started,
            "stopped": None if watch is None else watch.reason,
            "consensus_kept": {} if watch is None else watch.shares,
        }

    def _evaluate(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, phase: str) -> Evaluation:
        task = self.progress.add_task(f"measuring {phase}", total=1.0, metrics="")
        result = evaluate_model(
            model,
            tokenizer,
            self.plan.held_out,
            evaluation_settings(self.plan.config),
            progress=lambda share: self.progress.update(task, completed=share),
        )
        self.run.log_completions(result.rows(phase))
        return result


def measure(config: RunConfig, questions: Sequence[Question], console: Console | None = None) -> Evaluation:
    """Measure the model of a configuration on questions, training nothing."""
    set_threads(config.training.threads)
    model, tokenizer = load_model(config.model)
    with _progress(console or Console(stderr=True)) as progress:
        task = progress.add_task("measuring", total=1.0, metrics="")
        settings = evaluation_settings(config)
        return evaluate_model(
            model,
            tokenizer,
            questions,
            settings,
            progress=lambda share: progress.update(task, completed=share),
        )


def evaluation_settings(config: RunConfig) -> EvaluationSettings:
    """How a configuration measures: its samples, batch and seed, completions as long as in training."""
    chosen = config.evaluation
    return EvaluationSettings(
        samples=chosen.samples,
        max_new_tokens=config.training.max_new_tokens or EvaluationSettings.max_new_tokens,
        batch_size=chosen.batch_size,
        seed=chosen.seed,
    )


def set_threads(threads: int | None) -> None:
    """Fix torch's CPU threads for this process: the given number, else one per core up to two."""
    import os

    torch.set_num_threads(threads or min(os.cpu_count() or 1, 2))


def load_model(config: ModelConfig) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a directory, a Hub id or the built-in starter, padded on the left to generate.

    Raises ConfigError if there is no such model, or none that can be had from here.
    """
    path = str(starter.model_path()) if config.path == BUILT_IN else config.path
    attention = {"attn_implementation": "eager"} if config.path == BUILT_IN else {}
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, revision=config.revision, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(
            path, revision=config.revision, dtype=getattr(torch, config.dtype), **attention
        )
    except (OSError, ValueError) as error:
        told = " ".join(str(error).split())[:200]
        remedy = "check the name; a gated model needs HF_TOKEN, an offline machine a local directory"
        raise ConfigError(Problem("model.path", f"{config.path!r} can't be loaded ({told})", remedy)) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return _on(model, "cuda" if torch.cuda.is_available() else "cpu"), tokenizer


def _reload(model: PreTrainedModel, path: Path) -> PreTrainedModel:
    """The model kept in a directory, as the given one was loaded and where it is."""
    attention = model.config._attn_implementation
    kept = type(model).from_pretrained(path, dtype=model.dtype, attn_implementation=attention)
    return _on(kept, str(model.device))


def _on(model: Any, device: str) -> PreTrainedModel:
    """The model on a device; `to` of transformers 5 is not typed as a method."""
    return model.to(device)


def scoring_of(config: RunConfig) -> Scoring:
    """The game of a configuration with its estimator, baseline and unread penalty."""
    chosen = config.scoring
    estimator = Estimator(own=chosen.own, log=chosen.log, prior=chosen.prior, cap=chosen.cap)
    return Scoring(NAMED[config.game](), estimator, chosen.baseline, chosen.unread_penalty)


def trl_config(plan: Plan, output: Path) -> GRPOConfig:
    """TRL's settings for a plan: one generation batch and one optimiser step at a time, nothing saved by TRL."""
    training, batch = plan.config.training, plan.completions_per_step
    micro = training.micro_batch_size or batch
    return faithful_config(
        output_dir=str(output),
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.schedule,
        warmup_steps=training.warmup_steps,
        max_steps=training.steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=batch // micro,
        num_generations=training.samples,
        max_completion_length=training.max_new_tokens,
        max_grad_norm=training.max_grad_norm,
        seed=training.seed,
        bf16=False,
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


def _training_records(step: int, rows: Sequence[Row], plan: Plan) -> list[dict[str, Any]]:
    views = {question.id: question.views for question in plan.train}
    return [
        {
            "phase": "train",
            "step": step,
            "question_id": row.question,
            "view": views[row.question][row.view].name,
            "kind": "sampled",
            "sample": index % plan.config.training.samples,
            "completion": row.text,
            "key": row.key,
            "right": None if row.gold is None else row.key in row.gold,
        }
        for index, row in enumerate(rows)
    ]


def _progress(console: Console) -> Progress:
    """A line a phase with the game's metrics; nothing where nobody watches (a log, a pipe)."""
    return Progress(
        TextColumn("{task.description:>16}"),
        BarColumn(bar_width=10),
        TextColumn("{task.completed:>4.4g}/{task.total:g}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[metrics]}"),
        console=console,
        disable=not console.is_terminal,
    )
