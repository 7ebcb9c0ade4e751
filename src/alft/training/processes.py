"""What the processes of one run tell each other, so that a failure on one ends all of them at once.

A process that raises while the others wait for its numbers leaves them waiting until the collective times out
(half an hour by default). So work that can fail is done apart from the exchange: every process says how its
own part went before anybody continues.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

from alft.errors import AlftError, Problem

T = TypeVar("T")


class ProcessError(AlftError, RuntimeError):
    """Another process of the run failed; the message carries its traceback."""


def everywhere(work: Callable[[], T]) -> T:
    """The own result of `work`, which must not wait for other processes; all processes call this.

    If it raises here, the exception propagates; if it raises elsewhere, ProcessError with that traceback.
    """
    try:
        result, failure, told = work(), None, None
    except Exception as error:
        result, failure, told = None, error, traceback.format_exc()
    reports = gather_object([told]) if several() else [told]
    if failure is not None:
        raise failure
    problems = [
        Problem(f"process {rank}", report.rstrip()) for rank, report in enumerate(reports) if report is not None
    ]
    if problems:
        raise ProcessError(problems)
    return result  # type: ignore[return-value]


def from_main(work: Callable[[], T]) -> T:
    """What `work` gives on the main process, given to all; if it raises there, it raises on all."""
    state = PartialState()
    result = everywhere(lambda: work() if state.is_main_process else None)
    told = [result]
    if several():
        broadcast_object_list(told)
    return told[0]  # type: ignore[return-value]


def any_process(flag: bool) -> bool:
    """Whether the flag is set on any process."""
    return any(gather_object([flag])) if several() else flag


def several() -> bool:
    """Whether the run has more than one process."""
    return PartialState().num_processes > 1
