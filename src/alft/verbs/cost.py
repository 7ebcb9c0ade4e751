"""What a run costs, before it is spent: tokens, memory, disk; and batches that fit into the free memory."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from alft import starter
from alft.config.load import load_config
from alft.errors import ConfigError, Problem
from alft.plan.plan import Plan, Start, is_here, launched
from alft.questions import Question
from alft.reporting.progress import quiet_libraries
from alft.text import counted

if TYPE_CHECKING:
    from alft.models.size import ModelSize
    from alft.offline.trainer import Training

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cost:
    """What a run costs: `tokens` to generate at most, bytes of memory by phase and part, bytes of `disk`.

    `scored`: tokens that are scored at most, those of prompts apart, where views borrow by score.
    `batches`: completions in a forward pass of training, and generated at once while measuring. Of a model whose
    configuration is not on this machine only `tokens` are known.
    """

    tokens: int
    memory: Mapping[str, Mapping[str, int]]
    disk: int | None = None
    batches: tuple[int, int] | None = None
    scored: int = 0

    @property
    def phase(self) -> str:
        """The phase of a run that needs most memory."""
        return max(self.memory, key=lambda phase: sum(self.memory[phase].values()))

    def problems(self, memory: int, disk: int) -> Iterator[Problem]:
        """What does not fit into the free bytes of `memory` and `disk`, with the remedy."""
        if self.memory and (needed := sum(self.memory[self.phase].values())) > memory:
            what = f"{self.phase} needs about {_gb(needed)}, {_gb(memory)} are free"
            yield Problem("memory", what, f"{REMEDIES[self.phase]}; or a machine with more")
        if self.disk is not None and self.disk > disk:
            remedy = "keep fewer (training.keep_checkpoints: 1), or train an adapter (lora: {rank: 16})"
            yield Problem("disk", f"a run needs {_gb(self.disk)}, {_gb(disk)} are free", remedy)

    def __str__(self) -> str:
        scored = f", up to {self.scored:,} to score (offline.scored)" if self.scored else ""
        lines = [f"tokens: up to {self.tokens:,} to generate{scored}"]
        if self.memory and self.disk is not None:
            parts = self.memory[self.phase]
            named = ", ".join(f"{name} {_gb(size)}" for name, size in parts.items())
            lines.append(f"memory: about {_gb(sum(parts.values()))}, while {self.phase} ({named})")
            lines.append(f"disk:   {_gb(self.disk)} for checkpoints and models")
        if self.batches is not None:
            forward, at_once = counted(self.batches[0], "completion"), self.batches[1]
            lines.append(f"batches: {forward} in a forward pass, {at_once} generated at once")
        return "\n".join(lines)


REMEDIES = {
    "measuring": "lower evaluation.batch_size",
    "generating": "lower training.questions_per_step, training.samples or training.max_new_tokens",
    "training": "lower training.micro_batch_size (the result stays the same) or, where the run doesn't yet, train "
    "an adapter (lora: {rank: 16}) or compute in 16 bits (model.dtype: bfloat16)",
}
"""How to need less memory, by the phase that needs most."""


def cost(plan: Plan) -> Cost:
    """What a run of a plan costs, by the model's configuration and tokenizer alone.

    Raises ConfigError where prompts or the chat template can't work, or the machine has too little memory or disk.
    """
    if not is_here(plan.config.model):
        return Cost(_tokens(plan), {}, scored=_scored(plan))
    from alft.models.size import free_memory
    from alft.training.execution import space_needed

    plan, size, longest = _measured(plan)
    if plan.config.model.path not in starter.MODELS:
        plan = _with_batches(plan, size, longest, free_memory())
    space, batches = space_needed(plan, size.network), (_forward(plan), plan.config.evaluation.batch_size)
    found = Cost(_tokens(plan), _memory(plan, size, longest), space, batches, _scored(plan))
    place = next(path for path in plan.directory.absolute().parents if path.exists())
    if problems := list(found.problems(free_memory(), shutil.disk_usage(place).free)):
        raise ConfigError(problems)
    return found


def sized(plan: Plan, start: Start = Start.NEW) -> Plan:
    """The plan with what suits this machine: batches that fit into the free memory, and what is computed in.

    What the configuration names stays, and a run that is resumed keeps what it began with: others would round
    otherwise. The built-in models, models that are not on this machine yet, and runs of several processes keep the
    usual batches.
    """
    began = plan.directory / "config.yaml"
    if start is Start.RESUME and began.is_file():
        earlier = load_config(began)
        batches = earlier.training.micro_batch_size, earlier.evaluation.batch_size
        shared = bool(earlier.training.share_prompts)  # runs of earlier versions say nothing, and share nothing
        if shared != bool(plan.config.training.share_prompts):
            logger.warning("training.share_prompts stays %s, as the run began", str(shared).lower())
        kept: dict[str, dict[str, bool | None]] = {"training": {"share_prompts": shared}}
        if plan.config.offline.share_prompts is None:
            kept["offline"] = {"share_prompts": earlier.offline.share_prompts}
        plan = replace(plan, config=plan.config.changed(**kept))
        return _taking(plan, *batches, earlier.model.dtype)
    if not is_here(plan.config.model):
        return plan
    from alft.models.loading import precision
    from alft.models.size import free_memory, model_size

    several = launched() > 1  # they must take the same, and may have unequal room
    if plan.config.model.path in starter.MODELS or several:
        if plan.config.lora is not None:
            model_size(plan.config.model, plan.config.lora)  # raises its errors before anything is measured
        return plan
    plan = _taking(plan, dtype=precision(plan.config.model))
    _, size, longest = _measured(plan)
    return _with_batches(plan, size, longest, free_memory())


def with_half(plan: Plan) -> Plan | None:
    """The plan with at most half as many completions in a forward pass; None if there is only one already."""
    whole = _forward(plan)
    for micro in range(whole // 2, 0, -1):
        if whole % micro == 0:
            return replace(plan, config=plan.config.changed(training={"micro_batch_size": micro}))
    return None


def _measured(plan: Plan) -> tuple[Plan, ModelSize, int]:
    """The plan with questions that fit the context, the model's size, and the tokens of the longest prompt."""
    quiet_libraries()
    from alft.models.size import longest_prompt, model_size
    from alft.training.dataset import fitted

    plan = fitted(plan)
    longest = longest_prompt(plan.config.model, (*plan.train, *plan.held_out))
    return plan, model_size(plan.config.model, plan.config.lora), longest


