"""Evaluations on disk, read without a model: completions.parquet of a run or of `alft evaluate --output`, or logs.

Logs are the sample logs of lm-eval (`samples_TASK_*.jsonl`) and of Inspect (JSON). Each file is one view: the same
documents asked through several prompts or tasks are the views of a question. A document may also say itself which
question and view it is: `question_id` and `view` in lm-eval's `doc` or in Inspect's `metadata`. One completion a
view counts as greedy, several (repeats, epochs) as samples.
"""

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from alft.answers import LETTERS, USUAL, AnswerPolicy, answer_key, extract, gold_set
from alft.completions import READ, Completion, Kind, check_version, from_row
from alft.errors import DataError, Problem
from alft.evaluation.evaluation import Evaluation
from alft.questions import Question, load_questions

COMPLETIONS = "completions.parquet"
QUESTIONS = "questions.jsonl"
RESULTS = "results.json"
MEASURED = "measured"
"""The phase of a measurement without training. A run has the phases "before", "at_stop" and "after"."""
PHASES = ("before", "after", MEASURED)
IDENTITY = ("phase", "question_id", "view", "kind", "sample")
REQUIRED = (*IDENTITY, "key", "right")  # every version of the file has them
RESTORE = "restore the file, or run again"


@dataclass(frozen=True)
class Recorded:
    """A directory with an evaluation: its completions by phase, and its questions if they were kept."""

    path: Path
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    questions: Mapping[str, Question] = field(default_factory=dict)

    @property
    def latest(self) -> Evaluation:
        """What was measured, of a run after training. Raises DataError if nothing was yet."""
        for phase in (MEASURED, "after"):
            if phase in self.evaluations:
                return self.evaluations[phase]
        what, remedy = "holds no measured completions", "let the run end, or run it again"
        if "before" in self.evaluations:
            what = "holds only answers of the model before training: the run has not ended"
            command = f"alft train {shlex.quote(str(self.path / 'config.yaml'))} --resume"
            remedy = f"continue it, `{command}`, or name the model itself"
        raise DataError(Problem(str(self.path), what, remedy))


def is_recorded(path: Path) -> bool:
    """Whether a directory holds a written evaluation."""
    return (path / COMPLETIONS).is_file()


def read_recorded(path: Path, *, texts: bool = False) -> Recorded:
    """Read a directory; what is missing in it is left empty, and the texts too unless they are asked for.

    Raises DataError for a broken file.
    """
    asked = path / QUESTIONS  # which of them have an answer was checked when the run began
    questions = load_questions(asked, answers="partial") if asked.is_file() else []
    return Recorded(path, _evaluations(path / COMPLETIONS, texts), {each.id: each for each in questions})


def _evaluations(path: Path, texts: bool) -> dict[str, Evaluation]:
    if not path.is_file():
        return {}
    try:
        schema = pq.read_schema(path)
        check_version(str(path), schema)
        more = [name for name in READ if name in schema.names and (texts or name != "completion")]
        names = list(dict.fromkeys((*REQUIRED, *more)))
        table = pq.read_table(path, columns=names, filters=[("phase", "in", PHASES)])
    except (pa.ArrowInvalid, OSError) as error:
        if path.stat().st_size <= len(b"PAR1"):  # a run that is still going, or was broken off
            return {}
        raise DataError(Problem(str(path), f"can't be read ({error})", RESTORE)) from error
    rows = table.to_pylist()
    if len({tuple(row[name] for name in IDENTITY) for row in rows}) < len(rows):
        raise DataError(Problem(str(path), "holds two completions that are the same sample of a view", RESTORE))
    found: dict[str, list[Completion]] = {}
    for row in rows:
        found.setdefault(row["phase"], []).append(from_row(row))
    return {phase: Evaluation(tuple(own)) for phase, own in found.items()}


SHOWN = 5
LIKELIHOODS = "holds likelihoods of choices, not completions"
_TASK = re.compile(r"samples_(.+?)(?:_\d{4}-\d\d-\d\dT.*)?")


@dataclass(frozen=True)
class _Document:
    """One document of a log: its question and view (None: that of the file), completions, gold spellings."""

    question: str
    view: str | None
    completions: tuple[Completion, ...]
    gold: tuple[str, ...]


def is_log(path: Path) -> bool:
    """Whether a file is named as sample logs are."""
    return path.is_file() and path.suffix in (".json", ".jsonl", ".eval")


