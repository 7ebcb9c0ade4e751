"""The order of training rows: all views of a question stay together, in an order fixed by (seed, epoch).

A coherence game needs every view of a question in the same generation batch, G samples of each in a row
(vLLM server mode takes every G-th prompt, so views never interleave inside a group). Because the order of
an epoch is a pure function of (seed, epoch), what a run sees does not depend on how it came to that epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Sampler

from alft.errors import ConfigError, Problem


@dataclass(frozen=True)
class BatchShape:
    """How a generation batch is laid out.

    `rows` prompts a batch, `samples` G completions a prompt, the whole batch served `repeats` times
    (once per optimiser pass over the same completions).
    """

    rows: int
    samples: int
    repeats: int = 1


def blocks_of(question_ids: Sequence[str]) -> np.ndarray:
    """Rows of each question, axes (question, view), in the order in which questions first appear.

    Raises ConfigError if questions differ in their number of views: one batch holds blocks of one size.

    >>> blocks_of(["a", "b", "a", "b"]).tolist()
    [[0, 2], [1, 3]]
    """
    rows: dict[str, list[int]] = {}
    for row, question in enumerate(question_ids):
        rows.setdefault(question, []).append(row)
    sizes = {len(views) for views in rows.values()}
    if len(sizes) > 1:
        raise ConfigError(
            Problem(
                "train_dataset",
                f"questions have different numbers of views: {sorted(sizes)}",
                "give every question the same number of views",
            )
        )
    return np.array(list(rows.values()))


class BlockSampler(Sampler[int]):
    """Yields row indices for TRL's trainers: whole questions, shuffled as blocks, each row `samples` times.

    Questions that do not fill the last batch of an epoch wait for another epoch, whose order differs.
    """

    def __init__(self, blocks: np.ndarray, shape: BatchShape, *, shuffle: bool, seed: int) -> None:
        self.blocks, self.shape, self.shuffle, self.seed, self.epoch = blocks, shape, shuffle, seed, 0
        views = blocks.shape[1]
        if shape.rows % views:
            low = shape.rows // views * views
            nearest = " or ".join(str(n * shape.samples) for n in (low, low + views) if n > 0)
            raise ConfigError(
                Problem(
                    "generation_batch_size",
                    f"{shape.rows * shape.samples} completions do not hold whole questions of {views} views "
                    f"× {shape.samples} samples",
                    f"the nearest values that fit are {nearest}",
                )
            )
        if len(self) == 0:
            raise ConfigError(
                Problem(
                    "train_dataset",
                    f"{len(blocks)} questions do not fill one batch of {shape.rows // views}",
                    f"give at least {shape.rows // views} questions, or ask for fewer a step",
                )
            )

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration yields."""
        self.epoch = epoch

    def __len__(self) -> int:
        questions = self.shape.rows // self.blocks.shape[1]
        batches = len(self.blocks) // questions
        return batches * self.shape.rows * self.shape.samples * self.shape.repeats

    def __iter__(self) -> Iterator[int]:
        order = np.arange(len(self.blocks))
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(order)
        rows = self.blocks[order].reshape(-1)
        for start in range(0, len(rows) - self.shape.rows + 1, self.shape.rows):
            batch = np.repeat(rows[start : start + self.shape.rows], self.shape.samples)
            for _ in range(self.shape.repeats):
                yield from batch.tolist()
