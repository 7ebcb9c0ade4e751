"""A run that can start, whether its directory may be used, and everything else that keeps it from starting."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path

from alft import starter
from alft.config.schema import ModelConfig, OfflineConfig, RunConfig, TargetConfig, WatchConfig
from alft.errors import ConfigError, Problem, RunExistsError
from alft.evaluation.intervals import FEWEST
from alft.questions import Question, overlap
from alft.rewards.scorer import Play
from alft.text import counted

LARGE = 500_000_000
"""Weights above which an adapter is trained: with gradients and AdamW, all of them would need more than 8 GB."""


@dataclass(frozen=True)
class Draft:
    """A run as far as it can be made: resolved configuration, questions to train and measure on, its directory."""

    config: RunConfig
    train: list[Question]
    held_out: list[Question]
    directory: Path

    @property
    def views(self) -> int:
        """Views of each question in a step."""
        fewest = min(len(question.views) for question in self.train)
        return self.config.training.views_per_step or fewest

    @property
    def completions_per_step(self) -> int:
        """Completions in one generation batch: questions × views × samples."""
        training = self.config.training
        return training.questions_per_step * self.views * training.samples

    @property
    def steps_per_batch(self) -> int:
        """Optimiser steps on one generation batch."""
        return self.config.training.steps_per_generation * self.config.training.num_iterations


@dataclass(frozen=True)
class Plan(Draft):
    """A run that can start: `play` is how its game is played, built once."""

    play: Play


class Start(Enum):
    """How a run begins: in a new directory, where it was left, or in place of an earlier run."""

    NEW = "new"
    RESUME = "resume"
    OVERWRITE = "overwrite"


def check_directory(directory: Path, start: Start) -> None:
    """Raise RunExistsError if a run may not begin in this directory as it is, or ConfigError if it is none.

    Only a new directory, or one that holds nothing, is written to unasked; what is resumed or overwritten must be
    a run, or hold nothing.
    """
    if not directory.exists():
        return
    where = str(directory)
    if not directory.is_dir():
        raise ConfigError(Problem(where, "is a file, not a directory", "choose another output.name"))
    if all(path.name.startswith(".") for path in directory.iterdir()):
        return
    if not (directory / "config.yaml").is_file():
        raise RunExistsError(Problem(where, "holds files, but no run", "choose another output.name"))
    if start is Start.NEW:
        remedy = "continue with --resume, start over with --overwrite, or choose another output.name"
        raise RunExistsError(Problem(where, "a run is there already", remedy))


def config_problems(config: RunConfig) -> Iterator[Problem]:
    """Everything wrong with a configuration, its game apart, that its questions have no part in."""
    yield from model_problems(config.model.path)
    needed = [(f"training.report_to ({name})", name, name) for name in config.training.report_to]
    if config.lora is not None:
        needed.append(("lora", "peft", "alft[lora]"))
    if config.training.vllm is not None:
        needed.append(("training.vllm", "vllm", "alft[vllm]"))
    for where, package, wanted in needed:
        if find_spec(package) is None:
            yield Problem(where, f"the package {package} is not installed", f"pip install '{wanted}'")
    place = Path(config.output.directory).absolute()
    there = next(path for path in (place, *place.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        yield Problem("output.directory", f"{there} is no folder that can be written to", "choose another")
    if launched() > 1 and config.training.trainer == "offline":
        told = f"an offline run works in one process, and {launched()} were launched"
        yield Problem("training.trainer", told, "launch one, or play live: training.trainer: grpo")


def launched() -> int:
    """Processes that torchrun or `accelerate launch` started for this run."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def model_problems(path: str) -> Iterator[Problem]:
    """What keeps a local model from being loaded."""
    if path.endswith(".gguf"):
        from alft.models.loading import gguf_problem

        if (problem := gguf_problem(path)) is not None:
            yield problem
        return
    looks_local = path.startswith((".", "/", "~")) or path.count("/") > 1 or Path(path).exists()
    if path not in starter.MODELS and looks_local and not (Path(path) / "config.json").is_file():
        remedy = "name a Hugging Face model directory or Hub id"
        yield Problem("model.path", f"{path!r} holds no config.json", remedy)
    from safetensors import SafetensorError, safe_open

    for file in sorted(Path(path).glob("*.safetensors")):
        try:
            with safe_open(file, "np"):  # reads the header, which knows the file's length
                pass
        except (SafetensorError, OSError) as error:
            yield Problem("model.path", f"{file} can't be read ({error})", "copy it again from its source")


def is_here(model: ModelConfig) -> bool:
    """Whether a model's configuration is on this machine: built in, in a directory, or downloaded before."""
    if model.path in starter.MODELS or Path(model.path).exists():
        return True
    from huggingface_hub import try_to_load_from_cache

    with suppress(ValueError):  # no name of a Hub model
        return isinstance(try_to_load_from_cache(model.path, "config.json", revision=model.revision), str)
    return False


def is_large(model: ModelConfig) -> bool:
    """Whether a model is trained by an adapter where its configuration leaves that open."""
    if model.path in starter.MODELS:
        return False
    from alft.models.loading import weights_of

    return (weights_of(model.path, model.revision) or 0) > LARGE


LIVE_ONLY = {
    "training": ("steps", "questions_per_step", "views_per_step", "samples", "steps_per_generation",
                 "num_iterations", "max_grad_norm", "report_to"),
    "scoring": ("baseline", "own", "log", "prior", "cap", "unread_penalty"),
    "watch": tuple(WatchConfig.model_fields),
    "target": tuple(TargetConfig.model_fields),
}  # fmt: skip
"""Settings of live training, which offline training does not read."""


