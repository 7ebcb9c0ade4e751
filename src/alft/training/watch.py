"""Watches for the degenerate optimum of label-free games: every question answered alike (theory.md 4.6).

Agreement within a question RISES in a collapse, so the watch looks across questions. Over a window of
steps it measures how much an answer tells about its question, in nats, over the questions with readable answers:

    information = H(keys pooled over questions) − mean over questions of H(keys of the question)

Becoming coherent raises it (the second term falls); collapsing lowers it (the first term falls). It needs no
label. A run is stopped once information has fallen below the share of its peak that the watch allows, by more
than the draw of the questions explains, or too much is unread. `WatchCallback` does so around TRL's steps, and
keeps the models to go back to.
"""

import json
import logging
import math
import os
import shutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState

from alft import simplex
from alft.errors import ConfigError, Problem
from alft.evaluation import metrics
from alft.models.base import bare, finite, parted
from alft.rewards.scorer import ScoredBatch
from alft.storage.checkpoint import discard
from alft.training.processes import any_process, from_main
from alft.training.saving import check_whole, elements, unwritten

NOISE = 0.1  # nats; plug-in information of answers that say nothing moves by less than this
NOISE_FACTOR = 4.0  # standard deviations of information that the draw of questions alone may explain

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """What the watch sees over its window: `information` and `pooled_entropy` in nats, shares in [0, 1].

    `noise`: standard deviation of information, in nats, by the draw of the `questions` alone.
    """

    information: float
    noise: float
    questions: int
    pooled_entropy: float
    dominant_share: float
    unread: float


@dataclass(frozen=True)
class Seen:
    """What the watch keeps of a batch: `codes` (question, view, sample), and the keys that they stand for."""

    codes: np.ndarray
    names: list[list[str]]


def look(batches: Sequence[Seen]) -> Look:
    """Statistics over the questions of several batches, each question counting alike.

    A question without any readable answer says nothing of information: both of its terms leave it out.
    """
    codes = np.concatenate([batch.codes for batch in batches])
    shared = metrics.share_codes(codes, [names for batch in batches for names in batch.names])
    counts = metrics.tally(codes).sum(axis=1)
    within = np.asarray(simplex.entropy(simplex.normalise(counts[counts.any(axis=-1)])))
    pooled_entropy, surprise = metrics.pooled_entropy(shared) or 0.0, -simplex.log(metrics.pooled(shared))
    across = np.array([surprise[one[one >= 0]].mean() for one in shared if (one >= 0).any()])
    size, distinct = max(len(across), 1), np.count_nonzero(np.isfinite(surprise))
    spread = float(np.var(across - within)) if len(across) else 0.0
    return Look(
        information=pooled_entropy - (metrics.mean(within) or 0.0),
        noise=math.sqrt(spread / size + max(distinct - 1, 0) / (2 * size**2)),  # the second: of a plug-in entropy
        questions=len(across),
        pooled_entropy=pooled_entropy,
        dominant_share=metrics.dominant_share(shared) or 0.0,
        unread=float(metrics.unread(codes).mean()),
    )


class CollapseWatch:
    """Looks at every generation batch and says why the run must stop, if it must."""

    def __init__(self, window: int, information_loss: float, unread: float) -> None:
        self.window, self.information_loss, self.unread = window, information_loss, unread
        self.batches: deque[Seen] = deque(maxlen=window)
        self.peak, self.noise, self.looks = -np.inf, 0.0, 0
        self.latest: Look | None = None

    def see(self, batch: ScoredBatch) -> str | None:
        """Take in one batch; the reason to stop, or None."""
        self.batches.append(Seen(batch.codes, batch.names))
        if len(self.batches) < self.window:
            return None
        self.latest = look(self.batches)
        self.peak, self.noise = max(self.peak, self.latest.information), max(self.noise, self.latest.noise)
        if self.latest.unread > self.unread:
            return f"{self.latest.unread:.0%} of the completions have no readable answer"
        allowed = max(self.information_loss * self.peak, NOISE) + NOISE_FACTOR * self.noise
        self.looks += 1
        if self.looks == 4 * self.window and allowed >= self.peak:
            size = f"{self.window} batches with {self.latest.questions} questions"
            logger.warning("watch: %s are too few to notice a collapse — raise its window", size)
        if self.peak - self.latest.information > allowed:
            return (
                f"answers say less and less about their question ({self.latest.information:.2f} nats, "
                f"{self.peak:.2f} at the best); the commonest is {self.latest.dominant_share:.0%} of all"
            )
        return None

    def state_dict(self) -> dict[str, Any]:
        """The batches in the window and the peak so far."""
        batches = [{"codes": seen.codes.tolist(), "names": seen.names} for seen in self.batches]
        return {"batches": batches, "peak": self.peak, "noise": self.noise}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state."""
        kept = (Seen(np.array(seen["codes"]), seen["names"]) for seen in state["batches"])
        self.batches = deque(kept, maxlen=self.window)
        self.peak, self.noise = state["peak"], state.get("noise", 0.0)


Probe = Callable[[PreTrainedModel], Mapping[str, float]]
"""What a model's answers tell, `consensus_kept` among it."""
STATE, KEPT = "watch.json", "good"  # in a checkpoint


