"""How the starter is made: a small Qwen2 model, trained from scratch on `benchmarks.starter.corpus`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

from alft.starter.problems import WORDINGS, Problem, draw
from benchmarks.starter.corpus import Habits, corpus_solution
from benchmarks.starter.vocabulary import learn_tokenizer

IGNORED = -100  # label of a token that is not learnt
FLOOR = 0.02  # of the peak learning rate, at the end

Pair = tuple[str, str]  # question, solution
Texts = Callable[[np.random.Generator], Iterator[Pair]]


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the starter's weights, on one machine with one number of threads."""

    seed: int = 0
    steps: int = 1600
    batch: int = 64
    learning_rate: float = 3e-3
    warmup: int = 100
    tokenizer_texts: int = 8000
    hidden: int = 128
    layers: int = 3
    heads: int = 4
    habits: Habits = field(default_factory=Habits)
    texts: Texts | None = None  # another corpus than that of the arithmetic problems

    def pairs(self, rng: np.random.Generator, step: int | None = None) -> Iterator[Pair]:
        """Endless texts of the corpus; in one training step problems of one length, so that little is padded."""
        if self.texts is not None:
            return self.texts(rng)
        return corpus(rng, self.habits, None if step is None else 2 + step % 3)


def pretrain(recipe: Recipe, progress: Callable[[int, float], None]) -> tuple[Qwen2ForCausalLM, Qwen2Tokenizer]:
    """Train model and tokenizer from nothing; `progress(step, loss)` is called after every step."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    sample = islice(recipe.pairs(rng), recipe.tokenizer_texts)
    tokenizer = learn_tokenizer(f"{asked} {answer}" for asked, answer in sample)
    model = Qwen2ForCausalLM(_architecture(recipe, len(tokenizer)))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe))
    model.train()
    for step in range(recipe.steps):
        inputs, labels = _tensors(tokenizer, list(islice(recipe.pairs(rng, step), recipe.batch)))
        loss = model(input_ids=inputs, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        progress(step + 1, float(loss.detach()))
    return model.eval(), tokenizer


def save(model: Qwen2ForCausalLM, tokenizer: Qwen2Tokenizer, path: Path) -> None:
    """Write a Hugging Face directory whose generation settings do not touch the distribution."""
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)


def corpus(rng: np.random.Generator, habits: Habits, steps: int | None = None) -> Iterator[Pair]:
    """Endless pairs of question and solution over problems that are not held out, wordings by turns."""
    while True:
        problem = _training_problem(rng, steps)
        for wording, tell in WORDINGS.items():
            yield tell(problem), corpus_solution(problem, wording, habits, rng)


def _training_problem(rng: np.random.Generator, steps: int | None) -> Problem:
    while (problem := draw(rng, steps)).held_out:
        pass
    return problem


def _architecture(recipe: Recipe, vocabulary: int) -> Qwen2Config:
    return Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=recipe.hidden,
        intermediate_size=recipe.hidden * 11 // 4,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )


def _rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then a cosine down to the floor."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
    return min(1.0, (step + 1) / recipe.warmup) * (FLOOR + (1 - FLOOR) * cosine)


def _tensors(tokenizer: Qwen2Tokenizer, pairs: Sequence[Pair]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and labels (pair, token), padded on the right; only the solution is learnt.

    What the model reads is what its chat template makes of the question, token by token.
    """
    asked = tokenizer([f"<|user|>{question}<|assistant|>" for question, _ in pairs]).input_ids
    answers = tokenizer([f"{solution}<|end|>" for _, solution in pairs]).input_ids
    width = max(len(a) + len(b) for a, b in zip(asked, answers, strict=True))
    inputs = torch.zeros(len(pairs), width, dtype=torch.long)
    labels = torch.full_like(inputs, IGNORED)
    for row, (before, after) in enumerate(zip(asked, answers, strict=True)):
        end = len(before) + len(after)
        inputs[row, :end] = torch.tensor(before + after)
        labels[row, len(before) : end] = torch.tensor(after)
    return inputs, labels
