"""The phases of a run, one after the other: measure, train (or go on), give back, measure again, save."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.progress import Progress
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, TrainerCallback

from alft.errors import DivergedError, Problem, RunInterrupted
from alft.evaluation import Evaluation, compare, evaluate_model
from alft.evaluation.approach import approach
from alft.plan import Plan
from alft.training.callbacks import GradientGuard, MetricsCallback
from alft.training.checkpoint import step_of
from alft.training.checkpointing import JsonPart, check_space
from alft.training.collapse import CollapseWatch
from alft.training.dataset import to_dataset
from alft.training.first_answers import make_scorer
from alft.training.models import finite, reload_model
from alft.training.probe import ConsensusProbe, consensus_answers
from alft.training.rundir import RunDirectory
from alft.training.scorer import Row, ScoredBatch
from alft.training.settings import evaluation_settings, trl_config
from alft.training.stopping import StopRequest
from alft.training.trl import AlignmentGameTrainer
from alft.training.watching import WatchCallback

NOT_FINITE = "probability tensor contains"  # what torch says of sampling from outputs that are not finite
BAD_STEPS = 3  # gradients in a row that are not finite, after which a run is stopped


class Stopwatch:
    """Seconds of training, those before a resume too."""

    def __init__(self) -> None:
        self.earlier, self.started = 0.0, time.monotonic()

    def seconds(self) -> float:
        """Seconds so far."""
        return self.earlier + time.monotonic() - self.started

    def state_dict(self) -> dict[str, Any]:
        """Seconds so far."""
        return {"seconds": self.seconds()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Count on from there."""
        self.earlier, self.started = state["seconds"], time.monotonic()


