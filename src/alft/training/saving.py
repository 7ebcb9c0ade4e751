"""How a trainer saves and resumes: TRL writes and reads its files, and this makes what they are in trustworthy.

Exact resume needs two things that TRL leaves open. What decides the future beside weights, optimiser and
random states (the game's memory, the watch's, the place in the logs) is saved as *parts*. And checkpoints are
made only where a generation cycle ends: inside one, the next steps still train on completions in memory.
Weights that processes divide (FSDP, ZeRO-3) are gathered by all, written by one, then verified.
"""

import hashlib
import json
import logging
import math
import re
import shutil
from collections.abc import Collection, Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import DistributedType, is_peft_model
from safetensors import SafetensorError, safe_open
from torch.distributed.fsdp import StateDictType
from transformers import Trainer, TrainerState

from alft.errors import CheckpointError, ConfigError, Problem
from alft.estimators import Estimator
from alft.games import Game
from alft.models.base import bare
from alft.rewards import Scoring
from alft.storage import checkpoint
from alft.storage.files import differences
from alft.training.faithful import COLUMNS
from alft.training.processes import any_process, everywhere, from_main, lost
from alft.training.stopping import CycleCallback, StopRequest

Base = Trainer if TYPE_CHECKING else object  # a mixin: the trainer itself is the class after it
logger = logging.getLogger(__name__)


