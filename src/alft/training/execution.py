"""The phases of a run, one after the other: measure, train (or resume), give back, save, measure again."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import PartialState
from accelerate.utils import is_peft_model
from rich.progress import Progress
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from alft.config.build import populations_of
from alft.evaluation import Evaluation, EvaluationSettings, compare, evaluate_backend
from alft.evaluation.approach import approach
from alft.evaluation.evaluate import evaluation_settings
from alft.evaluation.limits import MeasuredLimit, full_summary, limits_of
from alft.evaluation.results import Approach, Results, Summary
from alft.evaluation.unread import readability
from alft.models.base import bare, finite
from alft.models.kept import KeptModel
from alft.models.loading import (
    as_stored,
    computing_in,
    merged,
    model_digest,
    precision,
    reload_model,
    rounded,
    saved_in,
    seed_of,
    spread,
)
from alft.models.local import LocalModel
from alft.plan.plan import Plan
from alft.questions import Question
from alft.reporting.cards import model_card
from alft.rewards.populations import Limit
from alft.rewards.scorer import Scorer
from alft.rewards.target import ReferenceAnswers
from alft.storage.files import write_json, write_text
from alft.text import counted
from alft.training.block_sampler import Order
from alft.training.loop import Loop
from alft.training.probe import ConsensusProbe, allowance, consensus_answers, evaluate_together
from alft.training.processes import from_main
from alft.training.rundir import RunDirectory
from alft.training.saving import bytes_needed, check_space, check_whole, elements
from alft.training.stopping import StopRequest
from alft.training.watch import CollapseWatch, WatchCallback

logger = logging.getLogger(__name__)

Learnt = tuple[Any, dict[str, Any], dict[str, Any]]
"""A trained model, under its adapter if it has one; what results.json says of `training`; and its other keys."""


@dataclass(frozen=True)
class Execution:
    """A plan, carried out in a run directory, from a checkpoint if there is one; `request` may ask to stop."""

    plan: Plan
    run: RunDirectory
    progress: Progress
    request: StopRequest
    tokenizer: PreTrainedTokenizerBase
    checkpoint: Path | None

    def execute(self, model: PreTrainedModel) -> dict[str, Any]:
        """Go through the phases; returns what results.json holds.

        The model is saved as soon as it is trained: no estimate that fails afterwards can lose it.
        """
        check_space(space_needed(self.plan, model), self.run.path)
        before = self._before(model)
        found = readability(before.records, self.plan.config)
        if self.plan.config.watch.unread < 1:  # 1: the user knows that all may be unread
            found.check(self.plan.config.data.path)
        self._warn(found.warning())
        trained, training, more = self._learn(model, before)
        results: dict[str, Any] = {"before": self._summary(before), **more}
        after = self._evaluate(self._save(trained), "after")
        self._warn(readability(after.records, self.plan.config).warning(found.unread))
        results |= {"after": self._summary(after), "difference": compare(before, after), "training": training}
        results["approach"] = self._approach(before, after, training["multipliers"])
        if self.run.writes:
            config, digests = self.plan.config, self.run.digests()
            precisions = {"computed": self._computed_in(), "saved": self._saved_in()}
            card = model_card(config, self.plan.play.game, cast(Results, results), digests, **precisions)
            write_text(self.run.model / "README.md", card)
            write_json(self.run.path / "results.json", results)
        return results

    def _summary(self, evaluation: Evaluation) -> Summary:
        return full_summary(evaluation, self._limits(), self.plan.held_out)

    def _limits(self) -> list[MeasuredLimit]:
        return limits_of(self.plan.config.constraints, self.plan.play.flags)

    def _before(self, model: PreTrainedModel) -> Evaluation:
        """The reference's evaluation; that of the interrupted run, if it is resumed."""
        if self.checkpoint is None:
            return self._evaluate(model, "before")
        logs = self.checkpoint / "logs.json"  # a log that was changed since is an error before it is read
        self.run.load_state_dict(json.loads(logs.read_text(encoding="utf-8")))
        return Evaluation(tuple(self.run.completions("before")))

    def _warn(self, warning: str | None) -> None:
        if warning is not None:
            self.progress.console.print(f"look at: {warning}", markup=False, highlight=False, style="yellow")

    def _learn(self, model: PreTrainedModel, before: Evaluation) -> Learnt:
        """Train live, under the watch; where answers collapsed, the last good model is given back."""
        watch, scorer = self._watch(before), self._scorer(model)
        if self._trained_in() == "bfloat16":
            if self._saved_in() == "float32":
                logger.warning(
                    "output.dtype: a model trained in bfloat16 is another one in float32 — leave it out"
                )
            spread(model, seed_of(model_digest(self.plan.config.model), self.plan.config.training.seed))
        loop = Loop(self.plan, self.run, self.progress, self.request, watch)
        trained, training = loop.train(model, self.tokenizer, scorer, self.checkpoint)
        views = sum(len(question.views) for question in asked_before(self.plan))
        training["reference_completions"] = self.plan.config.target.samples * views
        played = [game for game in scorer.populations.values() if isinstance(game, Limit)]
        training["multipliers"] = {limit.name: limit.played for limit in played}
        good = None if watch is None else watch.last_good()
        if good is None:
            return trained, training, {}
        more = {}
        if finite(trained):
            more["at_stop"] = self._summary(self._evaluate(bare(trained), "at_stop"))
        training["restored_step"] = good[0]
        return reload_model(trained, good[1]), training, more

    def _scorer(self, model: PreTrainedModel) -> Scorer:
        """The scorer of the run, with the reference's answers if the game needs them; a checkpoint has them."""
        config, play = self.plan.config, self.plan.play
        kept = ReferenceAnswers(config.target.decay)
        if self.checkpoint is None and (asked := asked_before(self.plan)):
            settings = replace(evaluation_settings(config), samples=config.target.samples, greedy=False)
            kept.add(self._measured(model, asked, settings).records)
            if silent := sum(one.id not in kept.counts for one in asked):
                what = f"{silent} of {counted(len(asked), 'question')} had no readable answer before training"
                logger.warning("target: %s: the Target gives no reward there — raise target.samples", what)
        return Scorer(play.scoring, populations_of(config, play), kept, config.answers.policy, play.wanted)

    def _save(self, trained: Any) -> PreTrainedModel:
        """Write the model that a run gives, whole; an adapter apart too, before it is merged. Returns it."""

        def save_adapter() -> None:
            trained.save_pretrained(self.run.adapter)
            check_whole(self.run.adapter, elements(trained))
            (self.run.adapter / "README.md").unlink(missing_ok=True)  # peft's holds a local path

        if is_peft_model(trained):
            from_main(save_adapter)
        model = rounded(merged(trained), self._saved_in())

        def save() -> None:
            model.save_pretrained(self.run.model)
            check_whole(self.run.model, elements(model))
            self.tokenizer.save_pretrained(self.run.model)

        from_main(save)
        return model

    def _saved_in(self) -> str:
        """Precision of the saved model: what the run asks for, else that of the model that was trained."""
        asked = self.plan.config.output.dtype
        return self._trained_in() if asked == "auto" else asked

    def _trained_in(self) -> str:
        config = self.plan.config
        return saved_in(config.model, self._computed_in(), adapter=config.lora is not None)

    def _computed_in(self) -> str:
        config = self.plan.config
        return "float32" if config.training.trainer == "offline" else precision(config.model)

    def _approach(
        self, before: Evaluation, after: Evaluation, multipliers: Mapping[str, float] | None = None
    ) -> Approach | None:
        """How near to the game's equilibrium: beside limits only with their multipliers, beside parity never.

        Parity couples the questions of a group: no equilibrium of one question is theirs.
        """
        config, play = self.plan.config, self.plan.play
        if config.parity is not None or (config.constraints and multipliers is None):
            return None
        limits = {limit: multipliers[limit.name] for limit in self._limits()} if multipliers else None
        try:
            return approach(play.game, before, after, config.scoring.beta, play.wanted, limits)
        except Exception as error:  # a game of the user's own: an estimate must not lose the run's results
            what = f"{type(error).__name__}: {error}"
            logger.warning("%s: solving the game failed, so no distance to it: %s", config.game, what)
            return None

    def _watch(self, before: Evaluation) -> WatchCallback | None:
        chosen = self.plan.config.watch
        if not chosen.enabled:
            return None
        asked = self.plan.held_out[: chosen.probe_questions or 0]
        settings = replace(evaluation_settings(self.plan.config), samples=chosen.probe_samples, greedy=False)
        kept = consensus_answers(before)
        probe = ConsensusProbe(asked, kept, settings, lambda current: self._approach(before, current))

        def look(model: PreTrainedModel) -> dict[str, float]:
            with computing_in(precision(self.plan.config.model), model):
                return probe.look(model, self.tokenizer)

        return new_watch(self.plan, self.run.good, look if asked else None, allowance(chosen.drop, len(asked)))

    def _evaluate(self, model: PreTrainedModel, phase: str) -> Evaluation:
        progress, config = self._bar(f"measuring {phase}"), self.plan.config
        dtype = {"before": None, "after": self._saved_in()}.get(phase, precision(config.model))
        asked = self.plan.held_out, evaluation_settings(config)
        result = self._measured(model, *asked, progress, dtype=dtype)
        self.run.log_completions(result.records, phase)
        return result

    def _bar(self, name: str) -> Callable[[float], Any]:
        task = self.progress.add_task(name, total=1.0, metrics="")
        return lambda share: self.progress.update(task, completed=share)

    def _measured(
        self,
        model: PreTrainedModel,
        questions: Sequence[Question],
        settings: EvaluationSettings,
        progress: Any = None,
        *,
        dtype: str | None = None,
    ) -> Evaluation:
        """Answers of a model, computed in `dtype`: a trained one as it is saved, since 16 bits round steps away.

        None: of the model that training starts from, as it is stored; runs share its answers.
        """
        chosen = self.plan.config.model
        if dtype is not None or PartialState().num_processes > 1:
            with computing_in(dtype or precision(chosen), model):
                return evaluate_together(model, self.tokenizer, questions, settings, progress)
        with as_stored(chosen, model):
            return evaluate_backend(self._kept(model), questions, settings, progress)

    def _kept(self, model: PreTrainedModel) -> KeptModel:
        """The model that training starts from; its completions stay in .kept beside the run directory."""
        config = self.plan.config.model
        local = LocalModel(model, self.tokenizer, config.path, config.revision, config.chat_template_kwargs)
        return KeptModel(local, self.run.kept, self.run.digests()["model"])


