"""Which questions are worth a look, and how their answers are spread over the views before and after."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from alft.completions import Completion
from alft.evaluation import Evaluation, metrics
from alft.questions.model import as_text
from alft.reporting.runs import Run
from alft.text import short

COLOURS = 4  # wrong answers with a colour of their own; the rest share one
LABEL = 200  # characters of an answer that are kept; what does not fit is cut where it is shown
CLEARLY = 0.05  # squared distance or share that a reader could see in the bars
DISTANCE = "incoherence_euclidean"  # between views, without bias; that in nats falls with fewer distinct answers


@dataclass(frozen=True)
class Segment:
    """A stretch of a bar: answers of one kind, with their `share` and CSS class `colour`."""

    label: str
    share: float
    colour: str


@dataclass(frozen=True)
class Bar:
    """The sampled answers of one view; the segments' shares add to 1."""

    view: str
    segments: tuple[Segment, ...]

    @property
    def description(self) -> str:
        """The bar in words."""
        parts = ", ".join(f"{segment.label} {segment.share:.0%}" for segment in self.segments)
        return f"{self.view}: {parts}"


@dataclass(frozen=True)
class Picture:
    """One question: why it is shown, its right answer, its text by view, and a column of bars per moment."""

    question: str
    reason: str
    gold: str | None
    prompts: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, tuple[Bar, ...]], ...]


@dataclass(frozen=True)
class Disagreement:
    """A question whose views still disagree: per view its commonest answer, its share, and a completion."""

    question: str
    incoherence: float
    told: tuple[tuple[str, str, float, str], ...]


def pictures(runs: Sequence[Run]) -> list[Picture]:
    """Answer distributions of selected questions of the first run, before and after each run."""
    first = runs[0].evaluations
    if "before" not in first or "after" not in first:
        return []
    moments = [("before", first["before"])]
    for run in runs:
        if "after" in run.evaluations:
            moments.append(("after" if len(runs) == 1 else f"after {run.name}", run.evaluations["after"]))
    return [
        _picture(question, reason, moments, runs[0])
        for question, reason in select(first["before"], first["after"]).items()
    ]


def select(before: Evaluation, after: Evaluation) -> dict[str, str]:
    """Question id → why it is shown: the gains, and as plainly what did not work."""
    change, (end, _) = after.measured.minus(before.measured), after.measured.paired(before.measured)
    questions, incoherence, last = change.questions, change.overall[DISTANCE], end.overall[DISTANCE]
    accuracy = metrics.mean_over_last(change.by_view["accuracy_sampled"])
    right = metrics.mean_over_last(end.by_view["accuracy_greedy"])
    wrong = (right == 0) & (end.overall["agreement_greedy"] == 1)
    chosen: dict[str, str] = {}
    for scores, count, reason in (
        (-incoherence, 3, "its views came to agree the most"),
        (accuracy, 1, "its accuracy rose the most"),
        (last, 1, "its views disagree the most after training"),
        (np.where(wrong, 1.0, np.nan), 1, "its views agree after training, and are wrong"),
        (-accuracy, 1, "its accuracy fell the most"),
    ):
        for index in _largest(scores, len(questions)):
            if count == 0 or not scores[index] > CLEARLY:
                break
            if questions[index] not in chosen:
                chosen[questions[index]] = reason
                count -= 1
    return chosen


def disagreements(run: Run, count: int) -> list[Disagreement]:
    """The questions whose views disagree most after training, with a completion for each view's commonest key."""
    after = run.evaluations.get("after")
    if after is None:
        return []
    incoherence = after.measured.overall[DISTANCE]
    worst = [i for i in _largest(incoherence, count) if incoherence[i] > CLEARLY]
    rows = run.completions([after.questions[index] for index in worst])
    found = []
    for index in worst:
        told = []
        for view in after.views:
            own = [row for row in rows if row.question == after.questions[index] and row.view == view]
            sampled = [row for row in own if row.kind == "sampled"] or own
            if sampled:
                key, times = Counter(row.key for row in sampled).most_common(1)[0]
                text = next(row.full_text for row in sampled if row.key == key)
                told.append((view, _label(key), times / len(sampled), text))
        found.append(Disagreement(after.questions[index], float(incoherence[index]), tuple(told)))
    return found


def _picture(question: str, reason: str, moments: Sequence[tuple[str, Evaluation]], run: Run) -> Picture:
    own = [
        (title, [r for r in evaluation.records if r.question == question and r.kind == "sampled"])
        for title, evaluation in moments
    ]
    everything = [record for _, records in own for record in records]
    colours = _colours(everything)
    known = run.questions.get(question)
    prompts = () if known is None else tuple((view.name, as_text(view.text)) for view in known.views)
    return Picture(
        question,
        reason,
        next((record.key for record in everything if record.right), None),
        prompts,
        tuple((title, tuple(_bars(records, colours))) for title, records in own if records),
    )


def _bars(records: Iterable[Completion], colours: dict[str | None, str]) -> Iterator[Bar]:
    views: dict[str, Counter[str | None]] = {}
    for record in records:
        views.setdefault(record.view, Counter())[record.key] += 1
    for view, counts in views.items():
        drawn = [key for key in colours if key in counts]
        yield Bar(view, tuple(Segment(_label(k), counts[k] / counts.total(), colours[k]) for k in drawn))


def _colours(records: Sequence[Completion]) -> dict[str | None, str]:
    counts = Counter(record.key for record in records)
    right = {record.key for record in records if record.right}
    wrong = [key for key, _ in counts.most_common() if key is not None and key not in right]
    colours: dict[str | None, str] = {key: "right" for key in counts if key in right}
    colours |= {key: f"a{rank}" if rank <= COLOURS else "other" for rank, key in enumerate(wrong, start=1)}
    return colours | ({None: "unread"} if None in counts else {})


def _largest(values: np.ndarray, count: int) -> list[int]:
    order = np.argsort(-values, kind="stable")  # nan sorts last
    return [int(index) for index in order if not np.isnan(values[index])][:count]


def _label(key: str | None) -> str:
    return "unread" if key is None else short(key, LABEL)
