"""How much of what a model writes can be read, reported before time is spent on the rest."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from alft.answers import ReadPolicy
from alft.completions import Completion
from alft.config.schema import RunConfig
from alft.errors import DataError, DataWarning, Problem
from alft.evaluation.results import MOST_UNREAD
from alft.questions import BOXED

FEWEST_READ, FEWEST_SEEN = 0.05, 16
"""Share of the questions with a readable answer below which nothing can be learnt, and completions to say so."""
MUCH_MORE = 0.25  # unread after training than before, as a share of the completions
SAME, FEWEST_ASKED = 0.9, 4
"""Share of one answer in all answers from which they say nothing of their questions, and questions to say so."""
SHOWN, WIDTH = 3, 120
WORDS = "the answers are words, and last number reads numbers only; use answers.pattern or answers.marks"


def unread_cause(unread: float, cut_off: float, chosen: RunConfig | ReadPolicy | None = None) -> tuple[str, str]:
    """How many completions are unread and cut off, as shares of all, and the likeliest remedy not `chosen` yet."""
    told = f"{100 * unread:.0f} % of the completions are unread and {100 * cut_off:.0f} % cut off"
    config = chosen if isinstance(chosen, RunConfig) else RunConfig()
    reading = chosen if isinstance(chosen, ReadPolicy) else config.answers
    cut = cut_off >= unread / 2
    marked = not cut or reading.truncated == "read"
    if marked and reading.unmarked == "last number" and reading.kind == "text":
        return told, WORDS
    marks = [f"answers.{name}" for name in ("pattern", "marks", "reader") if not getattr(reading, name)]
    marks += ["answers.unmarked: last number"] * (reading.unmarked == "unread" and reading.kind != "text")
    usual = config.data.instruction in (None, "", BOXED)
    ways = {
        "raise training.max_new_tokens": cut,
        "name the text that ends an answer in training.stop": cut and config.training.stop is None,
        "read what was cut off by answers.truncated: read": cut and reading.truncated != "read",
        "show how to answer in data.examples": usual and config.data.examples is None,
        "ask for a marked answer in data.instruction": marked and usual,
        f"say how yours is marked: {', '.join(marks)}": marked and bool(marks),
    }
    *rest, last = [way for way, still in ways.items() if still] or ["look at what it writes: alft show"]
    return told, ", ".join(rest) + ", or " * bool(rest) + last


@dataclass(frozen=True)
class Readability:
    """Shares of the completions that are `unread` and `cut_off`, and of the questions with a readable answer.

    `completions` is their number, `examples` some, unread ones first, `cause` the shares in words and a remedy.
    """

    unread: float
    cut_off: float
    questions_read: float
    completions: int
    examples: tuple[Completion, ...]
    cause: tuple[str, str]

    def warning(self, before: float | None = None) -> str | None:
        """What to say if much is unread: shares, cause, remedy, and completions with how they were read.

        `before`: the share that was unread before training; what is above it came from training.
        """
        if self.unread <= (MOST_UNREAD if before is None else before + MUCH_MORE):
            return None
        shares, remedy = self.cause
        if before is not None:
            shares = f"after training, {shares}; before, {100 * before:.0f} % were unread"
            remedy = "training has damaged the model; lower training.learning_rate, or train less"
        return "\n".join([f"{shares}: {remedy}", *map(_shown, self.examples)])

    def check(self, where: str) -> None:
        """Raise DataError if hardly any question has a readable answer: nothing can be learnt then.

        Too few completions say nothing of that.
        """
        if self.completions >= FEWEST_SEEN and self.questions_read < FEWEST_READ:
            shares, remedy = self.cause
            few = f"{100 * self.questions_read:.0f} % of the questions have a readable answer to learn from"
            shown = "".join(f"\n{_shown(one)}" for one in self.examples)
            raise DataError(Problem(where, f"{few} ({shares})", remedy + shown))


def readability(completions: Sequence[Completion], config: RunConfig | None = None) -> Readability:
    """How much of the completions can be read: of the sampled ones, where there are any, as in a summary.

    >>> found = readability([Completion("42", question="a", key="42"), Completion("hm", question="b")])
    >>> found.unread, found.questions_read, found.examples[0].text
    (0.5, 0.5, 'hm')
    """
    completions = [one for one in completions if one.kind == "sampled"] or completions
    asked = {one.question for one in completions}
    read = {one.question for one in completions if one.key is not None}
    many = max(len(completions), 1)
    unread = sum(one.key is None for one in completions) / many
    cut = sum(one.truncated for one in completions) / many
    examples = tuple(sorted(completions, key=lambda one: one.key is not None)[:SHOWN])
    cause = unread_cause(unread, cut, config)
    return Readability(unread, cut, len(read) / max(len(asked), 1), len(completions), examples, cause)


def warn_of_sameness(completions: Sequence[Completion], where: str) -> None:
    """Warn where nearly all questions have the same answer, and the gold answers, if any, are not the same too."""
    read = [one for one in completions if one.key is not None]
    asked, right = len({one.question for one in read}), sum(bool(one.right) for one in read)
    (answer, most), *_ = Counter(one.key for one in read).most_common(1) or [("", 0)]
    if asked >= FEWEST_ASKED and most >= SAME * len(read) and 2 * right < len(read):
        what = f"{100 * most / len(read):.0f} % of the answers to {asked} different questions are {answer!r}"
        cause = "so agreement says nothing: the model has collapsed, or what is read is not its answer"
        remedy = "look at what it writes (alft show), at the instruction and at how answers are read"
        warnings.warn(str(Problem(where, f"{what}, {cause}", remedy)), DataWarning, stacklevel=3)


def _shown(one: Completion) -> str:
    text = " ".join((one.text or "").split())
    end = text if len(text) <= WIDTH else f"…{text[-WIDTH:]}"
    how = "unread" if one.key is None else f"read as {one.key!r}"
    return f"  {one.question}, {one.view}: {end!r} — {how}{', cut off' if one.truncated else ''}"
