"""`alft.distill`: fine-tune a model on weighted completions, or export them for any other trainer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from alft.config.load import ConfigLike, load_config, sets
from alft.config.schema import LoraConfig, ModelConfig, RunConfig
from alft.config.training import OfflineConfig
from alft.errors import AlftError, ConfigError, DataError, Problem, collecting
from alft.offline import Samples, SolveSettings, read_samples, sample, solve_samples
from alft.offline.parts import open_samples
from alft.offline.sample import prompted_alike
from alft.offline.samples import questions_of
from alft.offline.weighted import Export, Weighted, export, weighted_of
from alft.plan.defaults import OFFLINE_SAMPLES, resolve
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
from alft.verbs.asking import ModelSource, find_model
from alft.verbs.sample import Draw, requested
from alft.verbs.solve import GameChoice, tell_replaced

if TYPE_CHECKING:
    from alft.offline.trainer import Training


@dataclass(frozen=True)
class Distilling:
    """What is set otherwise than in the configuration, sections `offline`, `training` and `lora`, to distill.

    By default the sampled model is trained, at 2e-5, with LoRA 2e-4, the starter at 5e-4. `max_length` leaves out
    completions with more tokens, prompt included; `lora_rank` trains an adapter and merges it, by default with
    alpha twice as large; `seed` orders the completions. In each of `rounds` the model is sampled, solved and
    distilled again. `samples` of each view are made first where no file is given (None: 16). `scored`, by default:
    where the sampled model is the one to train, views borrow completions by how likely it makes them under each
    view; not for built-in models, nor with several rounds.
    """

    model: str | None = None
    learning_rate: float | None = None
    epochs: float | None = None
    batch_size: int | None = None
    max_length: int | None = None
    bf16: bool = False
    lora_rank: int | None = None
    seed: int | None = None
    rounds: int = 1
    samples: int | None = None
    share_prompts: bool | None = None
    scored: bool | None = None

    def filled(self, config: ConfigLike, overrides: Sequence[str] = ()) -> Distilling:
        """What is open, as a configuration sets it; but the learning rate of live training says nothing here."""
        read = load_config(config, overrides)
        written = {"lora_rank": None if read.lora is None else read.lora.rank}
        for section, names in ((read.offline, {*vars(self)}), (read.training, {"learning_rate", "seed"})):
            written |= section.model_dump(include=names, exclude_unset=True)
        if read.training.trainer != "offline" and not sets(overrides, "training", "learning_rate"):
            written["learning_rate"] = None
        return replace(self, **{name: value for name, value in written.items() if getattr(self, name) is None})

    def training(self, read: RunConfig, model: ModelConfig) -> Training:
        """How `model` is trained; what is open is as the configuration that was `read` sets it.

        Raises ConfigError.
        """
        from alft.offline.trainer import Training, training_of

        problems, rank, lora = list[Problem](), self.lora_rank, None
        if rank is not None:
            usual = LoraConfig().model_copy(update={"alpha": 2.0 * rank})
            lora = (read.lora or usual).model_copy(update={"rank": rank})
        if rank is not None and rank < 1:
            problems.append(Problem("lora_rank", f"must be at least 1, not {rank}"))
        elif rank is not None and find_spec("peft") is None:
            remedy = "pip install 'alft[lora]'"
            problems.append(Problem("lora_rank", "the package peft is not installed", remedy))
        offline = {name: value for name, value in vars(self).items() if name in OfflineConfig.model_fields}
        offline = {name: value for name, value in offline.items() if value is not None}
        training = {"trainer": "offline", "learning_rate": self.learning_rate, "share_prompts": None}
        training["seed"] = read.training.seed if self.seed is None else self.seed
        if "checkpoint_every" not in read.training.model_fields_set:
            training["checkpoint_every"] = Training.save_steps
        chosen = read.changed(training=training, offline=offline).model_copy(update={"model": model, "lora": lora})
        with collecting(problems):
            found = training_of(resolve(chosen), max_length=self.max_length, bf16=self.bf16)
            if not problems:
                return found
        raise ConfigError([replace(one, where=option(one.where)) for one in problems])


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
    weights, or others are wanted; what it and `how` leave open is as `config` sets it (`game`, `scoring`,
    `offline`, `training`, `lora`). Call it again to resume after a crash. Raises AlftError.
    """
    how, output = how or Distilling(), Path(output)
    if named := [text for text in overrides if sets([text], "output", "name")]:
        what = "is for train: distill writes to its own OUTPUT"
        raise ConfigError(Problem(f"--set {named[0]}", what, "choose it by -o"))
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
    read, how = load_config(config, overrides), how.filled(config, overrides)
    _check_place(output, how.rounds)
    how.training(read, ModelConfig())  # wrong settings are reported before anything is sampled or solved
    path = sampled(config, overrides, how.samples or OFFLINE_SAMPLES, output) if samples is None else Path(samples)
    if open_samples(path).provenance.solution is None:
        choice = choice.filled(config, overrides)  # a file with weights is solved already
    measured = measured_on(path, config, overrides)
    model, made = _train(path, choice, how, output, read)
    return Distilled(made, f"alft evaluate {shlex.join([model, str(made)])}{measured}")