def _with_batches(plan: Plan, size: ModelSize, prompt: int, free: int) -> Plan:
    """The plan with the largest open batches that fit; the smallest ones where none does."""
    from alft.models.size import ROOM

    def fits(candidate: Plan, *phases: str) -> bool:
        needed = _memory(candidate, size, prompt)
        return max(sum(needed[phase].values()) for phase in phases) <= ROOM * free

    asking = ["measuring", "generating"] if _sampled(plan) else ["measuring"]
    measured = plan.config.evaluation.batch_size
    plans = [_taking(plan, measured=measured >> times) for times in range(measured.bit_length())]
    plan = next((each for each in plans if fits(each, *asking)), plans[-1])
    whole = _forward(plan)
    if fits(plan, "training"):
        return plan
    parts = [_taking(plan, part) for part in range(whole, 0, -1) if whole % part == 0]
    return next((each for each in parts if fits(each, "training")), parts[-1])


def _taking(plan: Plan, micro: int | None = None, measured: int | None = None, dtype: str | None = None) -> Plan:
    """The plan with these batches, computed in `dtype`, unless its configuration names others."""
    config = plan.config
    if micro is not None and config.training.micro_batch_size is None:
        config = config.changed(training={"micro_batch_size": micro})
    if measured is not None and "batch_size" not in config.evaluation.model_fields_set:
        config = config.changed(evaluation={"batch_size": measured})
    if dtype is not None and config.model.dtype == "auto":
        config = config.changed(model={"dtype": dtype})
    return replace(plan, config=config)


