"""Weighted maximum likelihood by TRL's SFTTrainer: what is added is one weight per completion in the loss."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, TrainerCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer

from alft.config.schema import LoraConfig, RunConfig
from alft.errors import ConfigError, DataError, DivergedError, Problem, RunInterrupted
from alft.models.base import finite
from alft.models.loading import adapter, merged
from alft.models.shared import LONGEST, SharedCollator, differs, shared, warn_apart
from alft.storage.checkpoint import discard, find_newest
from alft.training.callbacks import GradientGuard
from alft.training.saving import CheckpointMixin
from alft.training.stopping import listening

FORWARD = 64  # completions in a forward pass, at most, unless it is said otherwise
HALVED = 2.0  # by default, prompts are shared where that divides the number of tokens by this or more


@dataclass(frozen=True)
class Training:
    """How a model is distilled: batches of `batch_size` completions, `micro_batch_size` of them in a forward pass.

    `micro_batch_size`: by default the largest divisor of `batch_size` up to 64. Completions that are, with their
    prompt, longer than `max_length` tokens (by default what the model can hold) are left out and counted: cut
    off, they would teach another answer. `lora` trains an adapter instead of all weights. `share_prompts`: the
    completions of a prompt are one sequence (`alft.models.shared`), and a batch holds whole ones, of about
    `batch_size` completions; None: where that at least halves the tokens. Raises ConfigError.
    """

    learning_rate: float = 2e-5
    epochs: float = 1.0
    batch_size: int = 64
    micro_batch_size: int | None = None
    schedule: str = "linear"
    warmup_steps: int = 0
    max_length: int | None = None
    seed: int = 0
    lora: LoraConfig | None = None
    save_steps: int = 50
    bf16: bool = False
    share_prompts: bool | None = False

    def __post_init__(self) -> None:
        positive = ("learning_rate", "epochs", "batch_size", "micro_batch_size", "max_length", "save_steps")
        problems = [
            Problem(name, f"must be more than 0, not {value}")
            for name in positive
            if (value := getattr(self, name)) is not None and not 0 < value < float("inf")
        ]
        if 1 < self.learning_rate < float("inf"):
            problems.append(Problem("learning_rate", f"must be at most 1, not {self.learning_rate:g}"))
        micro = self.micro_batch_size
        if not problems and micro is not None and self.batch_size % micro:
            what = f"{micro} completions in a forward pass do not divide a batch of {self.batch_size}"
            problems.append(Problem("micro_batch_size", what, "choose a divisor of it"))
        if problems:
            raise ConfigError(problems)

    @property
    def forward(self) -> int:
        """Completions in a forward pass, decided."""
        return self.micro_batch_size or _divisor(self.batch_size, min(self.batch_size, FORWARD))

    def room(self, length: int, rows: int) -> int:
        """Tokens for each of the `rows` of a forward pass, where completions have up to `length` with prompts."""
        return max(length, LONGEST // rows) if self.share_prompts else length

    def in_sequences(self, sequences: Sequence[int], rows: Sequence[int]) -> Self:
        """The same for `sequences` that hold the completions of `rows`, both given by their lengths in tokens.

        A batch has about as many completions, and a forward pass no more tokens, unless a single sequence has.
        """
        size = max(round(self.batch_size * len(sequences) / len(rows)), 1)
        size -= size % (4 if size > 8 else 2 if size > 4 else 1)  # a prime has no parts
        most = max(min(self.forward * max(rows) // max(sequences), size), 1)
        return replace(self, batch_size=size, micro_batch_size=_divisor(size, most))


def training_of(config: RunConfig, *, max_length: int | None = None, bf16: bool = False) -> Training:
    """How a resolved configuration trains offline; what it has no settings for is given beside it."""
    training, offline = config.training, config.offline
    return Training(
        learning_rate=Training.learning_rate if training.learning_rate is None else training.learning_rate,
        epochs=offline.epochs,
        batch_size=offline.batch_size,
        micro_batch_size=training.micro_batch_size,
        schedule=training.schedule or Training.schedule,
        warmup_steps=training.warmup_steps or 0,
        max_length=max_length,
        seed=training.seed,
        lora=config.lora,
        save_steps=training.checkpoint_every or Training.save_steps,
        bf16=bf16,
        share_prompts=training.share_prompts or offline.share_prompts,
    )


def _divisor(number: int, most: int) -> int:
    return next(n for n in range(most, 0, -1) if number % n == 0)


class WeightedTrainer(CheckpointMixin, SFTTrainer):
    """SFTTrainer whose loss is Σ_i w_i Σ_t −log π(z_it|x_i), per trained token of the batch."""

    def leave_out(self, longer_than: int | None) -> int:
        """Leave out rows of more tokens than that; how many. Raises DataError if none is left."""
        rows: Any = self.train_dataset
        short = rows if longer_than is None else rows.filter(lambda row: len(row["input_ids"]) <= longer_than)
        if len(short) == 0:
            what = f"all {len(rows)} are longer than {longer_than} tokens"
            raise DataError(Problem("completions", what, "raise max_length, or take a model that holds more"))
        self.train_dataset = short
        return len(rows) - len(short)

    def share_prompts(self, training: Training) -> None:
        """Train the completions of a prompt in one sequence, or warn that this model can't be trained so."""
        rows: Any = self.train_dataset
        together: Any = shared(rows)
        lengths = [[len(ids) for ids in each["input_ids"]] for each in (together, rows)]
        longest, planned = max(lengths[0]), training.forward * max(lengths[1])  # tokens of a forward pass
        worth = longest <= planned and sum(lengths[1]) >= HALVED * sum(lengths[0])
        if training.share_prompts is None and not worth:
            return
        why = differs(self.model, max(rows.to_list(), key=lambda row: len(row["input_ids"])), longest)
        if why is not None:
            warn_apart(why)
            return
        parts = training.in_sequences(*lengths)
        self.args.per_device_train_batch_size = parts.forward
        self.args.gradient_accumulation_steps = parts.batch_size // parts.forward
        self._train_batch_size = self.args.train_batch_size
        self.train_dataset, self.data_collator = together, SharedCollator.of(self.model)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        if self._signature_columns is not None and "weight" not in self._signature_columns:
            self._signature_columns += ["weight", "position_ids", "segment"]

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
        weight = weight[:, None] if weight.ndim == 1 else weight[:, 1:]  # of a completion, or of each token
        loss = -(weight * outputs.log_probs).sum() / torch.as_tensor(tokens).clamp(min=1)
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