class WatchCallback(TrainerCallback):
    """Stops a run that collapses or drifts, and gives back the last good model.

    Every generation batch is looked at across questions (`CollapseWatch`); every `every` steps the model is
    kept on disk and, if there is a probe, asked whether it still follows the reference's consensus. What the probe
    tells joins the step's log. The watch's window is of batches, and a batch lasts `steps_per_batch` steps.
    Every process of a run knows the models that are kept; the main process alone writes and removes them.
    A trainer sets `gather`: all processes call it, and it returns the weights to write, None for the model's own.
    """

    def __init__(
        self,
        watch: CollapseWatch,
        folder: Path,
        every: int,
        probe: Probe | None,
        drop: float,
        steps_per_batch: int = 1,
    ) -> None:
        self.watch, self.folder, self.every, self.probe, self.drop = watch, folder, every, probe, drop
        self.window = watch.window * steps_per_batch  # in steps
        self.reason: str | None = None
        self.stopped_at: int | None = None
        self.lag = 0  # steps by which what was seen lies behind the step at which it was seen
        self.shares: dict[int, float] = {}
        self.kept: list[tuple[int, Path]] = []
        self.gather: Callable[[], dict[str, Any] | None] = lambda: None
        self._told: tuple[int, Mapping[str, float]] = (0, {})  # the latest probe, and its step

    def see(self, step: int, batch: ScoredBatch) -> None:
        """Look at a scored generation batch."""
        reason = self.watch.see(batch)
        if reason is not None and self.reason is None:
            self.lag = self.window
        self.stop(step, reason)

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Probe and keep the reference, where a run begins."""
        if state.global_step == 0:
            self._inspect(state, **kwargs)

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Probe and keep the model as this step leaves it; stop if there is a reason."""
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            self._inspect(state, **kwargs)
        if self.reason is not None:
            control.should_training_stop = True

    @property
    def most_kept(self) -> int:
        """Models on the disk at once, at most: inside the window, the best before it, and one being written."""
        return math.ceil(self.window / self.every) + 2

    def on_log(self, args: Any, state: TrainerState, control: Any, logs: dict[str, Any], **_: Any) -> None:
        """Put into a step's log what its probe found; TRL's closing summary is no step's."""
        step, told = self._told
        if step == state.global_step and any(name.startswith("game/") for name in logs):
            logs.update({f"game/probe/{name}": value for name, value in told.items()})

    def last_good(self) -> tuple[int, Path] | None:
        """Step and directory of the model to give back, if it is not the one that training ended with.

        Of a run that was stopped, the best by the probe, among those kept before the watch's window if it was the
        watch that found a reason. Of one that came to its end, the best by the probe, if the last fell below it by
        more than `drop`: healthy runs waver by less, and then nothing speaks against the last.
        """
        if not self.kept:
            return None
        if self.stopped_at is None:
            last, best = self.kept[-1], max(self.kept, key=self._rank)
            return best if self._rank(best)[0] - self._rank(last)[0] > self.drop else None
        safe = [kept for kept in self.kept if kept[0] <= self.stopped_at - self.lag]
        return max(safe or [self.kept[0]], key=self._rank)

    def _rank(self, kept: tuple[int, Path]) -> tuple[float, int]:
        return self.shares.get(kept[0], 0.0), kept[0]

    def stop(self, step: int, reason: str | None) -> None:
        """Stop at this step, if there is a reason and none was found before."""
        if reason is not None and self.reason is None:
            self.reason, self.stopped_at = reason, step

    def save(self, folder: Path) -> None:
        """Put what the watch knows into a checkpoint, and the kept models: as hard links, which cost no space."""
        known = {
            "watch": self.watch.state_dict(),
            "reason": self.reason,
            "stopped_at": self.stopped_at,
            "lag": self.lag,
            "shares": list(self.shares.items()),
            "kept": [step for step, _ in self.kept],
        }
        (folder / STATE).write_text(json.dumps(known), encoding="utf-8")
        for _, path in self.kept:
            shutil.copytree(path, folder / KEPT / path.name, copy_function=_link)

    def load(self, folder: Path) -> None:
        """Resume from a checkpoint, with the models that were kept when it was made."""
        if not (folder / STATE).exists():
            logger.warning("%s was made without this watch, which begins here", folder)
            return
        known = json.loads((folder / STATE).read_text(encoding="utf-8"))
        self.watch.load_state_dict(known["watch"])
        self.reason, self.stopped_at, self.lag = known["reason"], known["stopped_at"], known["lag"]
        self.shares = {int(step): share for step, share in known["shares"]}
        self.kept = [(step, self._path(step)) for step in known["kept"]]

        def bring_back() -> None:
            for path in self.folder.glob("step-*"):  # nothing else there is the watch's
                discard(path)
            if self.kept:
                shutil.copytree(folder / KEPT, self.folder, copy_function=_link, dirs_exist_ok=True)

        from_main(bring_back)

    def _inspect(self, state: TrainerState, model: Any, processing_class: Any = None, **_: Any) -> None:
        if any_process(not finite(model)):
            self.stop(state.global_step, "the model's weights are not finite")
            return
        self._probe(state.global_step, model if parted(model) else bare(model))
        if self.reason is None:
            self._keep(state.global_step, model, processing_class)

    def _probe(self, step: int, model: PreTrainedModel) -> None:
        if self.probe is None or self.reason is not None:
            return
        told = self.probe(model)
        self._told = step, told
        self.shares[step] = share = told["consensus_kept"]
        first, best = self.shares[min(self.shares)], max(self.shares.values())
        if share < max(first - self.drop, best - 2 * self.drop):
            seen = f"{share:.0%}, {first:.0%} at first, {best:.0%} at best"
            self.stop(step, f"answers leave the consensus of the reference ({seen})")

    def _keep(self, step: int, model: Any, tokenizer: Any) -> None:
        """Keep a model with its tokenizer, and of the others those that may be given back: see `most_kept`."""
        path, weights = self._path(step), self.gather()
        from_main(lambda: self._write(path, model, weights, tokenizer))
        known = [*self.kept, (step, path)]
        before = [kept for kept in known if kept[0] <= step - self.window]
        best = max(before, key=self._rank, default=known[0])
        self.kept = [kept for kept in known if kept == best or kept[0] > step - self.window]
        unwanted = [kept[1] for kept in known if kept not in self.kept]
        from_main(lambda: [shutil.rmtree(each) for each in unwanted])

    def _write(self, path: Path, model: Any, weights: dict[str, Any] | None, tokenizer: Any) -> None:
        discard(path)  # never written over: a checkpoint may hold the same files
        try:
            model.save_pretrained(path, **({} if weights is None else {"state_dict": weights}))
            if tokenizer is not None:
                tokenizer.save_pretrained(path)
        except (OSError, SafetensorError) as error:
            discard(path)
            raise unwritten(path, model, error) from error
        check_whole(path, elements(model))

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step}"


