"""`alft.evaluate`: measure a model now, or completions that were recorded before; or compare two."""

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import NotRequired, TypedDict

from alft.answers import AnswerPolicy, Outcome
from alft.answers.guarded import GuardedGrader
from alft.config.build import flags_of
from alft.config.load import YAML, ConfigLike, dump_config, load_config
from alft.config.schema import RunConfig
from alft.errors import AlftError, ConfigError, DataError, Problem
from alft.evaluation import Evaluation, Recorded, compare, evaluate_backend, read_recorded
from alft.evaluation.evaluate import evaluation_settings, read_again
from alft.evaluation.limits import MeasuredLimit, full_summary, limits_of
from alft.evaluation.recorded import MEASURED, RESULTS, is_log, is_recorded, read_logs
from alft.evaluation.results import MOST_UNREAD, Difference, Summary
from alft.evaluation.unread import readability, warn_of_sameness
from alft.offline.parts import is_samples, open_samples
from alft.offline.sample import prompted_alike
from alft.offline.samples import evaluation_of, questions_of, read_samples
from alft.plan.questions import asked_questions, evaluation_questions, label_problems, made_by_program
from alft.questions import DataWarning, Question, digest, dump_questions
from alft.reporting.progress import progress_of
from alft.storage.files import check_place, write_json, write_text
from alft.text import counted
from alft.training.rundir import RunDirectory, environment
from alft.verbs.asking import ModelSource, check_room, find_model

MOST = 2
ACTING, OF_MODELS = ("answers", "constraints"), {"second_opinion"}
"""Sections that act on recorded evaluations, and settings in them that don't."""


@dataclass(frozen=True)
class Measurement:
    """A display name, the evaluation, and how it was made; `fresh` if a model generated for it just now.

    `outcomes` counts right, wrong, unread and grader failed, where `answers.second_opinion` is set.
    """

    name: str
    evaluation: Evaluation
    questions: list[Question]
    config: RunConfig
    limits: list[MeasuredLimit]
    fresh: bool
    outcomes: dict[str, int] | None = None

    def summary(self) -> Summary:
        """Every metric with its interval, the limits, and the outcomes of a second opinion."""
        summary = full_summary(self.evaluation, self.limits, self.questions)
        if self.outcomes is not None:
            summary["outcomes"] = self.outcomes
        return summary


class Beside(TypedDict):
    """What was measured first, and the difference to it, paired by question."""

    name: str
    measured: Summary
    difference: Difference


class EvaluationResults(TypedDict):
    """The content of results.json: what was measured last, and with what it was compared."""

    name: str
    measured: Summary
    compared_with: NotRequired[Beside]


@dataclass(frozen=True)
class Evaluated:
    """One measurement, or two that were compared, and `results`, the content of results.json."""

    measured: tuple[Measurement, ...]
    results: EvaluationResults


def evaluate(
    *what: Path | str,
    config: ConfigLike = None,
    overrides: Sequence[str] = (),
    source: ModelSource | None = None,
    output: Path | str | None = None,
) -> Evaluated:
    """Measure a model or a recorded evaluation on questions, or compare two, paired by question and view.

    Each of `what` is a model (directory, Hub id, starter), a run directory, an earlier `output`, a samples
    file, or a log of lm-eval or Inspect; by default it is the configured model. A name that ends in .yaml is the
    configuration, as is `config`; `overrides` are `section.key=value`. `source` names an endpoint's model, or
    vLLM. `output` is a new directory for results.json and the completions of a model. On what is recorded, only
    `constraints` and `answers` act: its texts are read again. Raises AlftError.
    """
    place = None if output is None else Path(output)
    if place is not None and place.exists():
        raise DataError(Problem(str(place), "exists already", "choose another --output"))
    if place is not None:
        check_place(place)
    found = measurements([*map(str, what)], overrides, source or ModelSource(), config)
    for one in found:
        warn_of_sameness(one.evaluation.records, one.name)
    results = _compared(*found)
    if place is not None:
        _write(place, found[-1], results)
    return Evaluated(tuple(found), results)


def _compared(first: Measurement, second: Measurement | None = None) -> EvaluationResults:
    if second is None:
        return {"name": first.name, "measured": first.summary()}
    difference = compare(first.evaluation, second.evaluation)
    if not difference["questions"] or not difference["views"]:
        what = f"shares no question and view with {first.name}"
        raise DataError(Problem(second.name, what, "measure both on the same questions"))
    return {
        "name": second.name,
        "measured": second.summary(),
        "compared_with": {"name": first.name, "measured": first.summary(), "difference": difference},
    }


def _write(output: Path, measurement: Measurement, results: EvaluationResults) -> None:
    """Write the results, and the completions unless they are on disk already."""
    output.mkdir(parents=True)
    write_text(output / "config.yaml", dump_config(measurement.config))
    write_json(output / "environment.json", environment())
    if measurement.fresh:
        dump_questions(measurement.questions, output / "questions.jsonl")
        directory = RunDirectory(output)
        directory.log_completions(measurement.evaluation.records, MEASURED)
        directory.close()
        directory.tidy()
    write_json(output / "results.json", results)


