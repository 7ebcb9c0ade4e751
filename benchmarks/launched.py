"""`alft train` in two processes on a CPU: DDP, ZeRO-2, ZeRO-3 and FSDP2, ended in every way and resumed.

    python -m benchmarks.launched OUT [--only ddp fsdp2 …]

The recipes of recipes/accelerate are launched as they are, DDP by torchrun. Each case prints one JSON line and
adds it to OUT/rows.jsonl; cases that are there are not run again. A launch is run whole once. Then a second run
is ended and resumed, ended and resumed: its last resume must reach the same weights. DeepSpeed's cases are left
out if it is not installed; on a machine with GPUs it needs DS_ACCELERATOR=cpu.
A random model of a few thousand weights is trained, whose weights a limit by the user's own Python moves.
The launchers' own code runs, but what they would start is forked from a process that has done the imports; --fresh
starts Python anew instead. `seconds` is the time until every process has ended, from the signal or else from the
start; `ranks` the same for each rank; `distance` the largest difference of a weight from DDP's; `voices` how many
error lines of `alft` were printed, `tracebacks` how many of any library.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
from accelerate.commands.launch import main as accelerate_launch
from safetensors.torch import load_file
from torch.distributed.elastic.multiprocessing.subprocess_handler.subprocess_handler import SubprocessHandler
from torch.distributed.run import main as torchrun

import alft.training.run  # noqa: F401  # what is forked has it then
from alft.cli.main import main as alft_main
from tests.training import train_launched
from tests.training.conftest import make_tiny_model
from tests.training.launching import prepare

RECIPES = Path(__file__).parent.parent / "recipes" / "accelerate"
STEPS = 7  # a signal costs a step more than a kill
SETTINGS = (
    f"training.steps={STEPS}",
    "training.learning_rate=1e-4",
    "training.max_grad_norm=1e9",  # clipped, ZeRO and FSDP2 are 1e-8 apart: they sum the norm in another order
    "watch.enabled=true",
    "watch.every=2",
    "watch.probe_questions=1",
    "watch.unread=1",
)
RUN = "runs/run"
PATIENCE = 600  # seconds after which a launch counts as hung
MEASURING = "measuring after"


@dataclass(frozen=True)
class Launch:
    """A way to start two processes, and what is set in them."""

    name: str
    recipe: str | None = None
    settings: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    chained: bool = True  # interrupted in every way, not by SIGTERM alone

    def command(self, folder: Path, *arguments: str, plain: bool = False) -> list[str]:
        """The command line; `plain`: of `alft` itself, which needs no help before it joins the other process."""
        start = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
        if self.recipe is not None:
            start = ["accelerate.commands.launch", "--config_file", str(RECIPES / self.recipe), *self.options]
        chosen = [part for value in (*SETTINGS, *self.settings) for part in ("--set", value)]
        script = ["-m", "alft"] if plain else [train_launched.__file__, str(folder)]
        return [*start, *script, *prepare(folder, folder.parents[1] / "model"), *chosen, *arguments]


LORA = ("lora.rank=4",)
LAUNCHES = [
    Launch("ddp"),
    Launch("fsdp2", "fsdp2.yaml"),
    Launch("zero3", "zero3.yaml"),
    Launch("zero2", "zero2.yaml"),
    Launch("lora-ddp", None, LORA, chained=False),
    Launch("lora-zero2", "zero2.yaml", LORA, chained=False),
    Launch("lora-fsdp2", "fsdp2.yaml", LORA, chained=False),
    Launch("lora-zero3", "zero3.yaml", LORA, chained=False),
    Launch("fsdp2-sharded", "fsdp2.yaml", (), ("--fsdp_state_dict_type", "SHARDED_STATE_DICT"), chained=False),
]
KNOWN = {each.name: each for each in LAUNCHES}


class Forked:
    """What torchrun sees of a rank that was forked instead of started: as much of `Popen` as it uses."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.process = multiprocessing.get_context("fork").Process(target=rank, args=(command, environment))
        self.process.start()
        self.pid = self.process.pid

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended; raises TimeoutExpired."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired("rank", timeout or 0.0)
        return self.process.exitcode


