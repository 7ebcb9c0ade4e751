"""`alft.sample` and `alft.show`: completions of every view in one file, or a few to look at."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alft.answers import ReadPolicy, read
from alft.completions import Completion
from alft.config.load import ConfigLike, load_config
from alft.config.schema import RunConfig
from alft.errors import ConfigError, DataError, Problem
from alft.evaluation import to_records
from alft.evaluation.unread import Readability, readability, warn_of_sameness
from alft.offline import Request
from alft.offline import sample as run
from alft.offline.parts import is_samples, open_samples, part_name
from alft.offline.sample import sampling_of
from alft.offline.samples import first_of, pieces
from alft.plan.defaults import OFFLINE_SAMPLES
from alft.plan.questions import asked_questions
from alft.reporting.progress import progress_of
from alft.storage.files import check_place, ending_problems
from alft.verbs.asking import ModelSource, check_room, find_model


@dataclass(frozen=True)
class Draw:
    """What to sample: `samples` completions of each view, of the first `questions` to train on, or held out.

    Without `samples` it is the configuration's `offline.samples`, else 16.
    `part` "I/N": only the I-th of N parts, for N machines; together they are the file that one would have written.
    """

    samples: int | None = None
    questions: int | None = None
    held_out: bool = False
    seed: int = 0
    part: str | None = None


@dataclass(frozen=True)
class Sampled:
    """The samples file, its number of completions, the share that is unread, and why a server refused prompts.

    `refused`: by question and view. `unread`: how much of it can't be read, with cause, remedy and examples, where
    that is much; else None.
    """

    path: Path
    completions: int
    share: float
    refused: Mapping[tuple[str, str], str]
    unread: str | None


def sample(
    output: Path | str,
    config: ConfigLike = None,
    overrides: Sequence[str] = (),
    *,
    draw: Draw | None = None,
    source: ModelSource | None = None,
) -> Sampled:
    """Sample completions of every view into the Parquet file `output`; call it again to resume after a crash.

    `config` and `overrides` (`section.key=value`) say which model and questions, as for `train`; `draw` says how
    many completions, and `source` where they come from: an endpoint, vLLM, or the local model. With `draw.part`,
    `output` is the folder of the parts. Raises AlftError.
    """
    output, draw, source = Path(output), draw or Draw(), source or ModelSource()
    if (part := _part(draw.part)) is not None and not output.is_file():
        output /= part_name(*part)
    if output.exists():
        what, remedy = "exists already", "choose another name, or remove it"
        if not is_samples(output):
            what = "exists already, and holds no samples"
            remedy = "OUTPUT is where samples are written: choose another name; a configuration is given by -c"
        raise DataError(Problem(str(output), what, remedy))
    check_place(output.parent)
    if wrong := [*ending_problems("OUTPUT", output, "Parquet file", [".parquet"])]:
        raise DataError(wrong)
    resolved, request = requested(load_config(config, overrides), draw, source)
    with progress_of("sampling") as progress:
        run(request, source.backend(resolved), output, progress)
    samples, unread, refused = open_samples(output), 0, {}
    for piece in pieces(samples):
        unread += int((piece.key < 0).sum())
        refused |= piece.refused()
    first = first_of(samples)
    warn_of_sameness(first, str(output))
    return Sampled(output, samples.rows, unread / samples.rows, refused, readability(first, resolved).warning())


def requested(config: RunConfig, draw: Draw, source: ModelSource) -> tuple[RunConfig, Request]:
    """The configuration, resolved for the model that is asked, and what is asked of it."""
    source.check()
    resolved = source.settings(config)
    if source.endpoint is None:
        find_model(resolved.model.path)
    found = asked_questions(resolved)
    resolved = resolved.model_copy(update={"answers": found.answers})
    chosen = (found.held_out if draw.held_out else found.train)[: draw.questions]
    if not chosen:
        raise DataError(Problem(resolved.data.path, "no question is left to ask", "hold out fewer: data.held_out"))
    samples = draw.samples or config.offline.samples or OFFLINE_SAMPLES
    if source.endpoint is None and not source.vllm:
        check_room(resolved, chosen, samples)
    sampling = sampling_of(resolved, samples, draw.seed)
    request = Request(chosen, sampling, resolved.data.path, found.answers.policy, _part(draw.part))
    _ = request.batches  # raises DataError for more parts than there can be
    return resolved, request


def _part(written: str | None) -> tuple[int, int] | None:
    if written is None:
        return None
    numbers = re.fullmatch(r"(\d{1,6})/(\d{1,6})", written)
    number, of = map(int, numbers.groups()) if numbers else (0, 0)
    if not 1 <= number <= of:
        raise ConfigError(Problem("--part", f"must be I/N with I from 1 to N, not {written}", "e.g. --part 2/4"))
    return number, of


@dataclass(frozen=True)
class Look:
    """A `completion`, its `prompt` as far as it is known what the model reads, and how the answer was read."""

    prompt: str
    completion: Completion
    reading: str


@dataclass(frozen=True)
class Shown:
    """Completions to look at, and how much of them can be read (`readability.cause` says why, and a remedy)."""

    looks: tuple[Look, ...]
    readability: Readability


def show(
    config: ConfigLike = None,
    overrides: Sequence[str] = (),
    *,
    completions: int = 8,
    seed: int = 0,
    source: ModelSource | None = None,
) -> Shown:
    """Some completions of the first questions with how each was read; nothing is trained or written.

    One of each view, more where there are fewer views than `completions`. The other arguments are those of
    `sample`. Raises AlftError.
    """
    source = source or ModelSource()
    resolved, request = requested(load_config(config, overrides), Draw(1, completions, seed=seed), source)
    asked = request.views[:completions]
    sampling = replace(request.sampling, samples=-(-completions // len(asked)))
    backend, policy = source.backend(resolved), request.answers
    with progress_of("sampling") as progress:
        replies = backend.complete([view.prompt for _, view in asked], sampling, progress)
    looks = [
        Look(source.written(backend, view.prompt), one, reading(one, policy.reading))
        for (question, view), samples in zip(asked, replies, strict=True)
        for one in to_records([replace(question, views=(view,))], [samples], "sampled", policy)
    ][:completions]
    return Shown(tuple(looks), readability([look.completion for look in looks], resolved))


def reading(one: Completion, policy: ReadPolicy) -> str:
    """How a completion was read: its answer key, right or wrong where that is known, or why there is none.

    >>> from alft.answers import ReadPolicy
    >>> reading(Completion("about 7", True), ReadPolicy())
    'unread: cut off at the token limit'
    """
    if one.refusal is not None:
        return f"refused: {one.refusal}"
    if one.key is not None:
        return f"read as {one.key!r}" + {None: "", True: ", right", False: ", wrong"}[one.right]
    found = read(one.full_text, policy, truncated=one.truncated)
    return f"unread: {found.error or found.unread or 'an answer that is too long'}"