def new_watch(plan: Plan, folder: Path, probe: Any = None, drop: float = 0.0) -> WatchCallback:
    """The watch of a plan, which keeps models in `folder`."""
    chosen = plan.config.watch
    watch = CollapseWatch(chosen.window, chosen.information_loss or 0.0, chosen.unread)
    return WatchCallback(watch, folder, chosen.every, probe, drop, plan.steps_per_batch)


def space_needed(plan: Plan, model: torch.nn.Module) -> int:
    """Bytes that a run holds at once: checkpoints, the models that its watch keeps, and the one it gives."""
    weights = sum(each.nbytes for each in model.parameters())
    offline = plan.config.training.trainer == "offline"  # keeps one checkpoint, and the distilled model twice
    if plan.config.lora is not None:  # adapters are small beside the model that they are merged into
        return weights * (1 + offline)
    if offline:
        return 2 * (bytes_needed(model) + weights)
    kept = new_watch(plan, plan.directory).most_kept if plan.config.watch.enabled else 0
    return bytes_needed(model) * (plan.config.training.keep_checkpoints + 1) + weights * (kept + 1)


def asked_before(plan: Plan) -> list[Question]:
    """The questions that the reference is asked for a game that needs its answers: those that the steps reach."""
    training = plan.config.training
    if not plan.play.game.needs_reference:
        return []
    order = Order(training.seed, lambda: 0).of(len(plan.train))
    batches = training.steps // plan.steps_per_batch
    return [plan.train[i] for i in order[: batches * training.questions_per_step]]
