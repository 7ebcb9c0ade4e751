"""A model that is only served: sample (killed, continued), solve, export, and train the export with `trl sft`.

Run: python -m benchmarks.offline_served DIRECTORY. The starter behind `transformers serve` on loopback; every step
is the command that a user would type, and its seconds are printed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.serving import Served, free_port, servable, start, wait_until_up

BIN = Path(sys.executable).parent
QUESTIONS, SAMPLES, AT_ONCE, STEPS = 6, 4, 16, 2
PARTS_BEFORE_THE_KILL = 2


def main(directory: Path) -> None:
    """Serve, and go through all steps."""
    directory.mkdir(parents=True)
    model, port = servable(directory / "served"), free_port()
    process = start(model, port, directory / "log")
    try:
        wait_until_up(f"http://127.0.0.1:{port}/health", process)
        sampled(directory, Served(f"http://127.0.0.1:{port}/v1", str(model), directory / "log"))
    finally:
        process.terminate()
        process.wait(30)
    told("alft", "solve", directory / "samples.parquet", "-o", directory / "weighted.parquet")
    for form in ("conversational", "prompt_completion"):
        exported = directory / f"{form}.jsonl"
        told("alft", "distill", directory / "weighted.parquet", "--export", exported, "--form", form)
        trained(model, exported, directory / f"trained-{form}")


def sampled(directory: Path, served: Served) -> None:
    """`alft sample`, killed after two parts, then run again."""
    output = directory / "samples.parquet"
    command = ["alft", "sample", output, "--questions", QUESTIONS, "-n", SAMPLES, "--endpoint", served.url]
    command += ["--model", served.model, "--set", f"evaluation.batch_size={AT_ONCE}"]
    command += ["--set", "data.instruction=", "--set", "training.max_new_tokens=40"]  # the starter's own
    running = subprocess.Popen(typed(command))
    parts = output.with_name(output.name + ".parts")
    while len(list(parts.glob("0*.parquet"))) < PARTS_BEFORE_THE_KILL:
        if running.poll() is not None:
            raise RuntimeError("the sampling ended before it could be killed")
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in parts.glob("0*.parquet")}
    print(
        f"killed: {len(kept)} parts kept, {served.requests} requests served, file: {output.exists()}", flush=True
    )
    before = served.requests
    told(*command)
    views = QUESTIONS * 4
    left = views * SAMPLES - len(kept) * AT_ONCE
    print(
        f"continued: {served.requests - before} requests for the {left} completions that were missing", flush=True
    )


def trained(model: Path, data: Path, output: Path) -> None:
    """TRL's own command on the exported file, for two steps."""
    folder = output.with_name(output.name + "-data")
    folder.mkdir()
    (folder / "train.jsonl").write_bytes(data.read_bytes())
    told(
        *("trl", "sft", "--model_name_or_path", model, "--dataset_name", folder, "--output_dir", output),
        *("--max_steps", STEPS, "--per_device_train_batch_size", 8, "--use_cpu", "--report_to", "none"),
        *("--logging_steps", 1, "--learning_rate", 1e-4, "--no_gradient_checkpointing", "--bf16", "False"),
    )
    state = json.loads((output / f"checkpoint-{STEPS}" / "trainer_state.json").read_text())
    losses = [round(each["loss"], 4) for each in state["log_history"] if "loss" in each]
    print(f"trl sft on {data.name}: {state['global_step']} steps, losses {losses}", flush=True)


def told(*command: object) -> None:
    """Run a command to its end; print it with its seconds, and stop where it fails."""
    began = time.monotonic()
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(typed(command), capture_output=True, text=True, env=environment)
    print(f"$ {' '.join(map(str, command[:3]))} …: {time.monotonic() - began:.1f} s, exit {done.returncode}")
    print(done.stdout[-1500:] if command[0] == "alft" else "", flush=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])


def typed(command: list | tuple) -> list[str]:
    """The command with the path of its program, which is beside Python."""
    return [str(BIN / str(command[0])), *map(str, command[1:])]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
