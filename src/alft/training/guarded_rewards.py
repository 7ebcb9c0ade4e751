"""A user's reward functions, kept from hanging a run: their failure waits until every process has called its own.

TRL gathers rewards right after the functions ran. One that raises on one process would leave the others waiting in
that gather, and an infinite reward would silently make all advantages of its group zero.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

RewardFunction = Callable[..., Any]
LARGEST = 1e6
"""Largest absolute reward: beside a greater one every other vanishes in the 24 bits of a float32."""


class GuardedRewards:
    """Wraps reward functions; what they raised is kept until `check` raises it.

    Reward models (modules, or their names) are no functions and stay as they are.
    """

    def __init__(self, functions: Sequence[Any]) -> None:
        self.failures: list[Exception] = []
        self.functions = [self._guard(function) for function in functions]

    def check(self) -> None:
        """Raise the first failure since the last check."""
        failures, self.failures = self.failures, []
        if failures:
            raise failures[0]

    def _guard(self, function: Any) -> Any:
        if isinstance(function, str | nn.Module):
            return function
        guarded = self._async(function) if inspect.iscoroutinefunction(function) else self._sync(function)
        guarded.__name__ = name_of(function)
        return guarded

    def _sync(self, function: RewardFunction) -> RewardFunction:
        @functools.wraps(function, updated=())
        def guarded(**columns: Any) -> list[float | None]:
            try:
                return checked(name_of(function), function(**columns), columns["completions"])
            except Exception as error:
                return self._failed(error, columns["completions"])

        return guarded

    def _async(self, function: RewardFunction) -> RewardFunction:
        @functools.wraps(function, updated=())
        async def guarded(**columns: Any) -> list[float | None]:
            try:
                return checked(name_of(function), await function(**columns), columns["completions"])
            except Exception as error:
                return self._failed(error, columns["completions"])

        return guarded

    def _failed(self, error: Exception, completions: Sequence[Any]) -> list[float | None]:
        self.failures.append(error)
        return [None] * len(completions)


def name_of(function: RewardFunction) -> str:
    """What the function's metrics are called."""
    return getattr(function, "__name__", type(function).__name__)


def checked(name: str, rewards: Sequence[Any], completions: Sequence[Any]) -> list[float | None]:
    """The rewards as numbers; ValueError unless each completion has one within bounds, or None or nan."""
    numbers = [None if reward is None else float(reward) for reward in rewards]
    if len(numbers) != len(completions):
        raise ValueError(f"{name} gave {len(numbers)} rewards for {len(completions)} completions")
    for number, completion in zip(numbers, completions, strict=True):
        if number is not None and abs(number) > LARGEST:  # nan is no reward, and passes
            told = f"{name} gave the reward {number:g} for {str(completion)[:200]!r}"
            raise ValueError(f"{told}: rewards must be within ±{LARGEST:g}")
    return numbers
