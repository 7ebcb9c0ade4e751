"""`alft.distill`: fine-tune a model on weighted completions, or export them for any other trainer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from alft.config.load import ConfigLike, load_config
from alft.config.schema import LoraConfig, ModelConfig
from alft.errors import AlftError, ConfigError, DataError, Problem, collecting
from alft.offline import Request, Samples, SolveSettings, read_samples, sample, solve_samples
from alft.offline.parts import open_samples
from alft.offline.sample import sampling_of
from alft.offline.samples import questions_of
from alft.offline.weighted import Export, Weighted, export, weighted_of
from alft.plan.defaults import OFFLINE_SAMPLES, offline_rate
from alft.plan.plan import is_here
from alft.plan.questions import asked_questions, made_by_program
from alft.questions import digest
from alft.reporting.progress import progress_of, quiet_libraries, show_line
from alft.reporting.runs import DISTILLED
from alft.reporting.terminal import prediction
from alft.simplex import Array
from alft.starter import MODELS, STARTER
from alft.storage.checkpoint import sha256
from alft.storage.files import check_place, claim, ending_problems, new_problems
from alft.verbs.asking import ModelSource, check_room, find_model
from alft.verbs.solve import GameChoice

if TYPE_CHECKING:
    from alft.offline.trainer import Training


@dataclass(frozen=True)
class Distilling:
    """How a model is distilled. Defaults: the sampled model; 2e-5, with LoRA 2e-4, for the starter 5e-4.

    `max_length` leaves out completions with more tokens, prompt included. `lora_rank` trains an adapter and merges
    it. `seed` orders the completions. In each of `rounds` the model is sampled, solved and distilled again.
    `samples` is the number of completions of each view, where they are made first (None: 16). `share_prompts`
    trains all completions of a prompt as one sequence; None: where that at least halves the tokens, unless the
    model is built-in. `scored`, by default: where the sampled model is the one to train, views borrow completions
    by how likely it makes them under each view; not for built-in models, nor with several rounds.
    """

    model: str | None = None
    learning_rate: float | None = None
    epochs: float | None = None
    batch_size: int | None = None
    max_length: int | None = None
    bf16: bool = False
    lora_rank: int | None = None
    seed: int = 0
    rounds: int = 1
    samples: int | None = None
    share_prompts: bool | None = None
    scored: bool | None = None

    def filled(self, config: ConfigLike, overrides: Sequence[str] = ()) -> Distilling:
        """What is open, as far as the sections `offline` and `lora` of a configuration set it.

        The learning rate too, unless it is that of a configuration for live training.
        """
        read = load_config(config, overrides)
        names = {"epochs", "batch_size", "samples", "share_prompts", "scored"}
        written = read.offline.model_dump(include=names & read.offline.model_fields_set)
        here = any(text.startswith("training.learning_rate=") for text in overrides)
        if here or read.training.trainer == "offline":
            written["learning_rate"] = read.training.learning_rate
        if read.lora is not None:
            written["lora_rank"] = read.lora.rank
        return replace(self, **{name: value for name, value in written.items() if getattr(self, name) is None})


@dataclass(frozen=True)
class Distilled:
    """The model's directory, and the `alft evaluate` command that compares it; or the export and its `rows`."""

    path: Path
    compare: str = ""
    rows: int | None = None


def distill(
    samples: Path | str | None,
    output: Path | str,
    how: Distilling | Export | None = None,
    game: GameChoice | None = None,
    *,
    config: ConfigLike = None,
    overrides: Sequence[str] = (),
) -> Distilled:
    """Fine-tune a model on weighted completions into OUTPUT/model, or with an `Export` write them to a file.

    `samples`: a file of `alft.solve` or `alft.sample`, read as it records; without it samples are made first, in
    `output`, from the model and questions of `config` and `overrides`. `game` is solved where the file has no
    weights, or others are wanted; what it leaves open is as `config` sets it (`game`, `scoring.beta`,
    `scoring.power`). Call it again to resume after a crash. Raises AlftError.
    """
    how, output = how or Distilling(), Path(output)
    if named := [f"--set {text}" for text in overrides if text.startswith("output.name=")]:
        raise ConfigError(Problem(named[0], "is for train: distill writes to its own OUTPUT", "choose it by -o"))
    choice = game or GameChoice()
    if isinstance(how, Export):
        if samples is None:
            raise ConfigError(Problem("--export", "needs a file of samples"))
        if problems := [*new_problems(output), *ending_problems("--export", output, "JSONL file", [".jsonl"])]:
            raise DataError(problems)
        read = read_samples(Path(samples))
        choice = choice if read.weight is not None else choice.filled(config, overrides)
        return Distilled(output, rows=export(_weighted(read, choice), output, how))
    if samples is not None and how.samples is not None:
        what = f"only applies when samples are made first, and {samples} is given"
        raise ConfigError(Problem("--samples", what))
    how = how.filled(config, overrides)
    _check_place(output)
    _training(ModelConfig(), how)  # wrong settings are reported before anything is sampled or solved
    path = sampled(config, overrides, how.samples or OFFLINE_SAMPLES, output) if samples is None else Path(samples)
    if open_samples(path).provenance.solution is None:
        choice = choice.filled(config, overrides)  # a file with weights is solved already
    return _train(path, choice, how, output, measured_on(path, config, overrides))


