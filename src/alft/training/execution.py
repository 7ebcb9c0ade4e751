"""The phases of a run, one after the other: measure, train (or resume), give back, save, measure again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from alft.models.loading import as_stored, computing_in, merged, precision, reload_model
from alft.models.local import LocalModel
from alft.plan.plan import Plan
from alft.questions import Question
from alft.reporting.cards import model_card
from alft.rewards.populations import Limit
from alft.rewards.scorer import Scorer
from alft.rewards.target import ReferenceAnswers
from alft.storage.files import write_json, write_text
from alft.training.block_sampler import Order
from alft.training.loop import Loop
from alft.training.probe import ConsensusProbe, allowance, consensus_answers, evaluate_together
from alft.training.processes import from_main
from alft.training.rundir import RunDirectory
from alft.training.saving import bytes_needed, check_space, check_whole, elements
from alft.training.stopping import StopRequest
from alft.training.watch import CollapseWatch, WatchCallback


@dataclass(frozen=True)
class Learnt:
    """A trained model, under its adapter if it has one; what results.json says of `training`, and `more` keys."""

    model: Any
    training: dict[str, Any]
    more: dict[str, Any] = field(default_factory=dict)


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
        """Go through the phases, from a checkpoint if there is one; returns what results.json holds.

        The model is saved as soon as it is trained: no estimate that fails afterwards can lose it.
        """
        check_space(space_needed(self.plan, model), self.run.path)
        before = self._before(model, tokenizer, checkpoint)
        self._check_readable(before)
        learnt = self._learn(model, tokenizer, before, checkpoint)
        results: dict[str, Any] = {"before": self._summary(before), **learnt.more}
        training = learnt.training
        model = self._save(learnt.model, tokenizer)
        after = self._evaluate(model, tokenizer, "after")
        results |= {"after": self._summary(after), "difference": compare(before, after), "training": training}
        results["approach"] = self._approach(before, after, training["multipliers"])
        if self.run.writes:
            self._write(results)
        return results

    def _write(self, results: dict[str, Any]) -> None:
        """Write the model's card and, last, results.json."""
        digests = json.loads((self.run.path / "inputs.json").read_text(encoding="utf-8"))
        write_text(
            self.run.model / "README.md",
            model_card(self.plan.config, self.plan.play.game, cast(Results, results), digests),
        )
        write_json(self.run.path / "results.json", results)

    def _summary(self, evaluation: Evaluation) -> Summary:
        """Everything measured, the limits of the configuration and parity between groups too."""
        return full_summary(evaluation, self._limits(), self.plan.held_out)

    def _limits(self) -> list[MeasuredLimit]:
        """The limits of the configuration, whose flagged answers are read as all answers are."""
        return limits_of(self.plan.config.constraints, self.plan.play.flags)

    def _before(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, checkpoint: Path | None
    ) -> Evaluation:
        """The reference's evaluation; that of the interrupted run, if it is resumed."""
        if checkpoint is None:
            return self._evaluate(model, tokenizer, "before")
        return Evaluation(tuple(self.run.completions("before")))

    def _check_readable(self, before: Evaluation) -> None:
        """Warn where much of what the model says is unread; raise DataError where nothing can be learnt."""
        found = readability([one for one in before.records if one.kind == "sampled"])
        if self.plan.config.watch.unread < 1:  # 1: the user knows that all may be unread
            found.check(self.plan.config.data.path)
        if (told := found.warning()) is not None:
            self.progress.console.print(f"look at: {told}", markup=False, highlight=False, style="yellow")

    def _learn(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        before: Evaluation,
        checkpoint: Path | None,
    ) -> Learnt:
        """Train live, under the watch; where answers collapsed, the last good model is given back."""
        watch = self._watch(tokenizer, before)
        trained, training = self._train(model, tokenizer, watch, checkpoint)
        good = watch.last_good() if watch is not None else None
        if good is None:
            return Learnt(trained, training)
        more = {}
        if finite(trained):
            more["at_stop"] = self._summary(self._evaluate(bare(trained), tokenizer, "at_stop"))
        training["restored_step"] = good[0]
        return Learnt(reload_model(trained, good[1]), training, more)

    def _train(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        watch: WatchCallback | None,
        checkpoint: Path | None,
    ) -> tuple[Any, dict[str, Any]]:
        def ask(questions: Sequence[Question], settings: EvaluationSettings) -> Evaluation:
            return self._measured(model, tokenizer, questions, settings, trained=False)

        scorer = make_scorer(self.plan, ask if checkpoint is None else None, evaluation_settings(self.plan.config))
        loop = Loop(self.plan, self.run, self.progress, self.request, watch)
        trained, told = loop.train(model, tokenizer, scorer, checkpoint)
        played = [game for game in scorer.populations.values() if isinstance(game, Limit)]
        before = {"reference_completions": reference_completions(self.plan)}
        return trained, {**told, **before, "multipliers": {limit.name: limit.played for limit in played}}

    def _save(self, trained: Any, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
        """Write the model that a run gives, whole; an adapter apart too, before it is merged. Returns it."""
        if is_peft_model(trained):
            from_main(lambda: self._save_adapter(trained))
        model = cast(PreTrainedModel, merged(trained).to(getattr(torch, self.plan.config.output.dtype)))

        def save() -> None:
            model.save_pretrained(self.run.model)
            check_whole(self.run.model, elements(model))
            tokenizer.save_pretrained(self.run.model)

        from_main(save)
        return model

    def _save_adapter(self, trained: Any) -> None:
        trained.save_pretrained(self.run.adapter)
        check_whole(self.run.adapter, elements(trained))
        (self.run.adapter / "README.md").unlink(missing_ok=True)  # peft's holds a local path

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
        return approach(play.game, before, after, config.scoring.beta, play.wanted, limits)

    def _watch(self, tokenizer: PreTrainedTokenizerBase, before: Evaluation) -> WatchCallback | None:
        chosen = self.plan.config.watch
        if not chosen.enabled:
            return None
        asked = self.plan.held_out[: chosen.probe_questions or 0]
        settings = replace(evaluation_settings(self.plan.config), samples=chosen.probe_samples, greedy=False)
        probe = ConsensusProbe(
            asked, consensus_answers(before), settings, lambda current: self._approach(before, current)
        )

        def look(model: PreTrainedModel) -> dict[str, float]:
            with computing_in(precision(self.plan.config.model), model):
                return probe.look(model, tokenizer)

        return new_watch(self.plan, self.run.good, look if asked else None, allowance(chosen.drop, len(asked)))

    def _evaluate(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, phase: str) -> Evaluation:
        task = self.progress.add_task(f"measuring {phase}", total=1.0, metrics="")
        result = self._measured(
            model,
            tokenizer,
            self.plan.held_out,
            evaluation_settings(self.plan.config),
            lambda share: self.progress.update(task, completed=share),
            trained=phase != "before",
        )
        self.run.log_completions(result.records, phase)
        return result

    def _measured(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        questions: Sequence[Question],
        settings: EvaluationSettings,
        progress: Any = None,
        *,
        trained: bool = True,
    ) -> Evaluation:
        """Answers of a model, computed as in training; runs share those of the model that they all start from."""
        chosen = self.plan.config.model
        if trained or PartialState().num_processes > 1:
            with computing_in(precision(chosen), model):
                return evaluate_together(model, tokenizer, questions, settings, progress)
        with as_stored(chosen, model):
            return evaluate_backend(self._kept(model, tokenizer), questions, settings, progress)

    def _kept(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> KeptModel:
        """The model that training starts from; its completions stay in .kept beside the run directory."""
        config = self.plan.config.model
        digest = json.loads((self.run.path / "inputs.json").read_text(encoding="utf-8"))["model"]
        return KeptModel(LocalModel(model, tokenizer, config.path, config.revision), self.run.kept, digest)


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


Ask = Callable[[Sequence[Question], EvaluationSettings], Evaluation]


def make_scorer(plan: Plan, ask: Ask | None, settings: EvaluationSettings) -> Scorer:
    """The scorer of a run; if its game needs the reference's answers, it is asked what will be trained on.

    Without `ask` it is not: a run that is resumed from a checkpoint finds its answers there.
    """
    config, play = plan.config, plan.play
    kept = ReferenceAnswers(config.target.decay)
    if play.game.needs_reference and ask is not None:
        asked = replace(settings, samples=config.target.samples, greedy=False)
        questions = _trained_on(plan)
        kept.add(ask(questions, asked).records)
    return Scorer(play.scoring, populations_of(config, play), kept, config.answers.policy, play.wanted)


def reference_completions(plan: Plan) -> int:
    """How many completions the reference gives before the training, for a game that needs its answers."""
    asked = _trained_on(plan) if plan.play.game.needs_reference else []
    return plan.config.target.samples * sum(len(question.views) for question in asked)


def _trained_on(plan: Plan) -> list[Question]:
    """The questions that the steps of a run come to: all, or those with which the first epoch begins."""
    training = plan.config.training
    order = Order(training.seed, lambda: 0).of(len(plan.train))
    batches = training.steps // plan.steps_per_batch
    return [plan.train[i] for i in order[: batches * training.questions_per_step]]
