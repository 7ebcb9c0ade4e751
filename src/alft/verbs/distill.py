"""What `alft distill` does with its options: which game, which model, how it is trained, where it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from alft.config.load import load_config
from alft.config.schema import LoraConfig, ModelConfig, RunConfig
from alft.errors import ConfigError, DataError, Problem
from alft.models.base import Sampling
from alft.offline import Request, Samples, SolveSettings, read_samples, sample, solve_samples
from alft.offline.export import Export, export
from alft.offline.parts import claim
from alft.offline.samples import Weighted, weighted_of
from alft.offline.solve import COHERENCE, settings_of
from alft.plan.checks import check_model
from alft.plan.questions import asked_questions, made_by_program
from alft.questions import digest
from alft.reporting.progress import progress_of, quiet_libraries
from alft.starter import MODELS, STARTER
from alft.storage.files import new_problems
from alft.verbs.asking import Asked

if TYPE_CHECKING:
    from alft.offline.rounds import Progress
    from alft.offline.trainer import Training

LEARNING_RATE, LORA_LEARNING_RATE, STARTER_LEARNING_RATE = 2e-5, 2e-4, 5e-4
"""TRL's own, ten times it for an adapter, and what a sweep found for the starter (EXPERIMENTS.md)."""

CODE = ".py:"  # in the name of a user's own game


def apart(options: Mapping[str, Any], wrong: bool, why: str) -> Iterator[Problem]:
    """Each option that was given although that is `wrong`."""
    yield from (Problem(name, why) for name, value in options.items() if wrong and value is not None)


@dataclass(frozen=True)
class Chosen:
    """The game that the options name; all None: that of a file's weights, or hard coherence."""

    game: str | None
    beta: float | None
    shrinkage: float | None
    power: float | None = None
    borrow: bool | None = None

    def weighted(self, samples: Samples) -> Weighted:
        """The weights of a file if no option says another game, else those of the equilibrium, solved now."""
        if self == Chosen(None, None, None) and samples.weight is not None:
            return weighted_of(samples)
        name, settings = self.settings(samples)
        return solve_samples(samples, settings, name).weighted

    def settings(self, samples: Samples) -> tuple[str, SolveSettings]:
        """The name of the game and what is solved; what no option says is as in the file's weights."""
        told = samples.provenance.solution if self.game is None else None
        known = told or {"game": COHERENCE, "beta": 0.0, "shrinkage": None, "borrow": True}
        if told is not None and CODE in str(told["game"]):
            what = f"the weights are of {told['game']}, and code that a file names is not run unasked"
            raise ConfigError(Problem(str(samples.path), what, "name the game by --game"))
        name = self.game or known["game"]
        beta = known["beta"] if self.beta is None else self.beta
        shrinkage = known["shrinkage"] if self.shrinkage is None else self.shrinkage
        power = known.get("power", 1.0) if self.power is None else self.power
        borrow = known.get("borrow", False) if self.borrow is None else self.borrow
        return name, settings_of(name, beta, shrinkage, power, borrow)


def export_file(path: Path, chosen: Chosen, output: Path, how: Export) -> None:
    """Write the plain SFT set of a samples file."""
    problems = list(new_problems(output))
    if problems:
        raise DataError(problems)
    lines = export(chosen.weighted(read_samples(path)), output, how)
    Console().print(f"{lines:,} rows: {output}", markup=False, highlight=False)


def sampled(config: Path | None, overrides: Sequence[str], per_view: int, directory: Path) -> Path:
    """Completions of the configuration's model on its questions, DIRECTORY/samples.parquet, made if not there.

    Raises DataError if those that are there, or were begun, are of another model, other questions or settings.
    """
    settings = Asked().settings(load_config(config, overrides))
    check_model(settings.model.path)
    questions = asked_questions(settings).train
    limit = settings.training.max_new_tokens or Sampling.max_new_tokens
    sampling = Sampling(per_view, False, limit, settings.evaluation.batch_size, settings.training.seed)
    directory.mkdir(parents=True, exist_ok=True)
    request = Request(questions, sampling, settings.data.path, settings.answers.policy)
    claim(directory / "sampling.json", _deciding(settings, request))
    path = directory / "samples.parquet"
    if not path.exists():
        backend = Asked().backend(settings)
        with progress_of("sampling") as progress:
            sample(request, backend, path, progress)
    return path


