"""What `alft evaluate` measures: a model, now, or completions that were written down before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from alft.answers import Outcome
from alft.answers.guarded import GuardedGrader
from alft.config.build import flags_of
from alft.config.game import GameSpec
from alft.config.load import load_config
from alft.config.schema import RunConfig
from alft.errors import ConfigError, DataError, Problem
from alft.evaluation import Evaluation, Recorded, evaluate_backend, read_recorded
from alft.evaluation.limits import MeasuredLimit, limits_of
from alft.evaluation.logs import is_log, read_logs
from alft.evaluation.recorded import MEASURED, RESULTS, is_recorded
from alft.offline.recorded import recorded_samples
from alft.offline.samples import is_samples, read_samples
from alft.plan.checks import check_model
from alft.plan.questions import evaluation_questions
from alft.questions import Question
from alft.reporting.progress import progress_of
from alft.verbs.asking import Asked

YAML = (".yaml", ".yml")
MOST = 2
WITHOUT_CODE = GameSpec.model_validate("correctness")
"""A game that stands for any: measuring needs none, so that of a configuration is not made."""


@dataclass(frozen=True)
class Measurement:
    """A name for people, the evaluation, and how it was made; `fresh` if a model was asked for it just now.

    `outcomes` counts right, wrong, unread and grader failed, where a second opinion was asked for.
    """

    name: str
    evaluation: Evaluation
    questions: list[Question]
    config: RunConfig
    limits: list[MeasuredLimit]
    fresh: bool
    outcomes: dict[str, int] | None = None


@dataclass(frozen=True)
class Chosen:
    """The configuration as it is written, and its limits."""

    config: RunConfig
    limits: list[MeasuredLimit]

    @property
    def reads_text(self) -> bool:
        """Whether a limit looks at the texts of completions."""
        return any(one.key is None for one in self.config.constraints)

    def for_model(self, asked: Asked, name: str) -> RunConfig:
        """The configuration with a model in it, every open setting filled for that model."""
        found = asked.settings(self.config.model_copy(update={"game": WITHOUT_CODE}), name)
        own = {name: getattr(self.config, name) for name in ("game", "watch", "output")}
        return found.model_copy(update=own)


def measurements(what: Sequence[str], overrides: Sequence[str], asked: Asked) -> list[Measurement]:
    """Measure or read everything that was named, everything checked before a model is loaded.

    A name ending in .yaml is the configuration; all logs together are one evaluation. Beside a recorded
    evaluation, a model is asked the same questions in the same way. Raises ConfigError and DataError.
    """
    configs = [name for name in what if name.endswith(YAML)]
    logs = [name for name in what if is_log(Path(name))]
    names = [" + ".join(logs)] if logs else []
    names += [name for name in what if name not in (*configs, *logs)]
    if asked.model is not None:
        names.append(asked.model)
    if len(configs) > 1 or len(names) > MOST:
        told = f"{len(configs)} configurations and {len(names)} models or evaluations"
        raise ConfigError(
            Problem("alft evaluate", told, "give one configuration at most, and one or two to measure")
        )
    asked.check()
    kept = [name for name in names if is_recorded(Path(name)) or is_samples(Path(name))]
    chosen = choose(configs, kept, overrides)
    read = {name: _read(Path(name), chosen.reads_text) for name in kept}
    if logs:
        read[names[0]] = Recorded(
            Path(logs[0]), {MEASURED: read_logs([Path(name) for name in logs], chosen.config.answers.policy)}
        )
    names = names or [chosen.config.model.path]
    models = {name: chosen.for_model(asked, name) for name in names if name not in read}
    for name in models:
        _check(name, asked, Path(chosen.config.output.directory))
    asking = {name: _questions(config, read) for name, config in models.items()}
    return [
        _measured(name, (models[name], chosen.limits), asking[name], asked)
        if name in models
        else _recorded(name, read[name], chosen)
        for name in names
    ]


def choose(configs: Sequence[str], kept: Sequence[str], overrides: Sequence[str]) -> Chosen:
    """The configuration named, else that of the first recorded evaluation, else the defaults; and its limits.

    A samples file says itself how it was asked and read; what the command line sets goes before.
    Code that a recorded configuration names is run only if the command line names it too: who shares a run does
    not thereby get to run code here (alft.user_code). Nor is a model's revision taken from it.
    """
    recorded = [path for name in kept if (path := Path(name) / "config.yaml").is_file()]
    if configs or not recorded:
        files = [] if configs else [Path(name) for name in kept if is_samples(Path(name))]
        told = _settings_of(files[0]) if files else []
        config = load_config(Path(configs[0]) if configs else None, [*told, *overrides])
        return Chosen(config, limits_of(config.constraints, flags_of(config)))
    said, config = load_config(None, overrides), load_config(recorded[0], overrides)
    model = config.model.model_copy(update={"revision": said.model.revision})
    answers = config.answers.model_copy(update={"reader": said.answers.reader})
    config = config.model_copy(update={"model": model, "answers": answers})
    named = {one.function for one in said.constraints if one.function is not None}
    limits = limits_of(config.constraints, flags_of(config, named))
    return Chosen(config, limits)


def _settings_of(path: Path) -> list[str]:
    """How the completions of a samples file were drawn and read, as a command line would set it."""
    provenance = read_samples(path).provenance
    answers, sampling = asdict(provenance.answers), provenance.sampling
    told = {
        f"answers.{name}": value for part in answers.values() for name, value in part.items() if name != "reader"
    }
    told |= {"evaluation.samples": sampling["samples"], "training.max_new_tokens": sampling["max_new_tokens"]}
    return [f"{name}={json.dumps(value)}" for name, value in told.items()]


def _read(path: Path, texts: bool) -> Recorded:
    """What was recorded. Raises DataError if that is no measurement to tell of."""
    recorded = recorded_samples(path, texts=texts) if is_samples(path) else read_recorded(path, texts=texts)
    _ = recorded.latest  # its error, before a model is loaded
    return recorded


def _check(name: str, asked: Asked, runs: Path) -> None:
    """Raise DataError or ConfigError for a name that is no model; `runs` is the folder of run directories."""
    path = Path(name)
    if path.parent == runs and runs.is_dir() and not path.exists():
        there = get_close_matches(path.name, [each.name for each in runs.iterdir()], n=1)
        raise DataError(Problem(name, "there is no such run", f"did you mean {there[0]!r}?" if there else ""))
    if (path / RESULTS).is_file() and not (path / "config.json").is_file():
        told = "holds results, but no completions to measure"
        model = path / "model"
        remedy = f"name its model, {model}" if model.is_dir() else "name what it was made of: `alft evaluate A B`"
        raise DataError(Problem(name, told, remedy))
    if (path / "config.yaml").is_file() and not (path / "config.json").is_file():
        remedy = f"go on with it, `alft train {path / 'config.yaml'} --resume`"
        raise DataError(Problem(name, "is a run that has not ended: nothing of it can be measured yet", remedy))
    if name != asked.model:
        check_model(name)


def _questions(config: RunConfig, read: dict[str, Recorded]) -> list[Question]:
    """The questions of the recorded evaluation, if there is one, else those of the configuration."""
    for recorded in read.values():
        if not recorded.questions:
            told = "has no questions.jsonl to ask the model"
            raise DataError(Problem(str(recorded.path), told, "measure both models instead"))
        return list(recorded.questions.values())
    return evaluation_questions(config)


def _recorded(name: str, recorded: Recorded, chosen: Chosen) -> Measurement:
    questions = list(recorded.questions.values())
    return Measurement(name, recorded.latest, questions, chosen.config, chosen.limits, fresh=False)


def _measured(
    name: str, how: tuple[RunConfig, list[MeasuredLimit]], questions: list[Question], asked: Asked
) -> Measurement:
    """Ask the endpoint for its own model, and load any other."""
    from alft.training.settings import evaluation_settings

    config, limits = how
    where = asked if name == asked.model else replace(asked, endpoint=None, model=None)
    backend = where.backend(config)
    settings = evaluation_settings(config)
    if config.answers.second_opinion is None:
        with progress_of("measuring") as progress:
            evaluation = evaluate_backend(backend, questions, settings, progress)
        return Measurement(name, evaluation, questions, config, limits, fresh=True)
    with progress_of("measuring") as progress, GuardedGrader(settings.answers.keys) as grader:
        evaluation = evaluate_backend(backend, questions, settings, progress, grader)
    outcomes = {outcome.value: grader.counts[outcome] for outcome in Outcome}
    return Measurement(name, evaluation, questions, config, limits, fresh=True, outcomes=outcomes)
