"""How a run trains: live by TRL's trainers, with vLLM or without, or offline."""

import json
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from alft.completions import STOP
from alft.config.section import AboveZero, Amount, NonNegative, Positive, Section, Seed, setting


class VllmConfig(Section):
    """Generation by vLLM, as TRL drives it; needs a GPU and the package. Not bitwise reproducible."""

    mode: Literal["colocate", "server"] = setting("colocate", "in this process, or by `trl vllm-serve` elsewhere")
    server_base_url: str | None = setting(None, "address of the server, http://HOST:PORT")
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = setting(0.3, "share of GPU memory, colocated")
    tensor_parallel_size: Positive = setting(1, "GPUs that share a model, colocated")
    max_model_length: Positive | None = setting(None, "tokens of prompt and completion together")

    @model_validator(mode="after")
    def _address_of_a_server(self) -> Self:
        if self.server_base_url is not None and self.mode == "colocate":
            raise ValueError("server_base_url is of mode: server")
        return self


Tracker = Literal["clearml", "comet_ml", "dvclive", "mlflow", "swanlab", "tensorboard", "trackio", "wandb"]


class TrainingConfig(Section):
    """How long, how fast, on what batches."""

    trainer: Literal["grpo", "rloo", "offline"] = setting(
        "grpo",
        "TRL's trainer that plays the game live; or offline: sample once, solve the game exactly, "
        "fine-tune on the weighted completions, as the section `offline` says",
    )
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = setting(
        None, "peak learning rate; by default 1e-5 live, 2e-5 offline, and ten times that for an adapter"
    )
    schedule: Literal["constant", "linear", "cosine"] | None = setting(None, "how it decays")
    warmup_steps: NonNegative | None = setting(None, "steps of linear warm-up")
    steps: Positive = setting(60, "optimiser steps")
    questions_per_step: Positive = setting(8, "questions in a generation batch, all views of each")
    views_per_step: Positive | None = setting(
        None, "views drawn of each question in an epoch; by default all, or the fewest that a question has"
    )
    samples: Annotated[int, Field(ge=2)] = setting(8, "completions per view (G, num_generations)")
    steps_per_generation: Positive = setting(
        1,
        "optimiser steps among which a generation batch is divided; above 1 the game is not played "
        "exactly (TRL's setting of this name counts micro-batches)",
    )
    num_iterations: Positive = setting(1, "passes over a generation batch; above 1 the game is not played exactly")
    micro_batch_size: Positive | None = setting(None, "completions in one forward pass")
    share_prompts: bool | None = setting(
        None,
        "read each prompt once for all its completions: the same gradients to rounding, faster where answers are "
        "short; by default in live runs of one process, unless the model is built-in",
    )
    max_new_tokens: Positive | None = setting(None, "longest completion")
    stop: list[Annotated[str, Field(min_length=1)]] | None = setting(
        None,
        "stop strings: a completion ends before the first one, also when sampling and measuring; by "
        f"default none with a chat template, else {', '.join(map(json.dumps, STOP))}",
    )
    max_grad_norm: AboveZero = setting(1.0, "gradient clipping")
    seed: Seed = setting(0, "order of questions and sampling")
    threads: Positive | None = setting(None, "CPU threads; default: OMP_NUM_THREADS, else one per core, at most 2")
    checkpoint_every: NonNegative = setting(
        20, "steps between checkpoints, rounded up to whole generation batches; 0: only when stopped"
    )
    keep_checkpoints: Positive = setting(2, "how many checkpoints are kept")
    report_to: list[Tracker] = setting([], "trackers that get the metrics too; one that fails never ends a run")
    vllm: VllmConfig | None = setting(None, "generate by vLLM")


class OfflineConfig(Section):
    """How `training.trainer: offline` works: one sampling pass, an exact solution, weighted fine-tuning."""

    samples: Positive | None = setting(
        None, "completions per view of each training question, sampled once; by default 16 (built-in: 4)"
    )
    epochs: AboveZero = setting(1.0, "passes over the weighted completions")
    batch_size: Positive = setting(64, "completions in an optimiser step")
    share_prompts: bool | None = setting(
        None,
        "train all completions of a prompt as one sequence, which reads it once; a batch then holds whole "
        "prompts. By default where that at least halves the tokens, unless the model is built-in",
    )
    shrinkage: Amount | None = setting(
        None, "answers that other views lend to a view's marginal; default: 1 for games that compare views, else 0"
    )
    borrow: bool = setting(True, "train a view on other views' completions too (theory.md 6.1)")
    scored: bool | None = setting(
        None,
        "borrow by how likely the model makes each completion under each view, by default unless the "
        "model is built-in; false: only for answers that a view never gave, from all completions with that answer "
        "alike",
    )