def _check_place(directory: Path) -> None:
    """Raise DataError if OUTPUT holds a run of `alft train`, or a model that was not distilled there."""
    where, remedy = str(directory), "choose another directory (-o)"
    check_place(directory)
    if all((directory / file).is_file() for file in ("config.yaml", "environment.json")):
        raise DataError(Problem(where, "holds a run of `alft train`", remedy))
    if (directory / "model").exists() and not any((directory / file).is_file() for file in DISTILLED):
        raise DataError(Problem(where, "holds a model that `alft distill` did not make", remedy))


def _weighted(samples: Samples, choice: GameChoice, scores: Array | None = None) -> Weighted:
    """The weights of a file unless another game is chosen, else those of the equilibrium, solved now."""
    if choice == GameChoice() and samples.weight is not None:
        return weighted_of(samples)
    name, settings = _game(samples, choice)
    if samples.weight is not None:
        show_line(f"{samples.path}: its weights are replaced by those of {name}, power {settings.power:g}")
    return solve_samples(samples, settings, name, scores).weighted


def _scores(
    samples: Samples, choice: GameChoice, how: Distilling, model: ModelConfig, directory: Path
) -> Array | None:
    """How likely the sampled model makes completions under every view, if it is the one to train (theory.md 6.1).

    None where weights are given, views don't borrow, or the model is built-in, which gains nothing by scores.
    """
    from alft.models.loading import model_digest
    from alft.offline.scores import kept_scores, scorer

    if how.scored is False or how.rounds > 1 or model.path in MODELS:
        return None
    given = choice == GameChoice() and samples.weight is not None
    if given or not _game(samples, choice)[1].borrow:
        return None
    if samples.provenance.model.get("digest") != model_digest(model):
        return None

    def find() -> Array:
        with progress_of("scoring") as progress:
            return scorer(samples, model, progress)(samples)

    directory.mkdir(parents=True, exist_ok=True)
    claim(directory / "scores.json", {"samples": sha256(samples.path)})
    return kept_scores(directory / "scores.npy", find)


def _game(samples: Samples, choice: GameChoice) -> tuple[str, SolveSettings]:
    """The name of the game and what is solved; what the choice leaves open is as in the file's weights."""
    solution = samples.provenance.solution
    if solution is None or choice.game not in (None, solution["game"]):
        return choice.settings()
    if ".py:" in str(solution["game"]) and choice.game is None:
        what = f"the weights are of {solution['game']}, and code that a file names only runs when you ask for it"
        raise ConfigError(Problem(str(samples.path), what, "name the game by --game"))
    recorded = {"power": 1.0, "borrow": False, **solution}  # older files have neither
    chosen = {name: value for name, value in asdict(choice).items() if value is not None}
    return GameChoice(**{name: recorded[name] for name in asdict(choice)} | chosen).settings()


def sampled(config: ConfigLike, overrides: Sequence[str], per_view: int, directory: Path) -> Path:
    """Completions of the configuration's model on its questions, DIRECTORY/samples.parquet, made if missing.

    Raises DataError if existing ones are of another model, other questions or other settings.
    """
    from alft.models.loading import model_digest

    settings = ModelSource().settings(load_config(config, overrides))
    find_model(settings.model.path)
    asked = asked_questions(settings)
    sampling = sampling_of(settings, per_view, settings.training.seed)
    directory.mkdir(parents=True, exist_ok=True)
    request = Request(asked.train, sampling, settings.data.path, asked.answers.policy)
    deciding = {
        "model": {**settings.model.model_dump(mode="json"), "digest": model_digest(settings.model)},
        "data": {**settings.data.model_dump(mode="json"), "digest": digest(request.questions)},
        "sampling": asdict(sampling),
        "answers": request.answers.record(),
    }
    claim(directory / "sampling.json", deciding)
    path = directory / "samples.parquet"
    if not path.exists():
        check_room(settings, asked.train, per_view)
        backend = ModelSource().backend(settings)
        with progress_of("sampling") as progress:
            sample(request, backend, path, progress)
    return path