def rank(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """A rank, from the command that would start it: PYTHON -u SCRIPT … or PYTHON -u -m alft … (`command`)."""
    os.setsid()  # as torchrun does
    os.environ.clear()
    os.environ.update(environment)
    _, _, *rest = command
    module = rest[0] == "-m"
    sys.argv = rest[1:] if module else rest
    (alft_main if module else train_launched.main)()


def launcher(command: Sequence[str], log: Path, fresh: bool) -> None:
    """torchrun or `accelerate launch`, in a session of its own."""
    os.setsid()
    with log.open("wb", 0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ["OMP_NUM_THREADS"] = "1"
    if not fresh:
        SubprocessHandler._popen = lambda _, args, env: Forked(args, env)  # type: ignore[method-assign]
    sys.argv = list(command)
    (accelerate_launch if command[0].startswith("accelerate") else torchrun)()


class Started:
    """A launch under way, with what it prints in a file."""

    fresh = False

    def __init__(self, launch: Launch, folder: Path, *arguments: str, plain: bool = False) -> None:
        self.folder, self.log = folder, folder / f"log-{time.time():.0f}.txt"
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("pid-*.txt"):
            old.unlink()
        self.log.touch()
        self.began = time.monotonic()
        context = multiprocessing.get_context("fork")
        command = launch.command(folder, *arguments, plain=plain)
        self.process = context.Process(target=launcher, args=(command, self.log, Started.fresh))
        self.process.start()

    def wait_for(self, there: Callable[[], bool]) -> None:
        """Until something is there; raises RuntimeError if the launch ends first."""
        while not there():
            if self.process.exitcode is not None or time.monotonic() - self.began > PATIENCE:
                self.end()
                raise RuntimeError(f"it ended with {self.process.exitcode}; see {self.log}")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        """The process id of the launcher."""
        return self.process.pid or 0

    def rank(self, number: int) -> int:
        """The process id of a rank."""
        return int((self.folder / f"pid-{number}.txt").read_text())

    def end(self) -> dict[str, Any]:
        """What there is to say when every process has ended."""
        began = time.monotonic()
        ranks = [int(path.read_text()) for path in self.folder.glob("pid-[01].txt")]
        last = [0.0, 0.0]
        while self.process.exitcode is None or any(map(running, ranks)):
            last = [
                time.monotonic() - began if running(rank) else then
                for rank, then in zip(ranks, last, strict=False)
            ]
            time.sleep(0.02)
        printed = self.log.read_text(errors="replace")
        return {
            "seconds": round(time.monotonic() - began, 1),
            "ranks": [round(each, 1) for each in last],
            "exit": self.process.exitcode,
            "voices": printed.count("error:"),
            "tracebacks": printed.count("Traceback (most recent call last)"),
        }

    def printed(self, text: str) -> bool:
        """Whether a text was printed."""
        return text in self.log.read_text(errors="replace")


def running(process: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def interruptions(launch: Launch) -> Iterator[tuple[str, Callable[[Started, Path], None]]]:
    """How the launches of a chain end: after the first checkpoint of each, the last one while measuring."""

    def trained(how: Callable[[Started], None]) -> Callable[[Started, Path], None]:
        def interrupt(started: Started, run: Path) -> None:
            there = saved(run)
            started.wait_for(lambda: bool(saved(run) - there))
            how(started)

        return interrupt

    yield "SIGTERM", trained(lambda each: os.kill(each.pid, signal.SIGTERM))
    if launch.chained:
        yield "Ctrl-C", trained(lambda each: os.killpg(each.pid, signal.SIGINT))
        yield "SIGKILL of rank 0", trained(lambda each: os.kill(each.rank(0), signal.SIGKILL))
        yield "SIGKILL of rank 1", trained(lambda each: os.kill(each.rank(1), signal.SIGKILL))

    def measuring(started: Started, run: Path) -> None:
        started.wait_for(lambda: started.printed(MEASURING))
        os.kill(started.rank(1), signal.SIGKILL)

    yield "SIGKILL while measuring", measuring


def saved(run: Path) -> set[str]:
    """The checkpoints of a run."""
    return {path.name for path in (run / "checkpoints").glob("checkpoint-*")}


def whole(launch: Launch, out: Path) -> dict[str, Any]:
    """A run that nothing interrupts, against DDP's, and its kept models; then the same directory again."""
    folder = out / launch.name / "whole"
    found = Started(launch, folder).end()
    found["ranks_equal"] = len({path.read_text() for path in folder.glob("rank-*.txt")}) == 1
    reference = "lora-ddp" if launch.name.startswith("lora") else "ddp"
    return found | compared(folder, out / reference / "whole")


def compared(folder: Path, other: Path) -> dict[str, Any]:
    """The distance of a final model from another one, its empty tensors and its digest."""
    ours, theirs = (load_file(each / RUN / "model" / "model.safetensors") for each in (folder, other))
    return {
        "distance": max(float((ours[name] - theirs[name]).abs().max()) for name in theirs),
        "empty": sum(each.numel() == 0 for each in ours.values()),
        "sha256": digest(folder),
    }


def digest(folder: Path) -> str:
    """sha256 of the file of a final model."""
    return hashlib.sha256((folder / RUN / "model" / "model.safetensors").read_bytes()).hexdigest()


def taken(launch: Launch, out: Path) -> dict[str, Any]:
    """A launch into the directory of a finished run."""
    return Started(launch, out / launch.name / "whole", plain=True).end()


def chain(launch: Launch, out: Path) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Interruptions, each followed by a resume, the last of which must end in the weights of the whole run."""
    folder = out / launch.name / "chain"

    def interrupted(interrupt: Callable[[Started, Path], None]) -> dict[str, Any]:
        started = Started(launch, folder, "--resume")
        interrupt(started, folder / RUN)
        return started.end() | {"resumed": started.printed("resuming after step")}

    for name, interrupt in interruptions(launch):
        yield name, lambda interrupt=interrupt: interrupted(interrupt)

    def finished() -> dict[str, Any]:
        started = Started(launch, folder, "--resume")
        found = started.end() | {"resumed": started.printed(f"resuming after step {STEPS}")}
        reference = out / ("ddp" if launch.name == "fsdp2-sharded" else launch.name) / "whole"
        return found | compared(folder, reference) | {"same": digest(folder) == digest(reference)}

    yield "resumed to the end", finished


def alone(out: Path) -> dict[str, Any]:
    """accelerate's launcher, asked for two processes on a CPU, of which it starts one."""
    launch = Launch("alone")
    folder = out / "alone" / "whole"
    folder.mkdir(parents=True, exist_ok=True)
    command = launch.command(folder, plain=True)
    options = ["accelerate.commands.launch", "--cpu", "--num_processes", "2", "--mixed_precision", "no"]
    command = [sys.executable, "-m", *options, *command[command.index("-m") :]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = "several processes were asked for" in done.stderr
    return {"exit": done.returncode, "noticed": told, "trained": (folder / RUN).exists()}


def cases(launch: Launch, out: Path) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """The cases of a launch, in the order in which they are run."""
    if launch.name != "fsdp2-sharded":
        yield "whole", lambda: whole(launch, out)
    if launch.chained:
        yield "directory taken", lambda: taken(launch, out)
    yield from chain(launch, out)


def rows(out: Path) -> list[dict[str, Any]]:
    """The cases that have been run."""
    file = out / "rows.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what has not been run yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", nargs="*", choices=[*KNOWN, "alone"], default=[*KNOWN, "alone"])
    parser.add_argument("--fresh", action="store_true", help="start Python anew for each process")
    chosen = parser.parse_args(arguments)
    Started.fresh = chosen.fresh
    out = chosen.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "model").exists():
        make_tiny_model(out / "model")
    done = {(row["launch"], row["case"]) for row in rows(out)}

    def run(launch: str, case: str, work: Callable[[], dict[str, Any]]) -> None:
        if (launch, case) in done:
            return
        line = json.dumps({"launch": launch, "case": case, **work()})
        print(line, flush=True)
        with (out / "rows.jsonl").open("a") as file:
            file.write(line + "\n")

    for name in chosen.only:
        if name == "alone":
            run(name, "accelerate launch --cpu --num_processes 2", lambda: alone(out))
        elif "zero" in name and find_spec("deepspeed") is None:
            print(json.dumps({"launch": name, "left out": "deepspeed is not installed"}), flush=True)
        else:
            for case, work in cases(KNOWN[name], out):
                run(name, case, work)


if __name__ == "__main__":
    main()
