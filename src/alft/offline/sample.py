"""Questions × views × N completions → one samples file, in parts that survive a kill (theory.md 6)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from alft.answers import USUAL, AnswerPolicy
from alft.completions import Completion, to_row
from alft.config.schema import ModelConfig, RunConfig
from alft.errors import DataError, Problem
from alft.evaluation import to_records
from alft.models.base import Backend, Progress, Sampling
from alft.offline.parts import Parts
from alft.offline.source import Provenance
from alft.questions import Question, View, digest
from alft.questions.model import json_map
from alft.text import counted, encodable

Asked = tuple[Question, View]


def sampling_of(config: RunConfig, samples: int, seed: int) -> Sampling:
    """How a resolved configuration draws `samples` completions of each view."""
    limit = config.training.max_new_tokens or Sampling.max_new_tokens
    return Sampling(samples, False, limit, config.evaluation.batch_size, seed, config.training.stop)


def prompted_alike(came: Mapping[str, Any], path: str | None = None) -> ModelConfig:
    """A model, by default the one that was sampled, that is prompted as a file's provenance says of that one."""
    path = path or str(came.get("model"))
    revision = came.get("revision") if path == came.get("model") else None
    chat, arguments = "plain" if came.get("chat") is False else "auto", came.get("chat_template_kwargs", {})
    return ModelConfig(path=path, revision=revision, chat=chat, chat_template_kwargs=arguments)


@dataclass(frozen=True)
class Request:
    """What is sampled: `sampling` of every view of the `questions`, which came from `source`.

    `answers` says how the completions are read. `part` (I, N): only the I-th of N parts that together are the file
    of the whole request; each may be sampled by another machine.
    """

    questions: Sequence[Question]
    sampling: Sampling
    source: str
    answers: AnswerPolicy = USUAL
    part: tuple[int, int] | None = None

    @property
    def views(self) -> list[Asked]:
        """All views with their question, in order."""
        return [(question, view) for question in self.questions for view in question.views]

    @property
    def views_per_part(self) -> int:
        """How many views are asked at once."""
        return max(self.sampling.batch_size // self.sampling.samples, 1)

    @property
    def batches(self) -> range:
        """The numbers of the batches of views that are asked: all of the request, or of the part.

        Parts are cut where a question begins with a batch, which has the same seed in whatever part it is. Raises
        DataError if there are fewer such places than parts.
        """
        first = np.cumsum([0, *(len(question.views) for question in self.questions)])
        number, of = self.part or (1, 1)
        cuts, last = first[:-1][first[:-1] % self.views_per_part == 0], -(-int(first[-1]) // self.views_per_part)
        if of > len(cuts):
            what = f"the questions make {counted(len(cuts), 'part')} of whole batches, not {of}"
            raise DataError(Problem("--part", what, "ask for fewer parts, or lower evaluation.batch_size"))
        ends = [*(int(cuts[index * len(cuts) // of]) // self.views_per_part for index in range(of)), last]
        return range(ends[number - 1], ends[number])


def sample(request: Request, backend: Backend, output: Path, progress: Progress | None = None) -> Path:
    """Sample all of a request into the file `output`; killed and called again, it resumes with the next part.

    Each part has a seed of its own, so a local model writes the same file whether or not it was killed. Raises
    RunExistsError if the file is there, DataError if parts are there that were begun with another request.
    """
    views, size, batches = request.views, request.views_per_part, request.batches
    tell = progress or (lambda share: None)
    with Parts(output, _provenance(request, backend)).opened() as parts:
        for done, part in enumerate(batches):
            asked = views[part * size : (part + 1) * size]

            def within(share: float, done: int = done) -> None:
                tell((done + share) / len(batches))

            if not parts.done(part, len(asked) * request.sampling.samples):
                sampling = replace(request.sampling, seed=request.sampling.seed_of(part))
                given = backend.complete([view.prompt for _, view in asked], sampling, within)
                parts.write(part, list(_rows(asked, given, request.answers)))
            within(1.0)
        parts.merge(batches)
    return output


def _rows(
    asked: Sequence[Asked], given: Sequence[Sequence[Completion]], answers: AnswerPolicy
) -> Iterator[dict[str, Any]]:
    for (question, view), completions in zip(asked, given, strict=True):
        chat = not isinstance(view.prompt, str)
        columns = {
            "prompt": encodable(json.dumps(view.prompt) if chat else str(view.prompt)),
            "chat": chat,
            "answer_map": json_map(question, view),
            "gold": None if question.answer is None else json.dumps(question.gold),
        }
        for one in to_records([replace(question, views=(view,))], [completions], "sampled", answers):
            yield to_row(one, **columns)


def _provenance(request: Request, backend: Backend) -> Provenance:
    part = {} if request.part is None else {"part": dict(zip(("number", "of"), request.part, strict=True))}
    return Provenance(
        model=backend.identity(),
        sampling={**asdict(request.sampling), "temperature": 1.0, "top_p": 1.0, "top_k": None},
        data={
            "source": request.source,
            "digest": digest(request.questions),
            "questions": len(request.questions),
            "views": len(request.views),
            "answers": request.answers.record(),
            **part,
        },
        version=version("alft"),
    )
