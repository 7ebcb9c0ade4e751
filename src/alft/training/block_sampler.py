"""The order of training rows: all views of a question stay together, in an order fixed by (seed, epoch).

A coherence game needs every view of a question in the same generation batch, G samples of each in a row
(vLLM server mode takes every G-th prompt, so views never interleave inside a group). Because the order of
an epoch is a pure function of (seed, epoch), what a run sees does not depend on how it came to that epoch.
"""

from collections.abc import Callable, Iterator, Sequence
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


@dataclass(frozen=True)
class Order:
    """A shuffled order of questions, another one every epoch: a pure function of (`seed`, `epoch()`).

    The epoch is asked for when a pass over the data starts. It can't be known beforehand: the loader that
    accelerate puts around a sampler after a resume on several processes does not hand `set_epoch` on.
    """

    seed: int
    epoch: Callable[[], int]

    def rng(self) -> np.random.Generator:
        """The random numbers of this epoch, from their beginning."""
        return np.random.default_rng([self.seed, self.epoch()])

    def of(self, count: int) -> np.ndarray:
        """The numbers 0, …, count − 1 in this epoch's order, as `BlockSampler` takes them."""
        return self.rng().permutation(count)


Blocks = list[list[int]]
"""Rows of each question's views."""


def blocks_of(question_ids: Sequence[str]) -> Blocks:
    """Rows of each question, in the order in which questions first appear.

    >>> blocks_of(["a", "b", "a", "b", "b"])
    [[0, 2], [1, 3, 4]]
    """
    rows: dict[str, list[int]] = {}
    for row, question in enumerate(question_ids):
        rows.setdefault(question, []).append(row)
    return list(rows.values())


def views_drawn(blocks: Blocks, wanted: int | None) -> int:
    """How many views of each question a batch holds: as many as wanted, else the fewest that a question has.

    Raises ConfigError if a question has fewer than wanted.
    """
    fewest = min(map(len, blocks), default=1)
    if wanted is not None and not 1 <= wanted <= fewest:
        what = f"{wanted} views a question are wanted, and a question has {fewest}"
        raise ConfigError(Problem("views_per_step", what, f"use 1 to {fewest}, or add phrasings"))
    return fewest if wanted is None else wanted


class BlockSampler(Sampler[int]):
    """Yields row indices for TRL's trainers: whole questions, as blocks in an order, each row `samples` times.

    A question with more views than a batch holds of each is asked in some of them, redrawn in every epoch.
    Questions that do not fill the last batch of an epoch wait for another epoch, whose order differs. Without an
    order all epochs are the same, and what does not fit is never asked.
    """

    def __init__(
        self, blocks: Blocks, shape: BatchShape, order: Order | None = None, views: int | None = None
    ) -> None:
        self.blocks, self.shape, self.order = blocks, shape, order
        self.views = views = views_drawn(blocks, views)
        if shape.rows % views:
            low = shape.rows // views * views
            nearest = " or ".join(str(n * shape.samples) for n in (low, low + views) if n > 0)
            size, question = shape.rows * shape.samples, f"{views} views × {shape.samples} samples"
            what = f"{size} completions do not hold whole questions of {question}"
            raise ConfigError(Problem("generation_batch_size", what, f"the nearest values that fit are {nearest}"))
        if len(self) == 0:
            batch = shape.rows // views
            what = f"{len(blocks)} questions do not fill one batch of {batch}"
            remedy = f"give at least {batch} questions, or ask for fewer a step"
            raise ConfigError(Problem("train_dataset", what, remedy))

    def __len__(self) -> int:
        questions = self.shape.rows // self.views
        batches = len(self.blocks) // questions
        return batches * self.shape.rows * self.shape.samples * self.shape.repeats

    def __iter__(self) -> Iterator[int]:
        rows = np.array([row for block in self._ordered() for row in block])
        for start in range(0, len(rows) - self.shape.rows + 1, self.shape.rows):
            batch = np.repeat(rows[start : start + self.shape.rows], self.shape.samples)
            for _ in range(self.shape.repeats):
                yield from batch.tolist()

    def _ordered(self) -> Iterator[list[int]]:
        """Questions in this epoch's order, each with the views that it is asked in."""
        if self.order is None:
            yield from (block[: self.views] for block in self.blocks)
            return
        rng = self.order.rng()
        for question in rng.permutation(len(self.blocks)):
            block = self.blocks[question]
            chosen = rng.choice(block, size=self.views, replace=False) if len(block) > self.views else block
            yield sorted(int(row) for row in chosen)