def _train(path: Path, choice: GameChoice, how: Distilling, directory: Path, measured: str) -> Distilled:
    samples = read_samples(path)
    model = _model(samples, how.model)
    quiet_libraries()
    weighted = _weighted(samples, choice, _scores(samples, choice, how, model, directory))
    from alft.offline.distill import Rounds, play
    from alft.offline.distill import distill as fine_tune

    training = fitting(_training(model, how), model, samples)
    if line := prediction(weighted.solved):
        show_line(line)
    if how.rounds == 1:
        with progress_of("distilling") as progress:
            made = fine_tune(weighted, model, training, directory, progress)
    else:
        name, settings = _game(samples, choice)
        made = play(Rounds(how.rounds, model, settings, name, training), weighted, directory, progress_of)
    return Distilled(made, f"alft evaluate {shlex.join([model.path, str(made)])}{measured}")


def measured_on(samples: Path, config: ConfigLike, overrides: Sequence[str]) -> str:
    """Options of `alft evaluate` that select the held-out questions, as far as they are known."""
    source = str(open_samples(samples).provenance.data.get("source"))
    if isinstance(config, Path | str) or (config is None and overrides):
        with suppress(AlftError):
            chosen = ModelSource().settings(load_config(config, overrides))
            if chosen.data.path == source:  # otherwise they are there for the game only
                settings = [*overrides, f"data.held_out={len(asked_questions(chosen).held_out)}"]
                options = [] if config is None else ["-c", str(config)]
                options += [part for each in settings for part in ("--set", each)]
                return f" {shlex.join(options)}"
    if made_by_program(source):
        return "" if source == STARTER else f" --set data.path={source}"
    return " -c CONFIG --set data.held_out=N  (CONFIG: that of the samples; N: how many questions it holds out)"


def _model(samples: Samples, given: str | None) -> ModelConfig:
    """The model to train: the one given, or the one that was sampled if it is known and local."""
    came = samples.provenance.model
    if given is None and came.get("backend") == "endpoint":
        what = f"{came.get('model')} was sampled at an endpoint; which model to train is not known"
        raise ConfigError(Problem("--model", what, "name its Hub id or directory, or use --export"))
    path = given or str(came.get("model"))
    find_model(path)
    revision = came.get("revision") if path == came.get("model") else None
    return ModelConfig(path=path, revision=None if revision is None else str(revision))


def _training(model: ModelConfig, how: Distilling) -> Training:
    from alft.offline.trainer import Training

    rank, problems = how.lora_rank, list[Problem]()
    if rank is not None and rank < 1:
        problems.append(Problem("lora_rank", f"must be at least 1, not {rank}"))
    elif rank is not None and find_spec("peft") is None:
        remedy = "pip install 'alft[lora]'"
        problems.append(Problem("lora_rank", "the package peft is not installed", remedy))
    usual = offline_rate(model.path in MODELS, rank is not None)
    with collecting(problems):
        training = Training(
            learning_rate=usual if how.learning_rate is None else how.learning_rate,
            epochs=Training.epochs if how.epochs is None else how.epochs,
            batch_size=Training.batch_size if how.batch_size is None else how.batch_size,
            max_length=how.max_length,
            seed=how.seed,
            bf16=how.bf16,
            share_prompts=False if how.share_prompts is None and model.path in MODELS else how.share_prompts,
        )
        if not problems:
            lora = None if rank is None else LoraConfig(rank=rank, alpha=2.0 * rank)
            return replace(training, lora=lora)
    raise ConfigError([replace(one, where=option(one.where)) for one in problems])


def option(setting: str) -> str:
    """The command line's name of a setting."""
    named = {"learning_rate": "--lr, learning_rate", "batch_size": "--batch, batch_size"}
    return named.get(setting, f"--{setting}".replace("_", "-"))


def fitting(training: Training, model: ModelConfig, samples: Samples) -> Training:
    """The settings with as many completions in a forward pass as fit into the free memory.

    The built-in models keep the usual number, as do models that are not here. Raises ConfigError if not even one
    completion fits.
    """
    if model.path in MODELS or not is_here(model):
        return training
    from alft.models.size import PROCESS, ROOM, free_memory, longest_prompt, model_size

    size, free = model_size(model, training.lora), free_memory()
    longest = longest_prompt(model, questions_of(samples)) + samples.provenance.sampling.get("max_new_tokens", 0)
    length, held = min(longest, training.max_length or longest), PROCESS + size.weights
    needed = {
        n: held + sum(size.step(n, training.batch_size, *[training.room(length, n)] * 2).values())
        for n in range(training.forward, 0, -1)
        if training.batch_size % n == 0
    }
    if needed[1] > free:
        memory = f"{needed[1] / 1e9:.1f} GB, {free / 1e9:.1f} are free"
        what = f"training on one completion at a time needs about {memory}"
        adapter = "train an adapter (--lora-rank 16), or " if training.lora is None else ""
        raise ConfigError(Problem("memory", what, f"{adapter}leave out long completions (--max-length)"))
    return replace(training, micro_batch_size=next((n for n in needed if needed[n] <= ROOM * free), 1))
