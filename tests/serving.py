"""A real OpenAI-compatible server on loopback: the starter model behind `transformers serve`."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from alft import starter

RESPONSE = {  # without it, the server takes Qwen2's own marks, and repeats the prompt where they are missing
    "defaults": {"role": "assistant"},
    "start_anchor": "<|assistant|>",
    "fields": {"content": {"close": "<|end|>", "content": "text"}},
}
SAMPLED = {"do_sample": True, "top_k": 0}  # without it, the server decodes greedily at any temperature


@dataclass(frozen=True)
class Served:
    """A server that is up: its `url` (with /v1), its `model`, and how many completions it was asked for."""

    url: str
    model: str
    log: Path

    @property
    def requests(self) -> int:
        return self.log.read_text(errors="replace").count('/completions HTTP/1.1"')


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def servable(folder: Path) -> Path:
    """A copy of the starter that `transformers serve` samples from at temperature 1."""
    shutil.copytree(starter.model_path(), folder)
    for name, more in (("tokenizer_config", {"response_template": RESPONSE}), ("generation_config", SAMPLED)):
        path = folder / f"{name}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | more))
    return folder


def start(model: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    """A server process; it is up when /health answers."""
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model)]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as stream:
        return subprocess.Popen([*command, *options], stdout=stream, stderr=stream, env=environment)


def wait_until_up(url: str, process: subprocess.Popen[bytes], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"no server at {url}")


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """The starter model, served for the whole session."""
    folder = tmp_path_factory.mktemp("served")
    model, port = servable(folder / "model"), free_port()
    process = start(model, port, folder / "log")
    try:
        wait_until_up(f"http://127.0.0.1:{port}/health", process)
        yield Served(f"http://127.0.0.1:{port}/v1", str(model), folder / "log")
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    """`python -m tests.serving FOLDER PORT`: the starter, served until it is interrupted."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    model = servable(folder / "model")
    process = start(model, port, folder / "log")
    wait_until_up(f"http://127.0.0.1:{port}/health", process)
    print(f"--endpoint http://127.0.0.1:{port}/v1 --model {model}", flush=True)
    process.wait()


if __name__ == "__main__":
    main()