def measurements(
    what: Sequence[str], overrides: Sequence[str], asked: ModelSource, config: ConfigLike = None
) -> list[Measurement]:
    """Measure or read everything that was named; everything is checked before a model is loaded.

    A name that ends in .yaml is the configuration, as is `config`; all logs together are one evaluation. Next to a
    recorded evaluation, a model is asked the same questions in the same way. Raises ConfigError and DataError.
    """
    files = [name for name in what if name.endswith(YAML)]
    configs = [one for one in (config, *files) if one is not None]
    logs = [name for name in what if is_log(Path(name))]
    names = [" + ".join(logs)] if logs else []
    names += [name for name in what if name not in (*files, *logs)]
    if asked.model is not None:
        names.append(asked.model)
    if len(configs) > 1 or len(names) > MOST:
        many = f"{counted(len(configs), 'configuration')} and {counted(len(names), 'name')} to measure"
        remedy = "give one configuration at most, and one or two to measure"
        raise ConfigError(Problem("alft evaluate", many, remedy))
    asked.check()
    kept = [name for name in names if is_recorded(Path(name)) or is_samples(Path(name))]
    written, limits = choose(configs, kept, overrides)
    given = load_config(configs[0] if configs else None, overrides)
    answers = written.answers.policy if given.answers.model_fields_set - OF_MODELS else None
    texts = any(one.key is None for one in written.constraints)  # a limit reads them
    read = {name: _read(Path(name), texts, answers) for name in kept}
    if logs:
        logged = read_logs([Path(name) for name in logs], written.answers.policy)
        read[names[0]] = Recorded(Path(logs[0]), {MEASURED: logged})
    names = names or [written.model.path]
    models = {name: for_model(written, asked, name) for name in names if name not in read}
    for name in models:
        _check(name, asked, Path(written.output.directory))
    asking = {name: _questions(own, read) for name, own in models.items()}
    for name, own in models.items():
        _warn_of_trained(Path(name), own, asking[name])
    if read:
        unused = bool(configs) and not models and given.model_fields_set.isdisjoint(ACTING)
        _warn_of_idle(next(iter(read)), [*["the configuration"] * unused, *_idle(overrides, beside=bool(models))])
    if len({Path(name).resolve() for name in names}) < len(names):
        told = f"{names[0]} is compared with itself, which shows no change: name another"
        warnings.warn(told, DataWarning, stacklevel=3)
    return [
        _measured(name, models[name], limits, asking[name], asked)
        if name in models
        else Measurement(name, read[name].latest, [*read[name].questions.values()], written, limits, fresh=False)
        for name in names
    ]


def for_model(config: RunConfig, asked: ModelSource, name: str) -> RunConfig:
    """The configuration with a model in it, every open setting resolved for that model."""
    return asked.settings(config, name).model_copy(update={"output": config.output})


def choose(
    configs: Sequence[ConfigLike], kept: Sequence[str], overrides: Sequence[str]
) -> tuple[RunConfig, list[MeasuredLimit]]:
    """The configuration named, else that of the first recorded evaluation, else the defaults; and its limits.

    A samples file records how it was prompted and read; `overrides` take precedence.
    Code that a recorded configuration names runs only if `overrides` name it too: someone who shares a run must
    not get to run code here (alft.user_code). A model's revision is not taken from it either.
    """
    recorded = [path for name in kept if (path := Path(name) / "config.yaml").is_file()]
    if configs or not recorded:
        files = [] if configs else [Path(name) for name in kept if is_samples(Path(name))]
        settings = _settings_of(files[0]) if files else []
        config = load_config(configs[0] if configs else None, [*settings, *overrides])
        return config, limits_of(config.constraints, flags_of(config))
    said, config = load_config(None, overrides), load_config(recorded[0], overrides)
    read_by = {"reader": said.answers.reader, "kind": config.answers.kind or "any"}
    config = config.changed(model={"revision": said.model.revision}, answers=read_by)
    named = {one.function for one in said.constraints if one.function is not None}
    return config, limits_of(config.constraints, flags_of(config, named))


def _settings_of(path: Path) -> list[str]:
    """How the completions of a samples file were prompted, drawn and read, as settings."""
    provenance = open_samples(path).provenance
    model = prompted_alike(provenance.model).model_dump(include={"chat", "chat_template_kwargs"})
    answers, sampling = asdict(provenance.answers), provenance.sampling
    found = {f"answers.{name}": value for part in answers.values() for name, value in part.items()}
    del found["answers.reader"]  # may name code, which is not run for a file
    drawn = {"evaluation.samples": "samples", "training.max_new_tokens": "max_new_tokens", "training.stop": "stop"}
    found |= {f"model.{name}": value for name, value in model.items()}
    found |= {name: sampling[key] for name, key in drawn.items() if sampling.get(key) is not None}
    return [f"{name}={json.dumps(value)}" for name, value in found.items()]