@dataclass(frozen=True)
class Fitted:
    """The trained model, how many rows it saw in an epoch, how many were left out, and the optimizer steps."""

    model: PreTrainedModel
    rows: int
    left_out: int
    steps: int


def fit(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    data: Dataset,
    training: Training,
    checkpoints: Path,
    callbacks: Sequence[TrainerCallback] = (),
) -> Fitted:
    """Fine-tune on rows with `prompt`, `completion` and `weight`, from the newest checkpoint if there is one.

    `callbacks` are called at every step. Raises RunInterrupted when it was asked to stop, with a checkpoint saved,
    DataError if all rows are too long, and DivergedError, with nothing saved, at numbers that are not finite.
    """
    pad: Any = tokenizer.pad_token_id
    guard = GradientGuard(1)
    trainer = WeightedTrainer(
        model=model,
        args=sft_config(training, checkpoints),
        train_dataset=data,
        processing_class=tokenizer,
        data_collator=WeightedCollator(pad_token_id=pad or 0),
        peft_config=adapter(training.lora),
        callbacks=[*callbacks, guard],
    )
    trainer.remove_callback(PrinterCallback)
    left_out = trainer.leave_out(training.max_length or getattr(model.config, "max_position_embeddings", None))
    if training.share_prompts is not False:
        trainer.share_prompts(training)
    trainer.follow_cycles(trainer.args.gradient_accumulation_steps)  # where an optimizer step ends
    newest = find_newest(checkpoints).path
    with listening() as trainer.stop, trainer.stop.patience():
        trainer.train(resume_from_checkpoint=None if newest is None else str(newest))
    if guard.bad or not finite(trainer.model):
        discard(checkpoints)
        what = f"{'the gradient is' if guard.bad else 'the weights are'} not finite"
        remedy = "lower the learning rate (--lr, training.learning_rate), or look at the column weight"
        raise DivergedError(Problem(f"step {trainer.state.global_step}", what, remedy))
    if trainer.stop.signal is not None and trainer.state.global_step < trainer.state.max_steps:
        problem = Problem(str(checkpoints), "was asked to stop", "run the same command to resume")
        raise RunInterrupted(problem, trainer.stop.signal)
    return Fitted(merged(trainer.model), len(data) - left_out, left_out, trainer.state.global_step)


def sft_config(training: Training, folder: Path) -> SFTConfig:
    """TRL's settings: loss on completions only, nothing packed or cut off, so that a weight belongs to a row."""
    return SFTConfig(
        output_dir=str(folder),
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.schedule,
        warmup_steps=training.warmup_steps,
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.forward,
        gradient_accumulation_steps=training.batch_size // training.forward,
        max_length=None,
        seed=training.seed,
        completion_only_loss=True,
        packing=False,
        bf16=training.bf16,
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        logging_steps=10,
        save_strategy="steps",
        save_steps=training.save_steps,
        save_total_limit=1,
        report_to=[],
        disable_tqdm=True,
    )
