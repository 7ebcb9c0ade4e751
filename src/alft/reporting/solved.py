"""What a solution on samples promises, as a table for the terminal. Names come from files: never markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from alft.offline.solve import THIN, Told
from alft.text import counted, interval, number, short, signed

LABELS = {
    "accuracy": "accuracy",
    "agreement": "agreement between views",
    "entropy": "answer entropy (nats)",
    "incoherence": "incoherence (nats, less its bias)",
}
NAMES_SHOWN = 10
NAME_WIDTH = 40


def solution_table(summary: Told) -> RenderableType:
    """Each metric of the samples now, at the equilibrium, and the change; then what the weights rest on."""
    solved = summary["solved"]
    limit = "the limit β → 0" if solved["beta"] == 0 else f"β = {solved['beta']:g}"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=Text(f"{short(solved['game'], NAME_WIDTH)}, {limit}"))
    for column in ("", "now", "at equilibrium", "change", "95 % interval"):
        table.add_column(column, justify="left" if not column else "right")
    for name, label in LABELS.items():
        _add(table, Text(label), summary["metrics"][name])
    for view, told in summary["accuracy_by_view"].items():
        if told["now"] is not None:
            table.add_row(Text(f"accuracy, {short(view, NAME_WIDTH)}"), number(told["now"]), number(told["after"]))
    return Group(table, *(Text(line) for line in _lines(summary)))


def _add(table: Table, label: Text, told: Told) -> None:
    change = told["change"]
    table.add_row(
        label,
        number(told["now"]["mean"]),
        number(told["after"]["mean"]),
        signed(change["mean"]),
        interval(change["interval"], sign=True),
    )


def _lines(summary: Told) -> Iterator[str]:
    rest = summary["effective_samples"]
    yield f"{summary['completions']:,} completions of {summary['questions']:,} questions"
    gap = summary["largest_gap"]
    yield "a limit: no gap certifies it" if gap is None else f"largest gap {gap:.1e}"
    if lost := summary["not_found"]:
        yield f"{counted(len(lost), 'question')} whose equilibrium was NOT found: {_names(lost)}"
    refused = f", refused {summary['refused']:.2%}" if summary["refused"] else ""
    yield f"unread {summary['unread']:.2%}, cut off {summary['truncated']:.2%}{refused}: weight 0"
    if rest["median"] is not None:
        yield (
            f"effective completions a view: median {rest['median']:.1f} of {rest['completions_per_view']:.1f}, "
            f"least {rest['least']:.1f}, below {THIN:g} in {rest['thin_views']} views"
        )
    if summary["reached"] is not None:
        yield f"share of the equilibrium that the completions reach: {summary['reached']:.3f}"
    left = summary["not_helped"]
    if left:
        yield f"{counted(len(left), 'question')} can't be helped (no answer that all views gave): {_names(left)}"


def _names(questions: Sequence[str]) -> str:
    names = ", ".join(short(name, NAME_WIDTH) for name in questions[:NAMES_SHOWN])
    return f"{names} and {len(questions) - NAMES_SHOWN} more" if len(questions) > NAMES_SHOWN else names
