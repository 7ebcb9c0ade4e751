"""`alft.solve`: the exact equilibrium of a game on given answer marginals, or on a file of samples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from alft.config.load import ConfigLike, game_label, load_config
from alft.errors import ConfigError, DataError, Problem
from alft.evaluation.unread import warn_of_sameness
from alft.offline import Samples, SolveSettings, solve_samples
from alft.offline.outlook import Overview
from alft.offline.parts import is_samples, open_samples
from alft.offline.problem import load_problem
from alft.offline.sample import prompted_alike
from alft.offline.samples import first_of, pieces
from alft.offline.solve import COHERENCE, Solution, settings_of, solve_source
from alft.offline.source import PIECE, Source
from alft.reporting.progress import show_line
from alft.storage.files import ending_problems, new_problems, write_json, write_text
from alft.tabular.problem import Solved, TabularProblem, solve_problem
from alft.tabular.show import plot_dynamics, to_json


@dataclass(frozen=True)
class GameChoice:
    """The game to solve, as in `alft.offline.SolveSettings`; by default hard coherence, or what weights record.

    `game` is written as in a configuration: a name, `path.py:MyGame`, or a sum.
    """

    game: str | None = None
    beta: float | None = None
    shrinkage: float | None = None
    power: float | None = None
    borrow: bool | None = None

    def filled(self, config: ConfigLike, overrides: Sequence[str] = ()) -> Self:
        """What is open, as far as the configuration sets it: `game`, and in `scoring` and `offline` the rest."""
        read = load_config(config, overrides)
        written = read.scoring.model_dump(include={"beta", "power"} & read.scoring.model_fields_set)
        written |= read.offline.model_dump(include={"shrinkage", "borrow"} & read.offline.model_fields_set)
        if "game" in read.model_fields_set:
            written["game"] = read.game.written
        return replace(self, **{name: value for name, value in written.items() if getattr(self, name) is None})

    def settings(self) -> tuple[str, SolveSettings]:
        """The name of the game, and what is solved. Raises ConfigError."""
        game = COHERENCE if self.game is None else self.game
        power = 1.0 if self.power is None else self.power
        return game, settings_of(game, self.beta or 0.0, self.shrinkage, power, self.borrow is not False)


@dataclass(frozen=True)
class SolveFiles:
    """Files to write: `output` (weighted samples or equilibrium), `summary` of samples, `plot` of a problem."""

    output: Path | None = None
    summary: Path | None = None
    plot: Path | None = None


@dataclass(frozen=True)
class Equilibria:
    """A problem and the solved equilibrium of each of its questions."""

    problem: TabularProblem
    solved: list[Solved]


def solve(
    problem: Path | str | Sequence[Path | str],
    choice: GameChoice | None = None,
    files: SolveFiles | None = None,
    *,
    model: str | None = None,
    config: ConfigLike = None,
    overrides: Sequence[str] = (),
) -> Solution | Overview | Equilibria:
    """Solve a game exactly, certified by its gap; for samples this also gives each completion a weight.

    `problem`: a samples file, a folder or list of its parts (the result is a Solution, with `summary()` and
    `write`; of more than PIECE completions an Overview, whose weights are in `files.output` only), or a JSON
    problem with game, beta and questions (the result is Equilibria). `choice` sets the game, and what it leaves is
    as `config` and `overrides` set it (`game`, `scoring.power`; for samples also `scoring.beta`,
    `offline.shrinkage` and `offline.borrow`). `files` says what to write; all places are checked before anything
    is read. `model`, the one that was sampled: views borrow by how likely it makes completions under each view
    (theory.md 6.1). Raises AlftError.
    """
    paths = [Path(each) for each in ([problem] if isinstance(problem, Path | str) else problem)]
    choice, files = choice or GameChoice(), files or SolveFiles()
    sampled = len(paths) > 1 or is_samples(paths[0])
    read = load_config(config, overrides)
    _check(sampled, choice if sampled else choice.filled(None, overrides), files, model)
    if sampled and read.offline.scored and model is None:
        raise ConfigError(Problem("offline.scored", "needs the model that was sampled", "name it by --model"))
    choice = choice.filled(read)
    return _solve_samples(paths, choice, files, model) if sampled else _solve_problem(paths[0], choice, files)


def _check(sampled: bool, choice: GameChoice, files: SolveFiles, model: str | None) -> None:
    problems = [*new_problems(files.output, files.summary, files.plot), *ending_problems("--plot", files.plot)]
    if sampled:
        problems += ending_problems("--output", files.output, "Parquet file", [".parquet"])
    places = {"beta": "scoring", "shrinkage": "offline", "borrow": "offline"}
    of_samples = {f"{place}.{name}, --{name}": getattr(choice, name) for name, place in places.items()}
    wrong = {"--plot": files.plot} if sampled else {**of_samples, "--summary": files.summary, "--model": model}
    needed = "a problem in JSON" if sampled else "samples in Parquet; a JSON problem has its own beta"
    problems += [Problem(name, f"is for {needed}") for name, given in wrong.items() if given is not None]
    if model is not None and choice.borrow is False:
        problems.append(Problem("--model", "scores what views borrow, and they do not", "leave out --no-borrow"))
    if problems:
        raise DataError(problems)


def _solve_samples(
    paths: Sequence[Path], choice: GameChoice, files: SolveFiles, model: str | None
) -> Solution | Overview:
    (game, settings), source = choice.settings(), open_samples(*paths)
    tell_replaced(source, game, settings)
    warn_of_sameness(first_of(source), str(source.path))
    score = None
    if model is not None:
        from alft.offline.scores import scorer

        score = scorer(source, prompted_alike(source.provenance.model, model))
    if source.rows > PIECE:
        found = solve_source(source, settings, game, files.output, score)
    else:
        (samples,) = pieces(source)
        found = solve_samples(samples, settings, game, None if score is None else score(samples))
        if files.output is not None:
            found.write(files.output)
    if files.summary is not None:
        write_json(files.summary, found.summary())
    return found


def tell_replaced(source: Samples | Source, game: str, settings: SolveSettings) -> None:
    """Say so where a file has weights already, of another game maybe."""
    if source.provenance.solution is not None:
        what = f"its weights are replaced by those of {game_label(game)}, power {settings.power:g}"
        show_line(f"{source.path}: {what}")


def _solve_problem(path: Path, choice: GameChoice, files: SolveFiles) -> Equilibria:
    problem = load_problem(path, None if choice.game is None else load_config(None, [f"game={choice.game}"]).game)
    if choice.power is not None:
        problem = problem.sharpened(choice.power)
    if files.plot is not None and problem.beta == 0:
        raise DataError(Problem("--plot", "the dynamics need a beta above 0", "leave it out"))
    found = Equilibria(problem, solve_problem(problem, str(path)))
    if files.output is not None:
        write_text(files.output, to_json(problem, found.solved))
    if files.plot is not None:
        plot_dynamics(problem, found.solved, files.plot)
    return found
