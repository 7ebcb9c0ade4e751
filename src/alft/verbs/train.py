"""`alft.train`: train a model on its final answers, measured before and after."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from alft.config.load import ConfigLike, dump_config, load_config
from alft.config.schema import RunConfig
from alft.errors import AlftError, ConfigError, OutOfMemoryError, Problem
from alft.plan.build import load_plan
from alft.plan.defaults import resolve
from alft.plan.plan import Plan, Start, check_directory, is_here, is_large, launched
from alft.reporting.progress import quiet_libraries
from alft.storage.files import write_text

if TYPE_CHECKING:
    from alft.training.run import RunResult

logger = logging.getLogger(__name__)


def planned(
    config: ConfigLike = None,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    overwrite: bool = False,
    download: bool = False,
) -> Plan:
    """What `train` would do, with everything checked and no model loaded. Raises AlftError.

    `download` gets the configuration of a Hub model that is not here: its size decides what is left open.
    """
    start = _start(resume, overwrite)
    try:
        read = load_config(config, overrides)
    except AlftError:
        return load_plan(config, overrides)  # raises it, with all other problems
    if download and not is_here(read.model):
        from alft.models.loading import known_config

        known_config(read.model)
    adapter = _wants_adapter(read, start)
    plan = load_plan(config, [*overrides, "lora={}"] if adapter else overrides)
    check_directory(plan.directory, start)
    if adapter:
        rate, usual = read.training.learning_rate, "adapters usually need ten times that of full weights"
        at = "" if rate is None else f", at learning rate {rate:g}: {usual}"
        logger.warning("more than 0.5 B weights: an adapter is trained (to train all, set lora: null)%s", at)
    return plan


def _wants_adapter(config: RunConfig, start: Start) -> bool:
    """Whether an adapter is trained where the configuration leaves that open: as the run began, else by size."""
    if "lora" in config.model_fields_set or find_spec("peft") is None:
        return False
    output = resolve(config).output
    began = Path(output.directory) / str(output.name) / "config.yaml"
    if start is Start.RESUME and began.is_file():
        return load_config(began).lora is not None
    return is_large(config.model)


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
    plan = config
    if not isinstance(plan, Plan):
        plan = planned(plan, overrides, resume=resume, overwrite=overwrite, download=True)
    quiet_libraries()
    from alft.reporting.page import render_report
    from alft.verbs.cost import sized

    result = _run(sized(plan, start), start)
    if os.environ.get("RANK", "0") != "0":  # of several processes, the main one writes
        return result
    write_text(result.directory / "report.html", render_report([result.directory]))
    return result


def _run(plan: Plan, start: Start) -> RunResult:
    """Run a plan; where memory runs out, continue with half as many completions in a forward pass.

    transformers' auto_find_batch_size would also halve the optimiser's batch, and with it the game's.
    """
    from alft.offline.execution import OfflineExecution
    from alft.training.execution import Execution
    from alft.training.run import train as run
    from alft.verbs.cost import with_half

    offline = plan.config.training.trainer == "offline"
    try:
        return run(plan, start=start, execution=OfflineExecution if offline else Execution)
    except OutOfMemoryError as error:
        smaller, saved = with_half(plan), plan.directory / "config.yaml"
        several = launched() > 1  # all must take the same, and one alone ran out
        if smaller is None or several or not saved.is_file():
            raise
        cause = error.problems[0].what
    write_text(saved, dump_config(smaller.config))  # what the run now is, for --resume
    many = smaller.config.training.micro_batch_size
    logger.warning("out of memory (%s): continuing with training.micro_batch_size %d", cause, many)
    return _run(smaller, Start.RESUME)  # out of the handler, which holds what was in memory


def _start(resume: bool, overwrite: bool) -> Start:
    if resume and overwrite:
        what = "one continues the run, the other replaces it"
        raise ConfigError(Problem("--resume --overwrite", what, "choose one"))
    return Start.RESUME if resume else Start.OVERWRITE if overwrite else Start.NEW
