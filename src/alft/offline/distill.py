"""Weighted maximum likelihood on reweighted completions: the forward-KL projection of π* (theory.md 6).

Or in several rounds of sample → solve → distill: each samples the model of the round before, and brings it closer
to the equilibrium of the first reference.

DIRECTORY/round-1/, round-2/, …   each as `distill` leaves it, from the second on with its samples.parquet
DIRECTORY/model/                  the last round's model; when it is there, all is done
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from alft.answers.custom import NAMED
from alft.config.load import game_label
from alft.config.schema import ModelConfig
from alft.errors import ConfigError, DataError, Problem
from alft.models.base import Progress, Sampling
from alft.models.loading import Loaded, load_model, model_digest, rounded, saved_in, seed_of, spread
from alft.models.local import LocalModel
from alft.offline.reweight import SolveSettings
from alft.offline.sample import Request, sample
from alft.offline.samples import Samples, questions_of, read_samples
from alft.offline.solve import solve_samples
from alft.offline.trainer import Fitted, Training, fit
from alft.offline.weighted import Weighted, rows
from alft.reporting.cards import Fact, adapter_facts, distilled_card, public_name, source_of
from alft.storage.checkpoint import discard
from alft.storage.files import claim, locked, write_json, write_text
from alft.text import equilibrium


def distill(
    weighted: Weighted,
    model: ModelConfig,
    training: Training,
    directory: Path,
    progress: Progress | None = None,
    *,
    loaded: Loaded | None = None,
) -> Path:
    """Fine-tune a model on weighted completions; returns the directory of the new model, `directory`/model.

    `loaded`: the model and its tokenizer, if they are in memory already; the model is trained in place. Killed and
    called again, it resumes from its newest checkpoint; what is done is not done again. Raises DataError if
    `directory` was begun with other completions, weights or settings.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory):
        claim(directory / "distill.json", request_of(weighted, model, training))
        if not (directory / "model").exists():
            network, tokenizer = loaded or load_model(model, trained=training.lora is None)
            dtype = saved_in(model, "bfloat16" if training.bf16 else "float32", adapter=training.lora is not None)
            if dtype == "bfloat16":
                spread(network, seed_of(model_digest(model), training.seed))
            once = (weighted.row_weights > 0).astype(int)  # all of positive weight, asked as they were sampled
            data = Dataset.from_list(list(rows(weighted, once, "prompt_completion", with_weights=True)))
            if not isinstance(data[0]["prompt"], str) and tokenizer.chat_template is None:
                what = f"was asked as chat messages, and the tokenizer of {model.path} has no chat template"
                raise DataError(Problem(str(weighted.samples.path), what, "train the model that was sampled"))
            callbacks = [] if progress is None else [_Shown(progress)]
            fitted = fit(network, tokenizer, data, training, directory / "checkpoints", callbacks)
            card = distilled_card(weighted.solved, list(_how(weighted, model, training, fitted)))
            rounded(fitted.model, dtype)
            _save(fitted, tokenizer, directory, card)
    return directory / "model"


def _save(fitted: Fitted, tokenizer: PreTrainedTokenizerBase, directory: Path, card: str) -> None:
    part = directory / ".model.part"
    discard(part)
    fitted.model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    write_text(part / "README.md", card)
    done = {"rows": fitted.rows, "rows_left_out_as_too_long": fitted.left_out, "steps": fitted.steps}
    write_json(directory / "results.json", done)
    part.rename(directory / "model")
    discard(directory / "checkpoints")


def _how(weighted: Weighted, model: ModelConfig, training: Training, fitted: Fitted) -> Iterator[Fact]:
    came, solved = weighted.samples.provenance, weighted.solved
    sampled, asked = public_name(str(came.model.get("model"))), came.data.get("questions")
    yield "from", source_of(model)
    yield (
        "completions",
        f"{len(weighted.samples)} of {sampled} ({came.sampling.get('samples')} per view, {asked} questions, "
        f"sha256 of the questions {came.data.get('digest')})",
    )
    found = equilibrium(solved["beta"], solved.get("power", 1.0))
    yield "equilibrium", f"{game_label(solved['game'])}, {found}, shrinkage {solved['shrinkage']:g}"
    yield "trainer", f"TRL's SFT, weighted, {fitted.steps} steps of {training.batch_size} completions"
    yield "completions with a weight", fitted.rows
    yield "left out as too long", fitted.left_out
    yield "learning rate", f"{training.learning_rate:g}, {training.schedule}"
    yield "epochs", f"{training.epochs:g}"
    yield from adapter_facts(training.lora)
    yield "seed", training.seed