@dataclass(frozen=True)
class Execution:
    """A plan, carried out in a run directory; `request` may ask to stop."""

    plan: Plan
    run: RunDirectory
    progress: Progress
    request: StopRequest

    def execute(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, checkpoint: Path | None
    ) -> dict[str, Any]:
        """Go through the phases, from a checkpoint if there is one; returns what results.json holds."""
        check_space(model, self.plan.config.training.keep_checkpoints, self.run.path)
        before = self._before(model, tokenizer, checkpoint)
        watch = self._watch(tokenizer, before)
        training = self._train(model, tokenizer, watch, checkpoint)
        results: dict[str, Any] = {"before": before.summary()}
        good = watch.last_good() if watch is not None else None
        if good is not None:
            if finite(model):
                results["at_stop"] = self._evaluate(model, tokenizer, "at_stop").summary()
            training["restored_step"] = good[0]
            model = reload_model(model, good[1])
        after = self._evaluate(model, tokenizer, "after")
        results |= {"after": after.summary(), "difference": compare(before, after), "training": training}
        results["approach"] = self._approach(before, after)
        model.save_pretrained(self.run.model)
        tokenizer.save_pretrained(self.run.model)
        self.run.write_json("results.json", results)
        return results

    def _before(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, checkpoint: Path | None
    ) -> Evaluation:
        """The reference's evaluation; that of the interrupted run, if it is one that goes on."""
        if checkpoint is None:
            return self._evaluate(model, tokenizer, "before")
        return Evaluation.from_rows(self.run.completions(), "before")

    def _approach(self, before: Evaluation, after: Evaluation) -> dict[str, Any] | None:
        """How near to the game's equilibrium; None beside games on all questions, which move it."""
        config = self.plan.config
        if config.constraints or config.parity is not None:
            return None
        return approach(config.game.build(), before, after, config.scoring.beta)

    def _watch(self, tokenizer: PreTrainedTokenizerBase, before: Evaluation) -> WatchCallback | None:
        chosen = self.plan.config.watch
        if not chosen.enabled:
            return None
        asked = self.plan.held_out[: chosen.probe_questions or 0]
        settings = replace(evaluation_settings(self.plan.config), samples=chosen.probe_samples, greedy=False)
        probe = ConsensusProbe(asked, consensus_answers(before), settings)
        return WatchCallback(
            CollapseWatch(chosen.window, chosen.information_loss or 0.0, chosen.unread),
            self.run.good,
            chosen.every,
            (lambda model: probe.share(model, tokenizer)) if asked else None,
            chosen.drop,
        )

    def _train(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        watch: WatchCallback | None,
        checkpoint: Path | None,
    ) -> dict[str, Any]:
        """Train to the end, or until there is a reason to stop; what results.json says of it."""
        guard, stopwatch = GradientGuard(BAD_STEPS), Stopwatch()
        trainer = self._trainer(model, tokenizer, [*([] if watch is None else [watch]), guard])
        trainer.parts += [JsonPart("logs", self.run), JsonPart("guard", guard), JsonPart("clock", stopwatch)]
        if watch is not None:
            trainer.parts.append(watch)
        self._go(trainer, watch, checkpoint)
        if self.request.signal is not None:
            told = f"stopped after step {trainer.state.global_step}"
            raise RunInterrupted(Problem(str(self.run.path), told, "go on with --resume"), self.request.signal)
        return {
            "game": self.plan.config.game.label,
            "steps": trainer.state.global_step,
            "completions": trainer.state.global_step * self.plan.completions_per_step,
            "seconds": stopwatch.seconds(),
            "stopped": guard.reason or (None if watch is None else watch.reason),
            "consensus_kept": {} if watch is None else watch.shares,
        }

    def _trainer(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, callbacks: list[TrainerCallback]
    ) -> AlignmentGameTrainer:
        config = self.plan.config
        watch = next((callback for callback in callbacks if isinstance(callback, WatchCallback)), None)
        task = self.progress.add_task("training", total=config.training.steps, metrics="")

        def on_batch(step: int, rows: Sequence[Row], batch: ScoredBatch) -> None:
            if watch is not None:
                watch.see(step, batch)
            self.run.log_completions(_training_records(step, rows, self.plan))

        trainer = AlignmentGameTrainer(
            model=model,
            game=make_scorer(self.plan, model, tokenizer, evaluation_settings(config)),
            args=trl_config(self.plan, self.run.checkpoints),
            on_batch=on_batch,
            views_per_step=config.training.views_per_step,
            train_dataset=to_dataset(self.plan.train, chat=tokenizer.chat_template is not None),
            processing_class=tokenizer,
            callbacks=[MetricsCallback(self.run, self.progress, task), *callbacks],
        )
        trainer.remove_callback(PrinterCallback)  # the progress bar shows what it would print
        trainer.stop = self.request
        return trainer

    def _go(self, trainer: AlignmentGameTrainer, watch: WatchCallback | None, checkpoint: Path | None) -> None:
        """Train from the beginning, or from a checkpoint."""
        if checkpoint is not None and step_of(checkpoint) >= self.plan.config.training.steps:
            trainer.restore(checkpoint)
            return
        try:
            with self.request.patience():
                trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        except RuntimeError as error:
            if NOT_FINITE not in str(error):
                raise
            step = trainer.state.global_step
            if watch is None:
                remedy = "lower training.learning_rate, or train in float32"
                raise DivergedError(
                    Problem(f"step {step + 1}", "the model's outputs are not finite", remedy)
                ) from error
            watch.stop(step, "the model's outputs are not finite")

    def _evaluate(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, phase: str) -> Evaluation:
        task = self.progress.add_task(f"measuring {phase}", total=1.0, metrics="")
        result = evaluate_model(
            model,
            tokenizer,
            self.plan.held_out,
            evaluation_settings(self.plan.config),
            progress=lambda share: self.progress.update(task, completed=share),
        )
        self.run.log_completions(result.rows(phase))
        return result


def _training_records(step: int, rows: Sequence[Row], plan: Plan) -> list[dict[str, Any]]:
    views = {question.id: question.views for question in plan.train}
    return [
        {
            "phase": "train",
            "step": step,
            "question_id": row.question,
            "view": views[row.question][row.view].name,
            "kind": "sampled",
            "sample": index % plan.config.training.samples,
            "completion": row.text,
            "key": row.key,
            "right": None if row.gold is None else row.key in row.gold,
        }
        for index, row in enumerate(rows)
    ]
