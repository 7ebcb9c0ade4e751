"""`alft.train`: train a model on its final answers, measured before and after. A dry run says what that costs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alft import starter
from alft.config.load import ConfigLike
from alft.errors import ConfigError, Problem
from alft.plan.build import load_plan
from alft.plan.plan import Plan, Start, check_directory
from alft.questions import Question

if TYPE_CHECKING:
    from alft.models.size import ModelSize
    from alft.training.execution import Execution
    from alft.training.run import RunResult

PROCESS = 700_000_000  # bytes of Python and its libraries
COPIES = 3  # of logits, with what is computed from them to sample
USED = 1.75  # bytes that the process takes for each byte of activations and logits, measured on a CPU


def planned(
    config: ConfigLike = None, overrides: Sequence[str] = (), *, resume: bool = False, overwrite: bool = False
) -> Plan:
    """What `train` would do, with everything checked and no model loaded. Raises AlftError."""
    start = _start(resume, overwrite)
    plan = load_plan(config, overrides)
    check_directory(plan.directory, start)
    return plan


@dataclass(frozen=True)
class Cost:
    """What a run costs: `tokens` to generate at most, bytes of memory by phase and part, bytes of `disk`.

    `memory` and `disk` are empty and None for a model whose configuration is not on this machine.
    """

    tokens: int
    memory: Mapping[str, Mapping[str, int]]
    disk: int | None = None

    @property
    def phase(self) -> str:
        """The phase of a run that needs most memory."""
        return max(self.memory, key=lambda phase: sum(self.memory[phase].values()))

    def problems(self, memory: int, disk: int) -> Iterator[Problem]:
        """What does not fit into so many free bytes, with the remedy."""
        if self.memory and (needed := sum(self.memory[self.phase].values())) > memory:
            what = f"{self.phase} needs about {_gb(needed)}, {_gb(memory)} are free"
            yield Problem("memory", what, f"{REMEDIES[self.phase]}; or a machine with more")
        if self.disk is not None and self.disk > disk:
            remedy = "keep fewer (training.keep_checkpoints: 1), or train an adapter (lora: {rank: 16})"
            yield Problem("disk", f"a run needs {_gb(self.disk)}, {_gb(disk)} are free", remedy)

    def __str__(self) -> str:
        lines = [f"tokens: up to {self.tokens:,} to generate"]
        if self.memory and self.disk is not None:
            parts = self.memory[self.phase]
            named = ", ".join(f"{name} {_gb(size)}" for name, size in parts.items())
            lines.append(f"memory: about {_gb(sum(parts.values()))}, while {self.phase} ({named})")
            lines.append(f"disk:   {_gb(self.disk)} for checkpoints and models")
        return "\n".join(lines)


REMEDIES = {
    "measuring": "lower evaluation.batch_size",
    "generating": "lower training.questions_per_step, training.samples or training.max_new_tokens",
    "training": "lower training.micro_batch_size (the result stays the same), train an adapter (lora: {rank: 16}) "
    "or compute in 16 bits (model.dtype: bfloat16)",
}
"""How to need less memory, by the phase that needs most."""


def cost(plan: Plan) -> Cost:
    """What a run of a plan costs, by the model's configuration and tokenizer alone.

    Raises ConfigError where prompts or the chat template can't work, or the machine has too little memory or disk.
    """
    if plan.config.model.path not in starter.MODELS and not Path(plan.config.model.path).exists():
        return Cost(_tokens(plan), {})
    from alft.reporting.progress import quiet_libraries

    quiet_libraries()
    from alft.models.size import free_memory, model_size
    from alft.training.execution import space_needed
    from alft.training.prompts import fitted, prompt_reader

    reader = prompt_reader(plan.config.model)
    plan = fitted(plan, reader)
    size = model_size(plan.config.model, plan.config.lora)
    longest = max(reader.length(view) for one in (*plan.train, *plan.held_out) for view in one.views)
    found = Cost(_tokens(plan), _memory(plan, size, longest), space_needed(plan, size.network))
    place = next(path for path in plan.directory.absolute().parents if path.exists())
    if problems := list(found.problems(free_memory(), shutil.disk_usage(place).free)):
        raise ConfigError(problems)
    return found


def _tokens(plan: Plan) -> int:
    """Tokens of all completions of a run, each as long as it may be."""
    config = plan.config
    measured = _views(plan.held_out) * (config.evaluation.samples + 1) * 2
    completions = measured + (_sampled(plan) or _played(plan))
    return completions * (config.training.max_new_tokens or 0)


def _views(questions: Sequence[Question]) -> int:
    return sum(len(question.views) for question in questions)


def _sampled(plan: Plan) -> int:
    """Completions that are sampled once, for a run that is played offline."""
    offline = plan.config.training.trainer == "offline"
    return _views(plan.train) * (plan.config.offline.samples or 1) if offline else 0


def _played(plan: Plan) -> int:
    """Completions of all steps of a live run, and of the watch's probes."""
    steps, watch = plan.config.training.steps, plan.config.watch
    probes = steps // watch.every + 1 if watch.enabled else 0
    probed = probes * _views(plan.held_out[: watch.probe_questions or 0]) * watch.probe_samples
    return -(-steps // plan.steps_per_batch) * plan.completions_per_step + probed


def _memory(plan: Plan, size: ModelSize, prompt: int) -> dict[str, dict[str, int]]:
    """Bytes that each phase of a run needs, by what they are for; `prompt`: tokens of the longest prompt."""
    config, new = plan.config, plan.config.training.max_new_tokens or 0
    length, at_once = prompt + new, plan.config.evaluation.batch_size
    asked, sampled = _views(plan.held_out) * config.evaluation.samples, _sampled(plan)
    start = size.trained if config.scoring.beta and not sampled else 0  # the reference, beside the weights
    held = {"libraries": PROCESS, "weights": size.weights + start}
    generated = {"optimizer": 0 if sampled else 2 * size.trained}
    micro, scored = _forward(plan), length if sampled else new
    kept = int(USED * micro * (length * size.kept + scored * size.logits))

    def asking(rows: int) -> dict[str, int]:
        return {"keys and values": rows * length * size.cache, "logits": COPIES * rows * size.logits}

    return {
        "measuring": held | asking(min(at_once, asked)),
        "generating": held | generated | asking(min(at_once, sampled) or plan.completions_per_step),
        "training": held
        | {"gradients and optimizer": 3 * size.trained + size.casts, "activations and logits": kept},
    }


def _forward(plan: Plan) -> int:
    """Completions in one forward pass of training."""
    training = plan.config.training
    if training.trainer == "offline":
        from alft.offline.trainer import Training

        return Training(
            batch_size=plan.config.offline.batch_size, micro_batch_size=training.micro_batch_size
        ).forward
    return training.micro_batch_size or plan.completions_per_step // training.steps_per_generation


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


def train(
    config: ConfigLike | Plan = None,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> RunResult:
    """Train a model and write a run directory with the model, results.json and report.html.

    The game is played live by TRL's trainer, or, with `training.trainer: offline`, by sampling once, solving
    exactly and fine-tuning on the weighted completions.

    `config`: a configuration, its sections as a mapping, a YAML file, or None for the built-in demonstration.
    `overrides` are `section.key=value` texts. `resume` continues from the newest valid checkpoint; `overwrite`
    replaces an earlier run. Returns the directory and the content of its results.json. Raises AlftError, with all
    problems of the configuration at once.
    """
    start = _start(resume, overwrite)
    plan = config if isinstance(config, Plan) else planned(config, overrides, resume=resume, overwrite=overwrite)
    from alft.reporting.progress import quiet_libraries

    quiet_libraries()
    from alft.reporting import render_report
    from alft.storage.files import write_text
    from alft.training.run import train as run

    result = run(plan, start=start, execution=_execution(plan))
    write_text(result.directory / "report.html", render_report([result.directory]))
    return result


def _execution(plan: Plan) -> type[Execution]:
    """The phases of a run: live, or offline."""
    if plan.config.training.trainer == "offline":
        from alft.offline.execution import OfflineExecution

        return OfflineExecution
    from alft.training.execution import Execution

    return Execution


def _start(resume: bool, overwrite: bool) -> Start:
    if resume and overwrite:
        what = "one continues the run, the other replaces it"
        raise ConfigError(Problem("--resume --overwrite", what, "choose one"))
    return Start.RESUME if resume else Start.OVERWRITE if overwrite else Start.NEW