def read_logs(paths: Sequence[Path], answers: AnswerPolicy = USUAL) -> Evaluation:
    """The evaluation of one or several logs; raises DataError with the rows that can't be used."""
    named = Counter(path.resolve() for path in paths)
    problems = [Problem(str(path), "is named twice", "leave it out once") for path in named if named[path] > 1]
    found: dict[tuple[str, str], list[_Document]] = {}
    origin: dict[tuple[str, str], Path] = {}
    for path in paths:
        for where, row in _rows(path, problems):
            try:
                document = _lm_eval(row) if path.suffix == ".jsonl" else _inspect(row)
            except ValueError as wrong:
                problems.append(Problem(where, str(wrong)))
                continue
            task = _TASK.fullmatch(path.stem)
            place = document.question, document.view or (task[1] if task else path.stem)
            first = origin.setdefault(place, path)
            if first != path:
                what = f"view {place[1]!r} of document {place[0]!r} is in {first} too"
                remedy = "of two models, measure each with -o, then name both outputs"
                problems.append(Problem(where, what, remedy))
            found.setdefault(place, []).append(document)
    if not found and not problems:
        problems.append(Problem(str(paths[0]), "0 samples", "log samples: --log_samples in lm-eval"))
    if problems:
        more = len(problems) - SHOWN
        raise DataError(problems[:SHOWN] + ([Problem(str(paths[0]), f"and {more} more")] if more > 0 else []))
    return Evaluation(tuple(_records(found, answers)))


def _records(found: Mapping[tuple[str, str], list[_Document]], answers: AnswerPolicy) -> Iterator[Completion]:
    several = any(sum(len(one.completions) for one in group) > 1 for group in found.values())
    kind: Kind = "sampled" if several else "greedy"
    for (question, view), group in found.items():
        gold = gold_set(group[0].gold, answers.keys) if group[0].gold else None
        options = LETTERS if gold and gold <= LETTERS.keys() else None  # answers are options: `B. Paris` is B
        completions = [one for document in group for one in document.completions]
        for index, one in enumerate(completions):
            key = answer_key(one.full_text, options, answers, truncated=one.truncated)
            right = None if gold is None else key in gold
            yield replace(one, question=question, view=view, kind=kind, sample=index, key=key, right=right)


def _rows(path: Path, problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    """Places and rows of a log. Only the first of lm-eval's filters is read: all have the same completions."""
    if path.suffix == ".eval":
        remedy = "inspect log convert --to json --output-dir DIR FILE"
        problems.append(Problem(str(path), "is Inspect's binary format", remedy))
        return
    if path.suffix == ".json":
        samples = _parsed(path.read_bytes(), str(path), problems)
        samples = samples.get("samples") if isinstance(samples, dict) else None
        if isinstance(samples, list):
            yield from ((f"{path}: samples[{index}]", row) for index, row in enumerate(samples))
        elif not problems:
            problems.append(Problem(str(path), "is no Inspect log: it has no list `samples`"))
        return
    first: Any = None
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            row = _parsed(line, f"{path}:{number}", problems) if line.strip() else None
            chosen = row.get("filter") if isinstance(row, dict) else None
            first = chosen if first is None else first
            if row is not None and chosen == first:
                yield f"{path}:{number}", row


def _parsed(content: bytes, where: str, problems: list[Problem]) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        problems.append(Problem(where, f"is not JSON: {error}"))
        return None


def _lm_eval(row: Any) -> _Document:
    """One line of `samples_TASK_*.jsonl`."""
    if not isinstance(row, dict) or "doc_id" not in row or not isinstance(row.get("resps"), list):
        raise ValueError(
            "is no sample of lm-eval: it needs doc_id and resps (to measure on questions: --set data.path=FILE)"
        )
    requests = row["resps"]
    several = len(requests) != 1 or not isinstance(requests[0], list)
    if several or not all(isinstance(text, str) for text in requests[0]):
        raise ValueError(LIKELIHOODS)
    question, view = _named(row.get("doc"), str(row["doc_id"]))
    return _Document(question, view, tuple(map(Completion, requests[0])), _gold(row.get("target")))


def _inspect(row: Any) -> _Document:
    """One element of `samples` of an Inspect log; the epochs of a sample are its completions."""
    if not isinstance(row, dict) or "id" not in row or not isinstance(row.get("output"), dict):
        raise ValueError("is no sample of Inspect: it needs id and output")
    question, view = _named(row.get("metadata"), str(row["id"]))
    choices = row["output"].get("choices") or []
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise ValueError("is no sample of Inspect: its choices are no list of objects")
    completions = [Completion(_content(each), each.get("stop_reason") == "max_tokens") for each in choices]
    return _Document(question, view, tuple(completions) or (Completion(""),), _gold(row.get("target")))


def _content(choice: Mapping[str, Any]) -> str:
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return content
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")


def _named(document: Any, question: str) -> tuple[str, str | None]:
    own = document if isinstance(document, dict) else {}
    view = own.get("view")
    return str(own.get("question_id", question)), None if view is None else str(view)


def _gold(target: Any) -> tuple[str, ...]:
    """Gold spellings: a target's marked answer where it is a worked solution, else the target itself."""
    targets = target if isinstance(target, list) else [target]
    return tuple(extract(str(one)) or str(one) for one in targets if one is not None and str(one).strip())