def ignored_settings(given: RunConfig) -> Iterator[Problem]:
    """Settings of a configuration that its way of training, live or offline, does not read."""
    offline = given.training.trainer == "offline"
    read_by = LIVE_ONLY if offline else {"offline": tuple(OfflineConfig.model_fields)}
    for section, names in read_by.items():
        for name in sorted(getattr(given, section).model_fields_set.intersection(names)):
            remedy = f"set offline.{name}" if offline and name in OfflineConfig.model_fields else ""
            what = f"has no effect with training.trainer: {given.training.trainer}"
            yield Problem(f"{section}.{name}", what, remedy)


def plan_notes(plan: Draft) -> Iterator[Problem]:
    """What keeps no run from starting, and yet may not be what is wanted."""
    model, data = plan.config.model.path, plan.config.data.path
    if model in starter.MODELS and data not in starter.QUESTIONS:
        told = f"the built-in model knows its own questions only, and is asked those of {data}"
        yield Problem("model.path", told, "name a model: --set model.path=DIRECTORY_OR_HUB_ID")
    elif not is_here(plan.config.model) and not any(model_problems(model)):
        told = f"{model!r} is no directory here: taken for a Hub id, not looked up yet, so its size is unknown"
        yield Problem("model.path", told, f"to know what a run costs, download it: hf download {model}")
    if "lora" not in plan.config.model_fields_set and find_spec("peft") is None and is_large(plan.config.model):
        told = "all weights of a large model are trained, since the package peft is not installed"
        yield Problem("lora", told, "pip install 'alft[lora]', or set lora: null")
    live = plan.config.training.trainer != "offline" and model not in starter.MODELS
    if live and "game" not in plan.config.model_fields_set:
        what = f"{plan.config.game} is played; live, agreement gained more in every task where both were measured"
        yield Problem("game", what, "set game: agreement, or training.trainer: offline, which samples less")
    if 0 < len(plan.held_out) < FEWEST:
        few = counted(len(plan.held_out), "question")
        told = f"{few} held out: enough to try the commands, too few to measure"
        yield Problem("data.held_out", told, "some hundreds tell a change from chance")


def data_problems(plan: Plan) -> Iterator[Problem]:
    """Everything wrong with a plan's questions for its game, and with the sizes of its batches."""
    config, data, game = plan.config, plan.config.data.path, plan.play.game
    fewest = min(len(question.views) for question in plan.train)
    compared = min(plan.views, fewest)
    if plan.views > fewest:
        told = f"{plan.views} views a question are wanted, and a question has {fewest}"
        yield Problem("training.views_per_step", told, f"use at most {fewest}, or add phrasings")
    if compared < game.needs_views:
        told = f"{config.game} compares views, and questions have only {compared}"
        remedy = f"write {game.needs_views - 1} more by `alft views` or data.views, or choose game: majority"
        yield Problem(data, told, remedy)
    missing = [question.id for question in plan.train if question.answer is None]
    if game.needs_gold and missing:
        told = f"{config.game} needs answers; {len(missing)} questions have none: {', '.join(missing[:5])}"
        yield Problem(data, told, "give them answers, or say what is played where: {game: …, where: answered}")
    if config.parity is not None and len({q.group for q in plan.train} - {None}) < 2:
        yield Problem("parity", f"{data} has fewer than two groups", 'give questions the field "group"')
    if shared := [held_out for _, held_out in overlap(plan.train, plan.held_out)]:
        yield Problem(data, f"{len(shared)} held-out questions are also trained on: {', '.join(shared[:5])}")
    if not plan.held_out:
        yield Problem(data, "no question is held out to measure on", "set data.held_out or data.eval_path")
    if config.training.trainer != "offline":
        yield from _live_problems(plan)


def _live_problems(plan: Plan) -> Iterator[Problem]:
    """Sizes that are too small, or do not divide: a generation batch into steps, those into micro-batches."""
    training, needed = plan.config.training, plan.play.game.own_degree + 2
    if plan.config.scoring.baseline == "leave_two_out" and training.samples < needed:
        told = f"{training.samples} are too few for this game"
        yield Problem("training.samples", told, f"use at least {needed}")
    if (there := len(plan.train)) < training.questions_per_step:
        told = f"{training.questions_per_step} a step, but there are {there} questions to train on"
        yield Problem("training.questions_per_step", told, f"use at most {there}, or give more questions")
    batch, parts = plan.completions_per_step, training.steps_per_generation
    step, micro = batch // parts, training.micro_batch_size
    if batch % parts:
        told = f"{parts} does not divide the {batch} completions of a generation batch"
        yield Problem("training.steps_per_generation", told, _nearest_divisors(batch, parts))
    elif micro is not None and step % micro:
        told = f"{micro} does not divide the {step} completions of a step"
        yield Problem("training.micro_batch_size", told, _nearest_divisors(step, micro))
    if training.steps % (whole := plan.steps_per_batch):
        low = training.steps // whole * whole
        told = f"{training.steps} steps end inside a generation batch, which is for {whole}"
        fitting = " and ".join(str(n) for n in (low, low + whole) if n)
        yield Problem("training.steps", told, f"the nearest that fit are {fitting}")


def _nearest_divisors(total: int, wanted: int) -> str:
    small = [n for n in range(1, math.isqrt(min(total, 10**12)) + 1) if total % n == 0]
    divisors = sorted({*small, *(total // n for n in small)})
    nearest = [n for n in divisors if n < wanted][-1:] + [n for n in divisors if n > wanted][:1]
    return f"the nearest that do are {' and '.join(map(str, nearest))}"
