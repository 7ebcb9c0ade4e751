"""What the processes of one run tell each other, so that a failure on one ends all of them at once.

A process that raises while the others wait for its numbers leaves them waiting until the collective times out
(half an hour by default). So work that can fail is done apart from the exchange: every process says how its
own part went before anybody continues.
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.commands.config.config_args import default_config_file, load_config_from_file
from accelerate.utils import broadcast_object_list, gather_object

from alft.errors import AlftError, ConfigError, Problem

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
    reports = everyone(told)
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


def everyone(value: T) -> list[T]:
    """The value of each process; all processes call this."""
    return gather_object([value]) if several() else [value]


def any_process(flag: bool) -> bool:
    """Whether the flag is set on any process."""
    return any(everyone(flag))


def several() -> bool:
    """Whether the run has more than one process."""
    return PartialState().num_processes > 1


def join() -> bool:
    """Meet the other processes of a launch, each on its own device; returns whether this one speaks for all.

    Raises ConfigError where several processes were asked for, and this one would train alone.
    """
    launched = int(os.environ.get("WORLD_SIZE", 1))
    asked = max(launched, _asked_of_accelerate())
    if asked == 1:
        return True
    # every process measures the model before it trains, and so loads it whole
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"
    state = PartialState(cpu=not torch.cuda.is_available())
    if state.num_processes != asked:
        told = f"{asked} processes were asked for, and this one would train alone"
        remedy = f"launch it with `torchrun --nproc_per_node {asked} -m alft train …`"
        raise ConfigError(Problem("launch", told, remedy))
    if state.device.type == "cuda":
        torch.cuda.set_device(state.device)
    return state.is_main_process


def _asked_of_accelerate() -> int:
    """Processes that `accelerate launch` should start: on a CPU it may start one without a word."""
    if "ACCELERATE_MIXED_PRECISION" not in os.environ or "WORLD_SIZE" in os.environ:
        return 1
    try:
        command = Path(f"/proc/{os.getppid()}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
    except OSError:
        return 1
    if "accelerate" not in command:
        return 1
    if (given := re.search(r"--num[_-]processes[ =](\d+)", command)) is not None:
        return int(given[1])
    named = re.search(r"--config_file[ =](\S+)", command)
    file = Path(named[1] if named else default_config_file)
    return int(load_config_from_file(str(file)).num_processes) if file.is_file() else 1
