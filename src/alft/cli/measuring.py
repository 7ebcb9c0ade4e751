"""What `alft evaluate` measures: a model, now, or completions that were written down before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alft.cli.backends import Asked, progress_of
from alft.config import RunConfig
from alft.config_file import load_config
from alft.data import evaluation_questions
from alft.errors import ConfigError, DataError, Problem
from alft.evaluation import Evaluation, Recorded, evaluate_backend, read_recorded
from alft.evaluation.logs import is_log, read_logs
from alft.evaluation.recorded import MEASURED, is_recorded
from alft.offline.recorded import recorded_samples
from alft.offline.samples import is_samples
from alft.plan import check_model, resolve
from alft.questions import Question

YAML = (".yaml", ".yml")
MOST = 2


@dataclass(frozen=True)
class Measurement:
    """A name for people, the evaluation, and how it was made; `fresh` if a model was asked for it just now."""

    name: str
    evaluation: Evaluation
    questions: list[Question]
    config: RunConfig
    fresh: bool


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
    read = {name: _read(Path(name)) for name in names if is_recorded(Path(name)) or is_samples(Path(name))}
    if logs:
        read[names[0]] = Recorded(Path(logs[0]), {MEASURED: read_logs([Path(name) for name in logs])})
    config = _config(configs, read, overrides)
    models = [name for name in names or [config.model.path] if name not in read]
    asked.check()
    for name in models:
        if name != asked.model:
            check_model(name)
    questions = _questions(config, read) if models else []
    return [
        _recorded(name, read[name], config) if name in read else _measured(name, config, questions, asked)
        for name in names or models
    ]


def _read(path: Path) -> Recorded:
    return recorded_samples(path) if is_samples(path) else read_recorded(path)


def _config(configs: Sequence[str], read: dict[str, Recorded], overrides: Sequence[str]) -> RunConfig:
    """The configuration named, else that of the first recorded evaluation, else the defaults."""
    found = [Path(name) for name in configs]
    found += [recorded.path / "config.yaml" for recorded in read.values()]
    path = next((path for path in found if path.is_file() or str(path) in configs), None)
    return resolve(load_config(path, overrides))


def _questions(config: RunConfig, read: dict[str, Recorded]) -> list[Question]:
    """The questions of the recorded evaluation, if there is one, else those of the configuration."""
    for recorded in read.values():
        if not recorded.questions:
            told = "has no questions.jsonl to ask the model"
            raise DataError(Problem(str(recorded.path), told, "measure both models instead"))
        return list(recorded.questions.values())
    return evaluation_questions(config)


def _recorded(name: str, recorded: Recorded, config: RunConfig) -> Measurement:
    return Measurement(name, recorded.latest, list(recorded.questions.values()), config, fresh=False)


def _measured(name: str, config: RunConfig, questions: list[Question], asked: Asked) -> Measurement:
    """Ask the endpoint for its own model, and load any other."""
    from alft.training.settings import evaluation_settings

    own = config.model_copy(update={"model": config.model.model_copy(update={"path": name})})
    where = asked if name == asked.model else replace(asked, endpoint=None, model=None)
    backend = where.backend(own)
    with progress_of("measuring") as progress:
        evaluation = evaluate_backend(backend, questions, evaluation_settings(own), progress)
    return Measurement(name, evaluation, questions, own, fresh=True)