def request_of(weighted: Weighted, model: ModelConfig, training: Training) -> dict[str, Any]:
    """What a directory is for: these completions and weights, this model by its files, these settings."""
    content = np.ascontiguousarray(weighted.row_weights).tobytes()
    settings = asdict(training)
    del settings["micro_batch_size"]  # may be halved when memory runs out; it changes rounding alone
    if training.share_prompts is False:
        del settings["share_prompts"]  # older directories do not have it
    return {
        "samples": asdict(weighted.samples.provenance),
        "weights": hashlib.sha256(content).hexdigest(),
        "model": model.model_dump(mode="json") | {"digest": model_digest(model)},
        "training": settings | {"lora": None if training.lora is None else training.lora.model_dump(mode="json")},
    }


class _Shown(TrainerCallback):
    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.progress(state.global_step / max(state.max_steps, 1))


@dataclass(frozen=True)
class Rounds:
    """`number` rounds of `training`, the first of `model`; `settings` and the name `game` say what is solved."""

    number: int
    model: ModelConfig
    settings: SolveSettings
    game: str
    training: Training


def play(
    rounds: Rounds, first: Weighted, directory: Path, bar: Callable[[str], AbstractContextManager[Progress]]
) -> Path:
    """All rounds, the first on given completions; returns the last model's directory, `directory`/model.

    Later rounds ask the same questions in the same way, with seeds of their own. `bar` shows the progress of a
    piece of work with a name. Killed and called again, it resumes. Raises DataError if `directory` was begun with
    something else.
    """
    directory.mkdir(parents=True, exist_ok=True)
    solved, began = rounds.settings.describe(rounds.game), request_of(first, rounds.model, rounds.training)
    claim(directory / "rounds.json", {"rounds": rounds.number, "solved": solved, **began})
    final = directory / "model"
    if final.exists():
        return final
    weighted, model = first, rounds.model
    for number in range(1, rounds.number + 1):
        place, named = directory / f"round-{number}", f"round {number} of {rounds.number}: "
        if number > 1:
            with bar(named + "sampling") as progress:
                samples = _sampled(first.samples, model, number, place, progress)
            weighted = solve_samples(samples, rounds.settings, rounds.game, first=first.samples).weighted
        with bar(named + "distilling") as progress:
            path = distill(weighted, model, rounds.training, place, progress)
        saved = {"path": str(path), "revision": None, "chat_template_kwargs": {}}  # defaults of its template
        model = model.model_copy(update=saved)
    Path(model.path).rename(final)
    return final


def _sampled(first: Samples, model: ModelConfig, number: int, place: Path, progress: Progress) -> Samples:
    """Completions of the model so far, asked what the `first` were asked, as often, with other seeds."""
    path = place / "samples.parquet"
    if not path.exists():
        place.mkdir(parents=True, exist_ok=True)
        drawn, answers = first.provenance.sampling, first.provenance.answers
        if answers.reading.reader not in (None, *NAMED):  # a file of data names code, which is not run for that
            what = f"its completions were read by {answers.reading.reader}, which no configuration names here"
            raise ConfigError(Problem(str(first.path), what, "start from a configuration with answers.reader"))
        same = {name: drawn[name] for name in ("samples", "max_new_tokens", "batch_size")}
        sampling = Sampling(**same, seed=Sampling(seed=drawn["seed"]).seed_of(number), stop=drawn.get("stop"))
        request = Request(questions_of(first), sampling, first.provenance.data["source"], answers)
        sample(request, LocalModel(*load_model(model), model.path), path, progress)
    return read_samples(path)
