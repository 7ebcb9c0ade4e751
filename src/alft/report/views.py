"""What `alft views` made: views by kind, and why drafts of a model were not taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from alft.evaluation.text import short
from alft.questions import MAKERS, PERMUTED, Question
from alft.questions.paraphrase import Rejected

NAME_WIDTH = 60


def views_table(
    given: Sequence[Question], found: Sequence[Question], rejected: Sequence[Rejected], asked: Sequence[str] = ()
) -> Table:
    """One row for the views that were there, one for each kind of new view, one for each reason of rejection.

    Makers that were `asked` for and had nothing to change have a row too.
    """
    there = {(question.id, view.name) for question in given for view in question.views}
    new = Counter(
        view.name for question in found for view in question.views if (question.id, view.name) not in there
    )
    kept = sum(len(question.views) for question in found) - new.total()
    table = Table("views")
    table.add_column("number", justify="right")
    table.add_column("questions", justify="right")
    table.add_row("there before", str(kept), str(len(found)))
    for name, number in {**new, **{item: 0 for item in asked if _idle(item, new)}}.items():
        table.add_row(Text(short(name, NAME_WIDTH)), str(number), str(len(found)))
    if rejected:
        table.add_section()
        for reason, number in Counter(reject.reason.partition(":")[0] for reject in rejected).most_common():
            table.add_row(Text(f"rejected: {short(reason, NAME_WIDTH)}"), str(number), "")
    return table


def _idle(item: str, new: Counter[str]) -> bool:
    """Whether a maker that was asked for has made no view: questions gave it nothing to change."""
    if item.endswith(PERMUTED):
        return not any(name.startswith("options ") for name in new)
    return item in MAKERS and item not in new