def collapse_watch(
    folder: str | Path,
    *,
    window: int = 5,
    information_loss: float = 0.3,
    unread: float = 0.5,
    every: int = 2,
    steps_per_batch: int = 1,
) -> WatchCallback:
    """A watch for `AlignmentGameTrainer(…, callbacks=[…])`: label-free games can be won by answering all alike.

    It stops a run once answers have lost a share of `information_loss` of what they said about their question at
    best, or a share of `unread` is unread, each over `window` batches. Every `every` steps it keeps the model in
    `folder`; `last_good()` then says which to take, None for the one that training ended with. What `alft train`
    does besides, ask held-out questions whether answers still follow the reference, it does not (theory.md 4.6).
    """
    numbers = {"window": window, "every": every, "steps_per_batch": steps_per_batch}
    shares = {"information_loss": information_loss, "unread": unread}
    wrong = {name: "a whole number above 0" for name, n in numbers.items() if not (isinstance(n, int) and n > 0)}
    wrong |= {name: "from 0 to 1" for name, share in shares.items() if not 0 <= share <= 1}
    if wrong:
        raise ConfigError(
            [Problem(f"collapse_watch({name}=…)", f"must be {what}") for name, what in wrong.items()]
        )
    watch = CollapseWatch(window, information_loss, unread)
    return WatchCallback(watch, Path(folder), every, None, math.inf, steps_per_batch)


def _link(source: str, target: str) -> None:
    """A second name for a file, or a copy where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
