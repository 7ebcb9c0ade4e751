"""A run that is played offline: sample once, solve exactly, fine-tune on the weights, between two measurements."""

import json
import time
from hashlib import sha256
from typing import Any

from transformers import PreTrainedModel

from alft.errors import Problem, RunInterrupted
from alft.evaluation import Evaluation
from alft.evaluation.results import Approach
from alft.models.loading import Loaded, as_stored, reload_model
from alft.offline.distill import distill
from alft.offline.reweight import SolveSettings
from alft.offline.sample import Request, sample, sampling_of
from alft.offline.samples import Samples, read_samples
from alft.offline.scores import kept_scores, scorer
from alft.offline.solve import solve_samples
from alft.offline.trainer import training_of
from alft.reporting.terminal import solution_table
from alft.simplex import Array
from alft.storage.files import write_json
from alft.training.execution import Execution, Learnt

EMPTY = {"bytes": 0, "sha256": sha256().hexdigest()}  # the place in a log where nothing is written yet


class OfflineExecution(Execution):
    """The phases of an offline run; killed and resumed, each phase that left its file is not done again.

    RUN/offline/logs.json         the place in the logs after the first measurement
    RUN/offline/samples.parquet   the completions
    RUN/offline/scores.npy        how likely each is under every view, where views borrow by that
    RUN/offline/model             the distilled model, until it is measured and saved
    """

    def _before(self, model: PreTrainedModel) -> Evaluation:
        self.run.offline.mkdir(exist_ok=True)
        place = self.run.offline / "logs.json"
        if place.exists():
            self.run.load_state_dict(json.loads(place.read_text(encoding="utf-8")))
            return Evaluation(tuple(self.run.completions("before")))
        self.run.load_state_dict(dict.fromkeys(self.run.state_dict(), EMPTY))
        before = self._evaluate(model, "before")
        write_json(place, self.run.state_dict())
        return before

    def _learn(self, model: PreTrainedModel, before: Evaluation) -> Learnt:
        began, config = time.monotonic(), self.plan.config
        samples, loaded = self._samples(model), (model, self.tokenizer)
        offline, scoring, game = config.offline, config.scoring, self.plan.play.game
        settings = SolveSettings(game, scoring.beta, offline.shrinkage, scoring.power or 1.0, offline.borrow)
        solution = solve_samples(samples, settings, config.game.written, self._scores(samples, loaded))
        self.progress.console.print(solution_table(solution.summary()))
        how = training_of(config), self.run.offline, self._bar("fine-tuning")
        try:
            path = distill(solution.weighted, config.model, *how, loaded=loaded)
        except RunInterrupted as error:
            problem = Problem(str(self.run.path), "stopped while fine-tuning", "continue with --resume")
            raise RunInterrupted(problem, error.signal) from None
        solution.write(self.run.path / "weighted.parquet")
        done = json.loads((self.run.offline / "results.json").read_text(encoding="utf-8"))
        training = {
            "game": config.game.label,
            "trainer": config.training.trainer,
            "steps": done["steps"],
            "completions": len(solution.samples),
            "seconds": time.monotonic() - began,
            "stopped": None,
            "consensus_kept": {},
            "multipliers": {},
        }
        return reload_model(model, path), training, {"solution": solution.summary()}

    def _approach(self, before: Evaluation, after: Evaluation, multipliers: Any = None) -> Approach | None:
        """Against a sharper reference there is no estimate of the distance: the prediction stands in its place."""
        return super()._approach(before, after, multipliers) if self.plan.config.scoring.power == 1 else None

    def _samples(self, model: PreTrainedModel) -> Samples:
        path, config = self.run.offline / "samples.parquet", self.plan.config
        if not path.exists():
            sampling = sampling_of(config, config.offline.samples or 1, config.training.seed)
            request = Request(self.plan.train, sampling, config.data.path, config.answers.policy)
            with as_stored(config.model, model):
                sample(request, self._kept(model), path, self._bar("sampling"))
        return read_samples(path)

    def _scores(self, samples: Samples, loaded: Loaded) -> Array | None:
        """How likely the model makes completions under every view, found once: what is solved must not change."""
        config = self.plan.config

        def find() -> Array:
            with as_stored(config.model, loaded[0]):
                return scorer(samples, config.model, self._bar("scoring"), loaded)(samples)

        asked = config.offline.borrow and config.offline.scored
        return kept_scores(self.run.offline / "scores.npy", find) if asked else None