def _check_place(directory: Path, rounds: int) -> None:
    """Raise DataError if OUTPUT holds a run of `alft train`, or a model that was made otherwise."""
    where, remedy = str(directory), "choose another directory (-o)"
    check_place(directory)
    if all((directory / file).is_file() for file in ("config.yaml", "environment.json")):
        raise DataError(Problem(where, "holds a run of `alft train`", remedy))
    if (directory / "model").exists() and not any((directory / file).is_file() for file in DISTILLED):
        raise DataError(Problem(where, "holds a model that `alft distill` did not make", remedy))
    other, kind = ("distill.json", "one round") if rounds > 1 else ("rounds.json", "several rounds")
    if (directory / other).exists():
        raise DataError(Problem(where, f"was begun with {kind}", remedy))


def _weighted(samples: Samples, choice: GameChoice, scores: Array | None = None) -> Weighted:
    """The weights of a file unless another game is chosen, else those of the equilibrium, solved now."""
    if choice == GameChoice() and samples.weight is not None:
        return weighted_of(samples)
    name, settings = _game(samples, choice)
    tell_replaced(samples, name, settings)
    return solve_samples(samples, settings, name, scores).weighted


def _scores(
    samples: Samples, choice: GameChoice, how: Distilling, model: ModelConfig, directory: Path
) -> Array | None:
    """How likely the sampled model makes completions under every view, if it is the one to train (theory.md 6.1).

    None where that can't be known or is not needed, and for the built-in models, which gain nothing by scores.
    Raises ConfigError if it is asked for and can't be.
    """
    from alft.models.loading import model_digest
    from alft.offline.scores import kept_scores, scorer

    if how.scored is False or (how.scored is None and model.path in MODELS):
        return None
    why = ""
    if how.rounds > 1:
        why = f"only applies to one round, not {how.rounds}"
    elif choice == GameChoice() and samples.weight is not None:
        why = f"only applies to completions without weights, and {samples.path} has weights"
    elif not _game(samples, choice)[1].borrow:
        why = "only applies to borrowed completions, and views don't borrow"
    elif samples.provenance.model.get("digest") != model_digest(model):
        why = f"needs the model that was sampled, and {model.path} has other files"
    if why and how.scored:
        raise ConfigError(Problem("--scored, offline.scored", why, "leave it out"))
    if why:
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

    read = load_config(config, overrides)
    settings, request = requested(read, Draw(per_view, seed=read.training.seed), ModelSource())
    directory.mkdir(parents=True, exist_ok=True)
    deciding = {
        "model": {**settings.model.model_dump(mode="json"), "digest": model_digest(settings.model)},
        "data": {**settings.data.model_dump(mode="json"), "digest": digest(request.questions)},
        "sampling": asdict(request.sampling),
        "answers": request.answers.record(),
    }
    claim(directory / "sampling.json", deciding)
    path = directory / "samples.parquet"
    if not path.exists():
        backend = ModelSource().backend(settings)
        with progress_of("sampling") as progress:
            sample(request, backend, path, progress)
    return path


def _train(path: Path, choice: GameChoice, how: Distilling, directory: Path, read: RunConfig) -> tuple[str, Path]:
    """The name of the model that was trained, and the directory of the new one."""
    samples = read_samples(path)
    model = _model(samples, how.model)
    quiet_libraries()
    weighted = _weighted(samples, choice, _scores(samples, choice, how, model, directory))
    from alft.offline.distill import Rounds, play
    from alft.offline.distill import distill as fine_tune

    training = fitting(how.training(read, model), model, samples)
    if line := prediction(weighted.solved):
        show_line(line)
    if how.rounds == 1:
        with progress_of("distilling") as progress:
            made = fine_tune(weighted, model, training, directory, progress)
    else:
        name, settings = _game(samples, choice)
        made = play(Rounds(how.rounds, model, settings, name, training), weighted, directory, progress_of)
    return model.path, made


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
        return "" if source == STARTER else f" --set {shlex.quote(f'data.path={source}')}"
    return " -c CONFIG --set data.held_out=N\n         CONFIG: of the samples; N: how many questions it holds out"


def _model(samples: Samples, given: str | None) -> ModelConfig:
    """The model to train: the one given, or the one that was sampled if it is known and local."""
    came = samples.provenance.model
    if given is None and came.get("backend") == "endpoint":
        what = f"{came.get('model')} was sampled at an endpoint; which model to train is not known"
        raise ConfigError(Problem("--model", what, "name its Hub id or directory, or use --export"))
    model = prompted_alike(came, given)
    find_model(model.path)
    return model


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
