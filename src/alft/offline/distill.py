"""Weighted maximum likelihood on reweighted completions: the forward-KL projection of π* (theory.md 6).

TRL's SFTTrainer does the work; what is added is one weight per completion in the loss.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer

from alft.config import ModelConfig
from alft.errors import ConfigError, Problem, RunInterrupted
from alft.offline.parts import claim
from alft.offline.samples import Samples
from alft.offline.solve import Solution
from alft.simplex import Array
from alft.training.checkpoint import discard, find_newest
from alft.training.checkpointing import CheckpointMixin, CycleCallback
from alft.training.lock import locked
from alft.training.models import load_model
from alft.training.stopping import StopRequest, listening


@dataclass(frozen=True)
class Training:
    """How a model is distilled: batches of `batch_size` completions, `micro_batch_size` of them in a forward pass.

    `lora_rank` trains an adapter of that rank instead of all weights.
    """

    learning_rate: float = 2e-5
    epochs: float = 1.0
    batch_size: int = 64
    micro_batch_size: int = 64
    schedule: str = "linear"
    warmup_steps: int = 0
    max_length: int | None = 1024
    seed: int = 0
    lora_rank: int | None = None
    save_steps: int = 50


class WeightedTrainer(CheckpointMixin, SFTTrainer):
    """SFTTrainer whose loss is Σ_i w_i Σ_t −log π(z_it|x_i), per trained token of the batch."""

    def follow(self, callbacks: list[TrainerCallback]) -> None:
        """Save and stop only where an optimiser step ends; `callbacks` are told of every step."""
        for callback in callbacks:
            self.add_callback(callback)
        self.remove_callback(PrinterCallback)
        self.stop, self.parts = StopRequest(), []
        self.add_callback(CycleCallback(self.args.gradient_accumulation_steps, self._asked_to_stop))

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        if self._signature_columns is not None and "weight" not in self._signature_columns:
            self._signature_columns.append("weight")

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The weighted loss; without weights in `inputs` (an evaluation set, say) TRL's own."""
        if "weight" not in inputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        weight = inputs.pop("weight")
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        tokens = outputs.label_mask.sum() if num_items_in_batch is None else num_items_in_batch
        loss = -(weight[:, None] * outputs.log_probs).sum() / torch.as_tensor(tokens).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss


@dataclass
class WeightedCollator(DataCollatorForLanguageModeling):
    """TRL's collator, with the weights of the completions beside their tokens."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """One padded batch."""
        batch = super().torch_call(examples)
        return {**batch, "weight": torch.tensor([example["weight"] for example in examples])}


def to_training_set(samples: Samples, weights: Array, *, chat: bool) -> Dataset:
    """Rows `prompt`, `completion`, `weight` for completions of positive weight; `chat` as for `to_dataset`."""
    rows: list[dict[str, Any]] = []
    start = 0
    for batch in samples.texts():
        for index in np.flatnonzero(weights[start : start + len(batch)] > 0).tolist():
            row = {name: batch.column(name)[index].as_py() for name in ("prompt", "chat", "completion")}
            rows.append({**as_turns(row, chat=chat), "weight": float(weights[start + index])})
        start += len(batch)
    return Dataset.from_list(rows)


def as_turns(row: dict[str, Any], *, chat: bool) -> dict[str, Any]:
    """Prompt and completion of a row, as messages for a chat model and as text otherwise."""
    if not chat and not row["chat"]:
        return {"prompt": row["prompt"], "completion": row["completion"]}
    asked = json.loads(row["prompt"]) if row["chat"] else [{"role": "user", "content": row["prompt"]}]
    return {"prompt": asked, "completion": [{"role": "assistant", "content": row["completion"]}]}


def distill(
    solution: Solution,
    model: ModelConfig,
    training: Training,
    directory: Path,
    progress: Callable[[float], Any] | None = None,
) -> Path:
    """Fine-tune a model on the weighted completions; returns the directory of the new model, `directory`/model.

    Killed and called again, it goes on from its newest checkpoint; what is done already is not done again. Raises
    DataError if `directory` was begun with other completions, weights or settings.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory):
        claim(directory / "distill.json", _request(solution, model, training))
        if not (directory / "model").exists():
            _train(solution, model, training, directory, progress)
    return directory / "model"


