"""What the processes of one run tell each other, so that a failure on one ends all of them at once.

A process that raises while the others wait for its numbers leaves them waiting until the collective times out
(half an hour by default). So work that can fail is done apart from the exchange: every process says how its
own part went before anybody continues.
"""

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object, get_int_from_env

from alft.errors import AlftError, ConfigError, Problem

T = TypeVar("T")
SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")  # torchrun's, MPI's


class ProcessError(AlftError, RuntimeError):
    """Another process of the run failed; the message carries its traceback."""


class LostProcessError(AlftError, RuntimeError):
    """Another process of the run is gone: it was killed, or its machine can't be reached."""


@contextmanager
def naming_loss() -> Iterator[None]:
    """Report that another process is gone; other errors are raised as they are.

    Raises LostProcessError for it.
    """
    try:
        yield
    except RuntimeError as error:
        if not lost(error):
            raise
        what = f"process {PartialState().process_index} lost another one, which was killed or failed alone"
        remedy = "look above for its error; the same launch with --resume continues from the last checkpoint"
        raise LostProcessError(Problem("launch", what, remedy)) from error


def lost(error: BaseException) -> bool:
    """Whether an error is one of the exchange between processes, which fails where another one is gone."""
    return several() and (isinstance(error, torch.distributed.DistError) or "/gloo/" in str(error))


def everywhere(work: Callable[[], T]) -> T:
    """The own result of `work`, which must not wait for other processes; all processes call this.

    If it raises here, the exception propagates; if it raises elsewhere, ProcessError with that traceback.
    """
    try:
        result, failure, trace = work(), None, None
    except Exception as error:
        result, failure, trace = None, error, traceback.format_exc()
    reports = everyone(trace)
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
    main = PartialState().is_main_process
    shared = [everywhere(lambda: work() if main else None)]
    if several():
        broadcast_object_list(shared)
    return shared[0]  # type: ignore[return-value]


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
    # on a CPU `accelerate launch` starts one process, to which it names an address for the others
    launched = get_int_from_env(SIZES, 0)
    unmet = not launched and "ACCELERATE_MIXED_PRECISION" in os.environ and "MASTER_ADDR" in os.environ
    if launched < 2 and not unmet:
        return True
    # every process measures the model before it trains, and so loads it whole
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"
    state = PartialState(cpu=not torch.cuda.is_available())
    if state.num_processes < max(2, launched):
        what = "several processes were asked for, and this one would train alone"
        remedy = "launch it with `torchrun --nproc_per_node 2 -m alft train …`, or whatever number you asked for"
        raise ConfigError(Problem("launch", what, remedy))
    if state.device is not None and state.device.type == "cuda":
        torch.cuda.set_device(state.device)
    return state.is_main_process
