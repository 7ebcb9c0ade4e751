"""`alft.sample`: completions of every view, once, in one file that describes itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alft.completions import from_row
from alft.config.load import ConfigLike, load_config
from alft.errors import DataError, Problem
from alft.evaluation.unread import readability
from alft.models.base import Sampling
from alft.offline import Request, read_samples
from alft.offline import sample as run
from alft.plan.checks import check_model
from alft.plan.questions import asked_questions
from alft.reporting.progress import progress_of
from alft.verbs.asking import ModelSource


@dataclass(frozen=True)
class Draw:
    """What to sample: `samples` completions of each view, of the first `questions` to train on, or held out."""

    samples: int = 16
    questions: int | None = None
    held_out: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Sampled:
    """The samples file, its number of completions, and why a server refused a prompt, by question and view.

    `unread`: how much of it can't be read, with cause, remedy and examples, where that is much; else None.
    """

    path: Path
    completions: int
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
    many completions, and `source` where they come from: an endpoint, vLLM, or the local model. Raises AlftError.
    """
    output, draw, source = Path(output), draw or Draw(), source or ModelSource()
    source.check()
    resolved = source.settings(load_config(config, overrides))
    if source.endpoint is None:
        check_model(resolved.model.path)
    found = asked_questions(resolved)
    chosen = (found.held_out if draw.held_out else found.train)[: draw.questions]
    if output.exists():
        raise DataError(Problem(str(output), "exists already", "choose another name, or remove it"))
    limit = resolved.training.max_new_tokens or Sampling.max_new_tokens
    batch, stop = resolved.evaluation.batch_size, resolved.training.stop
    sampling = Sampling(draw.samples, False, limit, batch, draw.seed, stop)
    request = Request(chosen, sampling, resolved.data.path, found.answers.policy)
    with progress_of("sampling") as progress:
        run(request, source.backend(resolved), output, progress)
    samples = read_samples(output)
    first = next(samples.texts(), None)  # some thousand completions tell enough
    told = readability([from_row(row) for row in first.to_pylist()]) if first is not None else None
    warning = None if told is None else told.warning()
    return Sampled(output, len(request.views) * draw.samples, samples.refused(), warning)