def _train(
    solution: Solution, chosen: ModelConfig, training: Training, directory: Path, progress: Callable | None
) -> None:
    model, tokenizer = load_model(chosen)
    data = to_training_set(solution.samples, solution.weights, chat=tokenizer.chat_template is not None)
    callbacks: list[TrainerCallback] = [] if progress is None else [_Told(progress)]
    model = fit(model, tokenizer, data, training, Fitting(directory / "checkpoints", callbacks))
    part = directory / ".model.part"
    discard(part)
    model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    part.rename(directory / "model")
    discard(directory / "checkpoints")


@dataclass(frozen=True)
class Fitting:
    """Where checkpoints go, and who is told of every step."""

    checkpoints: Path
    callbacks: list[TrainerCallback] = field(default_factory=list)


def fit(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, data: Dataset, training: Training, fitting: Fitting
) -> PreTrainedModel:
    """Fine-tune on rows with `prompt`, `completion` and `weight`, from the newest checkpoint if there is one."""
    trainer = WeightedTrainer(
        model=model,
        args=sft_config(training, fitting.checkpoints),
        train_dataset=data,
        processing_class=tokenizer,
        data_collator=WeightedCollator(pad_token_id=int(tokenizer.pad_token_id or 0)),
        peft_config=None if training.lora_rank is None else _adapter(training.lora_rank),
    )
    trainer.follow(fitting.callbacks)
    newest = find_newest(fitting.checkpoints).path
    with listening() as trainer.stop, trainer.stop.patience():
        trainer.train(resume_from_checkpoint=None if newest is None else str(newest))
    if trainer.stop.signal is not None and trainer.state.global_step < trainer.state.max_steps:
        raise RunInterrupted(
            Problem(str(fitting.checkpoints), "was asked to stop", "run the same command to go on"),
            trainer.stop.signal,
        )
    trained: Any = trainer.model
    return trained if training.lora_rank is None else trained.merge_and_unload()


def _adapter(rank: int) -> Any:
    try:
        from peft import LoraConfig
    except ImportError:
        raise ConfigError(
            Problem("lora_rank", "the package 'peft' is missing", "pip install alft[lora]")
        ) from None
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")


def _request(solution: Solution, model: ModelConfig, training: Training) -> dict[str, Any]:
    """What a directory is for: these completions and weights, this model, these settings."""
    return {
        "samples": asdict(solution.samples.provenance),
        "weights": hashlib.sha256(np.ascontiguousarray(solution.weights)).hexdigest(),
        "model": model.model_dump(mode="json"),
        "training": asdict(training),
    }


class _Told(TrainerCallback):
    """Tells the share of the steps that are done."""

    def __init__(self, progress: Callable[[float], Any]) -> None:
        self.progress = progress

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """One optimiser step is done."""
        self.progress(state.global_step / max(state.max_steps, 1))


def sft_config(training: Training, folder: Path) -> SFTConfig:
    """TRL's settings: the loss on completions only, nothing packed, so that a weight belongs to a row."""
    return SFTConfig(
        output_dir=str(folder),
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.schedule,
        warmup_steps=training.warmup_steps,
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.micro_batch_size,
        gradient_accumulation_steps=training.batch_size // training.micro_batch_size,
        max_length=training.max_length,
        seed=training.seed,
        completion_only_loss=True,
        packing=False,
        bf16=False,
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        logging_steps=10,
        save_strategy="steps",
        save_steps=training.save_steps,
        save_total_limit=1,
        report_to=[],
        disable_tqdm=True,
    )