def _read(path: Path, texts: bool, answers: AnswerPolicy | None) -> Recorded:
    """The recorded evaluation, with texts where most is unread. Raises DataError if it holds no measurement.

    It is read again by the given `answers`.
    """
    texts = texts or answers is not None
    if is_samples(path):
        samples = read_samples(path)
        measured = {MEASURED: evaluation_of(samples, texts=texts)}
        recorded = Recorded(path, measured, {each.id: each for each in questions_of(samples)})
    else:
        recorded = read_recorded(path, texts=texts)
    found = readability(recorded.latest.records)  # raises its error before a model is loaded
    if answers is None:
        return recorded if texts or found.unread <= MOST_UNREAD else _read(path, True, None)
    again = read_again(recorded.latest, recorded.questions.values(), answers)
    if again is None:
        _warn_of_idle(str(path), ["answers"])
        return recorded
    return replace(recorded, evaluations={MEASURED: again})


def _idle(overrides: Sequence[str], *, beside: bool) -> Iterator[str]:
    """Settings that act neither on a recorded evaluation nor on a model `beside` it."""
    for key in (text.partition("=")[0] for text in overrides):
        section, _, name = key.partition(".")
        if section == "data" or not (beside or (section in ACTING and name not in OF_MODELS)):
            yield key


def _warn_of_idle(name: str, settings: list[str]) -> None:
    if settings:
        what = f"was measured before, and {', '.join(settings)} can't change it"
        remedy = "name the model to measure it again"
        warnings.warn(str(Problem(name, what, remedy)), DataWarning, stacklevel=4)


def _check(name: str, asked: ModelSource, runs: Path) -> None:
    """Raise DataError or ConfigError for a name that is no model; `runs` is the folder of run directories."""
    path = Path(name)
    if path.parent == runs and runs.is_dir() and not path.exists():
        there = get_close_matches(path.name, [each.name for each in runs.iterdir()], n=1)
        raise DataError(Problem(name, "there is no such run", f"did you mean {there[0]!r}?" if there else ""))
    if (path / RESULTS).is_file() and not (path / "config.json").is_file():
        what = "holds results, but no completions to measure"
        model = path / "model"
        remedy = f"name its model, {model}" if model.is_dir() else "name what it was made of: `alft evaluate A B`"
        raise DataError(Problem(name, what, remedy))
    if (path / "config.yaml").is_file() and not (path / "config.json").is_file():
        remedy = f"resume it, `alft train {path / 'config.yaml'} --resume`"
        raise DataError(Problem(name, "is a run that has not ended: it has nothing to measure yet", remedy))
    if name != asked.model:
        find_model(name)


def _questions(config: RunConfig, read: dict[str, Recorded]) -> list[Question]:
    """The questions of the recorded evaluation, if there is one, else those of the configuration."""
    for recorded in read.values():
        if not recorded.questions:
            what = "has no questions.jsonl to ask the model"
            raise DataError(Problem(str(recorded.path), what, "measure both models instead"))
        return list(recorded.questions.values())
    asked = evaluation_questions(config)
    if problems := label_problems(asked, config.answers):
        raise ConfigError(problems)
    return asked


def _warn_of_trained(model: Path, config: RunConfig, questions: list[Question]) -> None:
    """Warn of questions that a model made here was trained on, where what lies beside it says which those are."""
    files = [model.parent / name for name in ("config.yaml", "distill.json", "rounds.json")]
    made = next((path for path in files if model.name == "model" and path.is_file()), None)
    if made is None or made_by_program(config.data.path):
        return
    with suppress(AlftError, KeyError, ValueError):
        run = made.suffix == ".yaml"
        asked = asked_questions(load_config(made) if run else config)
        came = {} if run else json.loads(made.read_text("utf-8"))["samples"]["data"]
        train = asked.train[: came.get("questions")]
        same = asked.data.path == config.data.path if run else digest(train) == came["digest"]
        trained = {question.id for question in train if same}
        if many := sum(question.id in trained for question in questions):
            told = f"{model} was trained on {many} of these {counted(len(questions), 'question')}"
            remedy = f"measure others: --set data.held_out={len(asked.held_out)}"
            warnings.warn(f"{told}: {remedy}", DataWarning, stacklevel=4)


def _measured(
    name: str, config: RunConfig, limits: list[MeasuredLimit], questions: list[Question], asked: ModelSource
) -> Measurement:
    """Generate at the endpoint for its own model, and load any other."""
    answers = config.answers.suited_to(text for question in questions for text in question.spellings)
    config = config.model_copy(update={"answers": answers})
    where = asked if name == asked.model else replace(asked, endpoint=None, model=None)
    if where.endpoint is None and not where.vllm:
        check_room(config, questions, config.evaluation.samples)
    backend = where.backend(config)
    settings = evaluation_settings(config)
    second = nullcontext() if config.answers.second_opinion is None else GuardedGrader(settings.answers.keys)
    with progress_of("measuring") as progress, second as grader:
        evaluation = evaluate_backend(backend, questions, settings, progress, grader)
    outcomes = None if grader is None else {outcome.value: grader.counts[outcome] for outcome in Outcome}
    return Measurement(name, evaluation, questions, config, limits, fresh=True, outcomes=outcomes)