class JsonPart:
    """The part of an object with `state_dict`, which JSON can hold, and `load_state_dict`, kept as NAME.json.

    Checkpoints of earlier versions may lack one that is `new`.
    """

    def __init__(self, name: str, holder: Any, *, new: bool = False) -> None:
        self.name, self.holder, self.new = f"{name}.json", holder, new

    def save(self, folder: Path) -> None:
        """Write NAME.json."""
        (folder / self.name).write_text(json.dumps(self.holder.state_dict()), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Read NAME.json."""
        if self.new and not (folder / self.name).exists():
            return
        self.holder.load_state_dict(json.loads((folder / self.name).read_text(encoding="utf-8")))


class Played:
    """What a checkpoint was trained on, to refuse another game or other questions: `scoring`, a `dataset`."""

    def __init__(self, scoring: Scoring, dataset: Any) -> None:
        asked = hashlib.sha256(json.dumps(list(dataset["question_id"])).encode()).hexdigest()
        columns = [list(dataset[name]) for name in ("prompt", *COLUMNS) if name in dataset.column_names]
        rows = json.dumps(columns, default=lambda held: type(held).__name__)  # a picture, say
        self.known = {
            "game": [[c, type(game).__name__] for c, game in scoring.game.parts()],
            "beta": scoring.beta,
            "questions": asked,
            "scoring": _plain(scoring),
            "rows": hashlib.sha256(rows.encode()).hexdigest(),
        }

    def state_dict(self) -> dict[str, Any]:
        """What is played, as JSON has it."""
        return self.known

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raise ConfigError if a checkpoint was trained on something else; those of earlier versions say less."""
        known = {name: value for name, value in self.known.items() if name in state}
        other = [f"{name}: {was}, now {is_now}" for name, was, is_now in differences(state, known)]
        if other:
            what = f"the checkpoint was trained with other settings ({'; '.join(other)})"
            raise ConfigError(Problem("resume_from_checkpoint", what, "use the same ones, or start a new run"))


def _plain(held: Any) -> Any:
    """Settings as JSON has them; of an array and the like its kind alone."""
    if isinstance(held, Game | Scoring | Estimator | tuple):
        inside = enumerate(held) if isinstance(held, tuple) else vars(held).items()
        return {str(name): _plain(value) for name, value in inside}
    return held if isinstance(held, str | int | float | None) else type(held).__name__


class CheckpointMixin(Base):
    """Atomic, verified checkpoints for TRL's trainers, in `output_dir/checkpoint-STEP`.

    `parts` are saved and restored with the trainer's own state: each has `save(folder)` and `load(folder)`, for
    files of its own in a checkpoint. `stop` is looked at where a cycle ends.
    `save_total_limit` is how many checkpoints are kept. A script that saves when it is asked to stop (SIGTERM,
    Ctrl-C) trains under `with listening() as trainer.stop, trainer.stop.patience():` (`alft.training.stopping`).
    """

    args: Any
    model: Any
    accelerator: Any
    stop: StopRequest
    parts: list[Any]
    _place: Path | None = None
    _own: Set[int] = frozenset()  # steps whose checkpoints are this run's

    def follow_cycles(self, passes: int) -> None:
        """Save and stop only after every so many `passes`. Call once, behind callbacks that may ask for either."""
        self.stop, self.parts = StopRequest(), []
        self.add_callback(CycleCallback(passes, self._asked_to_stop))

    def train(self, resume_from_checkpoint: str | Path | bool | None = None, **options: Any) -> Any:
        """Train as TRL does, from the beginning or from a checkpoint of which every byte was verified.

        True takes the newest valid one of `output_dir`, and warns of damaged ones that it skipped. Raises
        CheckpointError if the checkpoint is damaged or there is none, and ConfigError if `output_dir` holds
        checkpoints that a run from the beginning would mix with its own.
        """
        folder, asked = Path(self.args.output_dir), resume_from_checkpoint
        found = from_main(lambda: trusted(folder, asked) if asked else unmixed(folder, self._own))
        self._own = frozenset() if found is None else frozenset({checkpoint.step_of(found)})
        return super().train(resume_from_checkpoint=None if found is None else str(found), **options)

    def _asked_to_stop(self) -> bool:
        """Whether any process was asked to: all must save and stop at the same step."""
        return any_process(self.stop.signal is not None)

    def restore(self, path: Path) -> None:
        """Take weights, trainer state and parts of a checkpoint, without training on."""
        if self.is_deepspeed_enabled or self.is_fsdp_enabled:  # what divides reads them
            self._prepare_for_training(self.args.max_steps, self.get_train_dataloader(), str(path))
        else:
            self._load_from_checkpoint(str(path))
            self._load_parts(path)
        self.state = TrainerState.load_from_json(str(path / "trainer_state.json"))

    def gathered(self) -> dict[str, torch.Tensor] | None:
        """All weights, where processes divide them, on the main process; else None. All processes call this.

        Raises ConfigError where ZeRO-3 is set to gather none.
        """
        if not divided(self.accelerator):
            return None
        try:
            return self.accelerator.get_state_dict(self.model_wrapped)
        except ValueError as error:
            raise ConfigError(Problem("deepspeed", str(error), "set zero3_save_16bit_model: true")) from error

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the whole model, also where processes divide its weights; then all of them call this.

        Raises CheckpointError if what was written is not the whole model.
        """
        if self._place is not None:  # a checkpoint, which only has to be resumed from
            super().save_model(output_dir, _internal_call)
            return
        accelerator, model = self.accelerator, self.model
        with whole_state(accelerator):
            super().save_model(output_dir, _internal_call)

        def check() -> None:
            if self.args.should_save:
                check_whole(Path(output_dir or self.args.output_dir), elements(model))

        everywhere(check) if divided(accelerator) else check()  # a script may save on its main process alone

    def _get_output_dir(self, trial: Any) -> str:
        return super()._get_output_dir(trial) if self._place is None else str(self._place)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self._get_output_dir(trial))
        name = f"checkpoint-{self.state.global_step}"
        if self.state.global_step in self._own:
            return  # the same step again, after a resume or at the end of an epoch
        first = self.args.should_save
        try:
            self._place = checkpoint.staging(folder) if first else folder / checkpoint.STAGING
            self.accelerator.wait_for_everyone()
            super()._save_checkpoint(model, trial)
            self._name_best(folder)
            self.accelerator.wait_for_everyone()
            everywhere(lambda: self._commit(folder, name) if first else None)
            self._own = self._own | {self.state.global_step}
        except (OSError, RuntimeError, SafetensorError) as error:
            with suppress(OSError):
                checkpoint.discard(folder / checkpoint.STAGING)
            if lost(error):
                raise
            raise unwritten(folder / name, self.model, error) from error
        finally:
            self._place = None

    def _name_best(self, folder: Path) -> None:
        """Say where the best model will be: transformers names the place where it is written, which is moved."""
        best = Path(self.state.best_model_checkpoint or folder)
        if best.parent == folder / checkpoint.STAGING:
            self.state.best_model_checkpoint = str(folder / best.name)
            if self.args.should_save:
                self.state.save_to_json(str(best / "trainer_state.json"))

    def _commit(self, folder: Path, name: str) -> None:
        written = folder / checkpoint.STAGING / name
        for part in self.parts:
            part.save(written)
        newest = checkpoint.commit(written, folder)
        if self.args.save_total_limit is not None:
            checkpoint.prune(newest, self.args.save_total_limit, self.state.best_model_checkpoint)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            self._load_parts(Path(checkpoint))

    def _load_parts(self, path: Path) -> None:
        for part in self.parts:
            part.load(path)


def trusted(folder: Path, asked: str | Path | bool) -> Path:
    """The checkpoint that was asked for: a path, or with True the newest valid one of `folder`.

    Raises CheckpointError if it is damaged, or there is none.
    """
    if asked is not True:
        if (what := checkpoint.damage(Path(str(asked)))) is not None:
            remedy = "resume_from_checkpoint=True takes the newest that is whole"
            raise CheckpointError(Problem(str(asked), what, remedy))
        return resumable(Path(str(asked)))
    found = checkpoint.find_newest(folder)
    for skipped in found.skipped:
        logger.warning("skipped a damaged checkpoint: %s", skipped)
    if found.path is None:
        raise CheckpointError(Problem(str(folder), "there is no checkpoint to resume from", "train without one"))
    return resumable(found.path)


def resumable(path: Path) -> Path:
    """The checkpoint itself; raises CheckpointError if it holds the model alone, and no state of an optimizer."""
    if not any(found for name in ("optimizer*", "global_step*") for found in path.glob(name)):
        what = "holds the model without the state of its optimizer (save_only_model)"
        raise CheckpointError(Problem(str(path), what, "load it as a model, and start a new run"))
    return path


def unmixed(folder: Path, own: Collection[int]) -> None:
    """Raise ConfigError if `folder` holds checkpoints of other steps than a trainer's `own`: of an earlier run."""
    others = [path.name for path in checkpoint.candidates(folder) if checkpoint.step_of(path) not in own]
    if others:
        what = f"holds checkpoints of an earlier run ({', '.join(others[:3])})"
        remedy = "continue with resume_from_checkpoint=True, or choose another output_dir"
        raise ConfigError(Problem(str(folder), what, remedy))


def unwritten(path: Path, model: torch.nn.Module, error: Exception) -> CheckpointError:
    """The error that says how much room a checkpoint of the model needs, and how much there is."""
    place = next(parent for parent in path.parents if parent.exists())
    sizes = f"a checkpoint needs {bytes_needed(model):,} bytes, {shutil.disk_usage(place).free:,} are free"
    remedy = "make room, then give the same command again (alft train with --resume): earlier checkpoints are kept"
    return CheckpointError(Problem(str(path), f"can't be written ({error}); {sizes}", remedy))


def bytes_needed(model: torch.nn.Module) -> int:
    """Size of a checkpoint, nearly: the weights, and Adam's two moments of those that are trained.

    >>> bytes_needed(torch.nn.Linear(10, 5, bias=False))
    600
    """
    weights = [(each.numel() * each.element_size(), each.requires_grad) for each in model.parameters()]
    return sum(size * (3 if trained else 1) for size, trained in weights)


def check_space(needed: int, directory: Path) -> None:
    """Raise ConfigError if the disk has no room for what a run will hold at once, in bytes."""
    free = shutil.disk_usage(directory).free
    if needed > free:
        what = f"checkpoints and models of this run need {needed:,} bytes, {free:,} are free"
        remedy = "make room, choose another output.directory, or keep fewer: training.keep_checkpoints"
        raise ConfigError(Problem(str(directory), what, remedy))


SETTINGS = "fsdp_state_dict_type: FULL_STATE_DICT (FSDP) or zero3_save_16bit_model: true (ZeRO-3)"


def divided(accelerator: Any) -> bool:
    """Whether each process holds only a part of the weights."""
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        return accelerator.deepspeed_config["zero_optimization"]["stage"] == 3
    return accelerator.distributed_type == DistributedType.FSDP


@contextmanager
def whole_state(accelerator: Any) -> Iterator[None]:
    """Let a trainer's `save_model` write whole weights, whatever its checkpoints hold."""
    plugin: Any = getattr(accelerator.state, "fsdp_plugin", None)
    if plugin is None:
        yield
        return
    asked, plugin.state_dict_type = plugin.state_dict_type, StateDictType.FULL_STATE_DICT
    try:
        yield
    finally:
        plugin.state_dict_type = asked


def elements(model: torch.nn.Module) -> int:
    """Numbers in a saved copy of a model, of all processes; of an adapter, those that are trained.

    An adapter that learns a prompt saves other numbers than it trains: 0, at least none, is known of it.

    >>> elements(torch.nn.Linear(3, 2))
    8
    """
    adapter, left_out = is_peft_model(model), getattr(bare(model), "_keys_to_ignore_on_save", None) or ()
    known: Any = model
    if adapter and known.active_peft_config.is_prompt_learning:
        return 0
    return sum(
        getattr(each, "ds_numel", each.numel())
        for name, each in model.named_parameters()
        if (each.requires_grad or not adapter) and not any(re.search(one, name) for one in left_out)
    )


def check_whole(folder: Path, expected: int) -> None:
    """Raise CheckpointError unless a saved model has as many `elements` as expected, and no empty tensor."""
    shapes: dict[str, list[int]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "numpy") as saved:
            shapes |= {f"{file.name}: {name}": saved.get_slice(name).get_shape() for name in saved.keys()}  # noqa: SIM118
    empty = [name for name, shape in shapes.items() if 0 in shape]
    found = sum(map(math.prod, shapes.values()))
    if empty or found < expected:
        what = f"the saved model has {found:,} of {expected:,} weights"
        what += f"; {len(empty)} of {len(shapes)} tensors are empty, e.g. {empty[0]}" if empty else ""
        remedy = f"don't use it; if processes divide the weights, set {SETTINGS} and save on all processes"
        raise CheckpointError(Problem(str(folder), what, remedy))
