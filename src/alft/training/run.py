"""`alft train`: measure, train, measure again, and leave a run directory that explains itself."""

from __future__ import annotations

import errno
import logging
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from accelerate import PartialState
from accelerate.utils.memory import should_reduce_batch_size
from rich.console import Console

from alft.errors import AlftError, CheckpointError, OutOfMemoryError, Problem, RunInterrupted
from alft.evaluation.results import Results
from alft.models.loading import load_model, set_threads
from alft.plan.plan import Plan, Start, check_directory
from alft.reporting.progress import progress_display
from alft.training.beginning import choose, digests, finished, held, open_run
from alft.training.execution import Execution
from alft.training.processes import everywhere, from_main, join, naming_loss
from alft.training.prompts import fitted
from alft.training.rundir import RunDirectory
from alft.training.settings import check_shares
from alft.training.stopping import listening

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclass(frozen=True)
class RunResult:
    """What a run came to: its directory and the content of its results.json."""

    directory: Path
    results: Results


def train(
    plan: Plan,
    console: Console | None = None,
    start: Start = Start.NEW,
    execution: type[Execution] = Execution,
) -> RunResult:
    """Run a plan, live or by another `execution`, between two measurements on held-out questions.

    If answers collapse across questions the run stops, the last good model is restored, measured and saved,
    and `results["training"]["stopped"]` says why. Ctrl-C and SIGTERM end it with RunInterrupted, after a
    checkpoint was saved if it was training; `Start.RESUME` resumes from the newest one, to the same bits as if
    nothing had happened.
    """
    console = console or Console(stderr=True)
    if not join():  # one voice
        console = Console(quiet=True)
        logging.disable(logging.WARNING)
        warnings.simplefilter("ignore")
    set_threads(plan.config.training.threads)
    with listening() as request:
        try:
            return _train(plan, console, start, partial(execution, request=request))
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            told = f"{error.filename or plan.directory} can't be written to ({error.strerror})"
            remedy = "make room, then continue with --resume"
            raise CheckpointError(Problem(str(plan.directory), told, remedy)) from error
        except KeyboardInterrupt:
            remedy = "--resume continues from the last checkpoint, if there is one"
            stopped = Problem(str(plan.directory), "stopped", remedy)
            raise RunInterrupted(stopped, request.signal or signal.SIGINT) from None


def _train(plan: Plan, console: Console, start: Start, execution: Callable[..., Execution]) -> RunResult:
    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False)

    check_directory(plan.directory, start)
    plan, resumed = fitted(plan), start is Start.RESUME
    check_shares(plan)
    inputs = from_main(lambda: digests(plan))
    with ExitStack() as stack:
        from_main(lambda: stack.enter_context(held(plan.directory)))
        if resumed and (results := from_main(lambda: finished(plan, inputs))) is not None:
            say(f"the run in {plan.directory} has finished")
            return RunResult(plan.directory, cast(Results, results))
        checkpoint = from_main(lambda: choose(plan, inputs, say)) if resumed else None
        model, tokenizer = everywhere(lambda: load_model(plan.config.model, trained=plan.config.lora is None))
        main = PartialState().is_main_process
        run = everywhere(lambda: open_run(plan, inputs, checkpoint) if main else None)
        run = run or RunDirectory(plan.directory, writes=False)
        with naming_loss(), closing(run), naming_memory(), progress_display(console) as progress:
            results = execution(plan, run, progress).execute(model, tokenizer, checkpoint)
        run.tidy()
        return RunResult(plan.directory, cast(Results, results))


@contextmanager
def closing(run: RunDirectory) -> Iterator[None]:
    """Close the logs afterwards; after a failure as far as that goes, since the failure says what is wrong."""
    try:
        yield
    except BaseException:
        with suppress(OSError, ValueError):
            run.close()
        raise
    run.close()


@contextmanager
def naming_memory() -> Iterator[None]:
    """Report memory that ran out, with what to turn down.

    Raises OutOfMemoryError for it; other errors are raised as they are.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        ours = isinstance(error, AlftError)
        if ours or not (isinstance(error, MemoryError) or should_reduce_batch_size(error)):
            raise
        remedy = (
            "lower training.micro_batch_size first (the result stays the same), then training.max_new_tokens or "
            "training.samples; evaluation.batch_size if it happened while measuring"
        )
        raise OutOfMemoryError(Problem("memory", " ".join(str(error).split())[:300], remedy)) from error