def _deciding(settings: RunConfig, request: Request) -> dict[str, Any]:
    """All that decides what samples are: the model's files, the questions, how they are asked and answers read."""
    from alft.models.loading import model_digest

    model, data = settings.model.model_dump(mode="json"), settings.data.model_dump(mode="json")
    return {
        "model": {**model, "digest": model_digest(settings.model)},
        "data": {**data, "digest": digest(request.questions)},
        "sampling": asdict(request.sampling),
        "answers": request.answers.record(),
    }


def train(path: Path, chosen: Chosen, how: tuple[str | None, Mapping[str, Any], int], directory: Path) -> None:
    """Distill a samples file: `how` are the model's name if one was given, the training, the number of rounds."""
    samples = read_samples(path)
    weighted = chosen.weighted(samples)
    model, number = _model(samples, how[0]), how[2]
    quiet_libraries()
    training = _training(model, how[1])
    from alft.offline.distill import distill
    from alft.offline.rounds import Rounds, play

    with _telling() as telling:
        if number == 1:
            made = distill(weighted, model, training, directory, telling("distilling"))
        else:
            name, settings = chosen.settings(samples)
            made = play(Rounds(number, model, settings, name, training), weighted, directory, telling)
    asked = asking(str(samples.provenance.data["source"]))
    told = f"model:   {made}\ncompare: alft evaluate {model.path} {made}{asked}"
    Console().print(told, markup=False, highlight=False)


def asking(source: str) -> str:
    """Options by which `alft evaluate` asks the held-out questions of a source, as far as they are known.

    >>> asking("starter"), asking("q.jsonl")
    ('', ' --set data.path=q.jsonl --set data.held_out=N  (N: how many of its questions were held out)')
    """
    named = "" if source == STARTER else f" --set data.path={source}"
    held_out = " --set data.held_out=N  (N: how many of its questions were held out)"
    return named if made_by_program(source) else named + held_out


def _model(samples: Samples, given: str | None) -> ModelConfig:
    """The model to train: the one given, or the one that was sampled where that is known and here."""
    came = samples.provenance.model
    if given is None and came.get("backend") == "endpoint":
        told = f"{came.get('model')} was sampled at an endpoint; which model is to be trained is not known"
        raise ConfigError(Problem("--model", told, "name its Hub id or directory, or use --export"))
    path = given or str(came.get("model"))
    check_model(path)
    revision = came.get("revision") if path == came.get("model") else None
    return ModelConfig(path=path, revision=None if revision is None else str(revision))


def _training(model: ModelConfig, asked: Mapping[str, Any]) -> Training:
    from alft.offline.trainer import Training

    told = {name: value for name, value in asked.items() if value is not None and name != "lora_rank"}
    rank = asked["lora_rank"]
    if rank is not None and rank < 1:
        raise ConfigError(Problem("--lora-rank", f"must be at least 1, not {rank}"))
    if rank is not None and find_spec("peft") is None:
        raise ConfigError(Problem("--lora-rank", "the package peft is not installed", "pip install 'alft[lora]'"))
    usual = LEARNING_RATE if rank is None else LORA_LEARNING_RATE
    rate = STARTER_LEARNING_RATE if model.path in MODELS and rank is None else usual
    lora = None if rank is None else LoraConfig(rank=rank, alpha=2.0 * rank)
    return Training(**{"learning_rate": rate, "lora": lora, **told})


@contextmanager
def _telling() -> Iterator[Any]:
    """Bars of progress, one after the other, for as long as this lasts."""
    from contextlib import ExitStack

    with ExitStack() as bars:

        def telling(what: str) -> Progress:
            bars.close()
            return bars.enter_context(progress_of(what))

        yield telling