def _tokens(plan: Plan) -> int:
    """Tokens of all completions of a run, each as long as it may be."""
    config, watch, steps = plan.config, plan.config.watch, plan.config.training.steps
    learning = _sampled(plan)
    if not learning:  # played live: the completions of all steps, and of the watch's probes
        probes = steps // watch.every + 1 if watch.enabled else 0
        probed = probes * _views(plan.held_out[: watch.probe_questions or 0]) * watch.probe_samples
        learning = -(-steps // plan.steps_per_batch) * plan.completions_per_step + probed + _asked_before(plan)
    measured = _views(plan.held_out) * (config.evaluation.samples + 1) * 2
    return (measured + learning) * (config.training.max_new_tokens or 0)


def _views(questions: Sequence[Question]) -> int:
    return sum(len(question.views) for question in questions)


def _sampled(plan: Plan) -> int:
    """Completions that are sampled once, for a run that is played offline."""
    offline = plan.config.training.trainer == "offline"
    return _views(plan.train) * (plan.config.offline.samples or 1) if offline else 0


def _asked_before(plan: Plan) -> int:
    """Completions of the model before training that a Target is made of, for a run that is played live."""
    from alft.training.execution import asked_before

    live = plan.play.game.needs_reference and not _sampled(plan)
    return _views(asked_before(plan)) * plan.config.target.samples if live else 0


def _scored(plan: Plan) -> int:
    """Tokens of sampled completions, each under all views of its question, where views borrow by score."""
    config = plan.config
    if not (_sampled(plan) and config.offline.borrow and config.offline.scored):
        return 0
    pairs = sum(len(question.views) ** 2 for question in plan.train) * (config.offline.samples or 1)
    return pairs * (config.training.max_new_tokens or 0)


def _memory(plan: Plan, size: ModelSize, prompt: int) -> dict[str, dict[str, int]]:
    """Bytes that each phase of a run needs, by what they are for; `prompt`: tokens of the longest prompt."""
    from alft.models.size import PROCESS

    config, new = plan.config, plan.config.training.max_new_tokens or 0
    length, at_once = prompt + new, plan.config.evaluation.batch_size
    sampled = _sampled(plan)
    asked = max(_views(plan.held_out) * config.evaluation.samples, _asked_before(plan))
    start = size.trained if config.scoring.beta and not sampled else 0  # the reference, beside the weights
    held = {"libraries": PROCESS, "weights": size.weights + start}
    generated = {"optimizer": 0 if sampled else 2 * size.trained}
    rows = _forward(plan)
    room = _distilling(plan).room(length, rows) if sampled else _read(plan, size, rows, prompt, new)
    return {
        "measuring": held | size.asking(min(at_once, asked), length),
        "generating": held | generated | size.asking(min(at_once, sampled) or plan.completions_per_step, length),
        "training": held | size.step(rows, _step(plan), room, room if sampled else new),
    }


def _read(plan: Plan, size: ModelSize, rows: int, prompt: int, new: int) -> int:
    """Tokens that a forward pass of `rows` reads for each.

    Parts of a batch are mixed, and may share nothing, as do models with state or a window.
    """
    from alft.models.shared import LONGEST, most_tokens

    config = plan.config.training
    network: Any = size.network
    window = getattr(network.config.get_text_config(), "sliding_window", None)
    alone = getattr(network, "_is_stateful", False) or (window and window < max(LONGEST, prompt + new))
    if not config.share_prompts or alone or rows < plan.completions_per_step:
        return prompt + new
    return min(-(-most_tokens(prompt, new, config.samples) // config.samples), prompt + new)


def _forward(plan: Plan) -> int:
    """Completions in one forward pass of training."""
    training = plan.config.training
    return _distilling(plan).forward if _sampled(plan) else training.micro_batch_size or _step(plan)


def _distilling(plan: Plan) -> Training:
    from alft.offline.trainer import training_of

    return training_of(plan.config)


def _step(plan: Plan) -> int:
    """Completions in an optimizer step."""
    if plan.config.training.trainer == "offline":
        return plan.config.offline.batch_size
    return plan.completions_per_step // plan.config.training.steps_per_generation


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"
