"""`alft.init`, `validate` and `views`: a first project; check questions and configuration; more views."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from alft import starter
from alft.config.load import YAML, ConfigLike, PartlyReadError, load_config, one_of
from alft.errors import AlftError, ConfigError, DataError, Problem
from alft.plan.build import rest_problems
from alft.plan.questions import all_questions
from alft.plan.validation import Report, validate_config, validate_questions
from alft.questions import Question, dump_questions, item_problems, more_views
from alft.questions.paraphrase import DraftCache, Rejected, paraphrased
from alft.reporting.progress import progress_of, quiet_libraries
from alft.storage.files import atomic, ending_problems, new_problems, write_text


def init(directory: Path | str) -> list[Path]:
    """Write a project to begin with into a new folder: a configuration, questions, and solved examples.

    It is examples/real, of a checkout or as it is installed. Returns its files. Raises ConfigError if the folder
    exists.
    """
    folder, package = Path(directory), Path(starter.__file__).parents[1]
    installed = package / "examples" / "real"
    project = installed if installed.is_dir() else package.parents[1] / "examples" / "real"
    if problems := list(new_problems(folder)):
        raise ConfigError(problems)
    try:
        folder.mkdir()
        for file in project.iterdir():
            write_text(folder / file.name, file.read_text("utf-8").replace("examples/real/", ""))
    except OSError as error:
        what = f"can't be written: {error.strerror}"
        raise ConfigError(Problem(str(folder), what, "choose another place")) from error
    return sorted(folder.iterdir())


def validate(what: ConfigLike = None, overrides: Sequence[str] = (), *, config: ConfigLike = None) -> Report:
    """Check a configuration, or questions, and load no model.

    `what`: a configuration, its sections as a mapping, a YAML file, a source of questions (file,
    hub:OWNER/NAME, …), or None for the defaults. A source is read as `config` says. `overrides` are
    `section.key=value` texts. The report lists every problem; `good` is True without any. What is wrong with the
    input raises nothing.
    """
    try:
        if isinstance(what, str | Path) and not str(what).endswith(YAML):
            return validate_questions(load_config(config, [f"data.path={json.dumps(str(what))}", *overrides]))
        read = load_config(one_of(what, config), overrides)
    except PartlyReadError as error:
        return Report((*error.problems, *rest_problems(error)))
    except AlftError as error:
        return Report(error.problems)
    quiet_libraries()
    from alft.training.dataset import prompt_problems

    return validate_config(read, prompt_problems)


@dataclass(frozen=True)
class ViewOptions:
    """`paraphrases` of each question, by a `model` in a directory, or by `model` at an `endpoint`.

    `max_tokens` is the longest paraphrase; `cache` keeps what models wrote, by default in ~/.cache/alft. `keep`
    takes only questions with that many views, and that many of each; `limit` only the first questions.
    """

    paraphrases: int = 0
    model: str | None = None
    endpoint: str | None = None
    max_tokens: int = 512
    cache: Path | None = None
    keep: int | None = None
    limit: int | None = None

    def problems(self) -> Iterator[Problem]:
        """What is wrong with these options."""
        if self.paraphrases > 0 and self.model is None:
            remedy = "--endpoint URL --model NAME, or --model DIRECTORY"
            yield Problem("--paraphrase", "no model is named to write them", remedy)
        elif self.paraphrases > 0 and self.endpoint is None and not Path(str(self.model), "config.json").is_file():
            yield Problem("--model", f"'{self.model}' is no model directory", "or name a server with --endpoint")
        if self.paraphrases == 0 and (self.endpoint or self.model):
            yield Problem("--model", "is only used for paraphrases", "--paraphrase N")

    def drafts(self) -> DraftCache:
        """The model that writes, and what it has written before."""
        from alft.models.endpoint import Asking, Endpoint
        from alft.models.writers import EndpointWriter, LocalWriter

        folder = self.cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alft"
        if self.endpoint is not None:
            endpoint = Endpoint(self.endpoint, str(self.model))
            return DraftCache(folder, EndpointWriter(endpoint, Asking(max_tokens=self.max_tokens)))
        quiet_libraries()
        return DraftCache(folder, LocalWriter(Path(str(self.model)), self.max_tokens))


@dataclass(frozen=True)
class MoreViews:
    """The questions as they were `given` and as they were written, rejected drafts, and the cache of drafts."""

    given: list[Question]
    questions: list[Question]
    rejected: Sequence[Rejected] = ()
    drafts: DraftCache | None = None


def views(
    questions: Path | str | None,
    output: Path | str,
    make: Sequence[str] = (),
    options: ViewOptions | None = None,
    *,
    config: ConfigLike = None,
    overrides: Sequence[str] = (),
) -> MoreViews:
    """Write questions with more views to the JSONL file `output`; call it again to resume after a crash.

    `questions` is a source, by default `data.path` of the configuration; the `data` section of `config` and
    `overrides` says how it is read (`data.preset=gsm8k`). `make` names views made by program ("question first",
    "number words", "Q: {question}", …); `options` asks for paraphrases by a model, which are checked. Raises
    AlftError.
    """
    output, options = Path(output), options or ViewOptions()
    wrong = [*item_problems(make, "--make"), *new_problems(output), *options.problems()]
    wrong += ending_problems("--output", output, "JSONL file", [".jsonl"])
    if not (make or options.model or options.paraphrases or options.keep or options.limit):
        remedy = 'give --make "question first", say, or --paraphrase 3 --model DIRECTORY'
        wrong.append(Problem("alft views", "would write a copy: no views are asked for", remedy))
    if wrong:
        raise ConfigError(wrong)
    source = [] if questions is None else [f"data.path={json.dumps(str(questions))}"]
    read = load_config(config, [*source, *overrides])
    partly = read.changed(data={"answers": read.data.answers or "partial"})
    given = all_questions(partly)[: options.limit]
    found: Sequence[Question] = more_views(given, make)
    drafts, rejected = None, ()
    if options.paraphrases > 0:
        drafts = options.drafts()
        with progress_of("drafts") as progress:
            made = paraphrased(found, options.paraphrases, drafts, _counting(drafts, progress))
        found, rejected = made.questions, made.rejected
        lines = "".join(json.dumps(asdict(reject)) + "\n" for reject in rejected)
        output.with_suffix(".rejected.jsonl").write_text(lines, encoding="ascii", newline="\n")
    kept = list(found) if options.keep is None else _with_views(found, options.keep)
    with atomic(output) as part:
        dump_questions(kept, part)
    return MoreViews(given, kept, rejected, drafts)


def _counting(drafts: DraftCache, progress: Callable[[float], Any]) -> Callable[[int, int], Any]:
    """What to call with the drafts that came and that are expected; a local model also reports within a batch."""
    come, expected = 0, 0

    def count(done: int, of: int) -> None:
        nonlocal come, expected
        come, expected = done, of
        progress(come / max(expected, 1))

    writer: Any = drafts.writer
    if hasattr(writer, "step"):
        writer.step = lambda done, left: progress((come + done) / max(expected, come + left))
    return count


def _with_views(questions: Sequence[Question], count: int) -> list[Question]:
    """Questions with at least `count` views, and the first of each: the same number for all, as training needs."""
    enough = [question for question in questions if len(question.views) >= count]
    if not enough:
        most = max((len(question.views) for question in questions), default=0)
        raise DataError(Problem("--keep", f"no question has {count} views; the most is {most}", "ask for fewer"))
    return [replace(question, views=question.views[:count]) for question in enough]
