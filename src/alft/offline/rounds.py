"""Sample → solve → distill, several times: each round's reference is the model of the round before (theory.md 6).

DIRECTORY/round-1/, round-2/, …   each as `distill` leaves it, from the second on with its samples.parquet
DIRECTORY/model/                  the last round's model; when it is there, all is done

One round goes as far as its β lets it from the reference; the next begins there, and has completions of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alft.answers.custom import NAMED
from alft.config.schema import ModelConfig
from alft.errors import ConfigError, Problem
from alft.models.base import Sampling
from alft.models.loading import load_model
from alft.models.local import LocalModel
from alft.offline.distill import Progress, distill, request_of
from alft.offline.parts import claim
from alft.offline.recorded import questions_of
from alft.offline.reweight import SolveSettings
from alft.offline.sample import Request, sample
from alft.offline.samples import Samples, read_samples
from alft.offline.solve import solve_samples
from alft.offline.trainer import Training
from alft.offline.weighted import Weighted

Telling = Callable[[str], Progress]
"""Shows the progress of a piece of work with this name."""


@dataclass(frozen=True)
class Rounds:
    """`number` rounds of `training`, the first of `model`; `settings` and the name `game` say what is solved."""

    number: int
    model: ModelConfig
    settings: SolveSettings
    game: str
    training: Training


def play(rounds: Rounds, first: Weighted, directory: Path, telling: Telling) -> Path:
    """All rounds, the first on given completions; returns the last model's directory, `directory`/model.

    Later rounds ask the same questions in the same way, with seeds of their own. Killed and called again, it goes
    on where it was. Raises DataError if `directory` was begun with something else.
    """
    directory.mkdir(parents=True, exist_ok=True)
    claim(directory / "rounds.json", _request(rounds, first))
    final = directory / "model"
    if final.exists():
        return final
    weighted, model = first, rounds.model
    for number in range(1, rounds.number + 1):
        place, named = directory / f"round-{number}", f"round {number} of {rounds.number}: "
        if number > 1:
            samples = _sampled(first.samples, model, number, place, telling(named + "sampling"))
            weighted = solve_samples(samples, rounds.settings, rounds.game).weighted
        path = distill(weighted, model, rounds.training, place, telling(named + "distilling"))
        model = model.model_copy(update={"path": str(path), "revision": None})
    Path(model.path).rename(final)
    return final


def _request(rounds: Rounds, first: Weighted) -> dict[str, Any]:
    """What a directory is for: so many rounds of this game, the first with these completions."""
    solved = rounds.settings.describe(rounds.game)
    return {"rounds": rounds.number, "solved": solved, **request_of(first, rounds.model, rounds.training)}


def _sampled(first: Samples, model: ModelConfig, number: int, place: Path, progress: Progress) -> Samples:
    """Completions of the model so far, asked what the `first` were asked, as often, with other seeds."""
    path = place / "samples.parquet"
    if not path.exists():
        place.mkdir(parents=True, exist_ok=True)
        drawn = first.provenance.sampling
        told = Sampling(
            samples=drawn["samples"],
            max_new_tokens=drawn["max_new_tokens"],
            batch_size=drawn["batch_size"],
            stop=drawn.get("stop"),
        )
        sampling = replace(told, seed=Sampling(seed=drawn["seed"]).seed_of(number))
        source, answers = first.provenance.data["source"], first.provenance.answers
        if answers.reading.reader not in (None, *NAMED):  # a file of data names code, which is not run for that
            told = f"its completions were read by {answers.reading.reader}, which no configuration names here"
            raise ConfigError(Problem(str(first.path), told, "start from a configuration with answers.reader"))
        request = Request(questions_of(first), sampling, source, answers)
        backend = LocalModel(*load_model(model), model.path)
        sample(request, backend, path, progress)
    return read_samples(path)
