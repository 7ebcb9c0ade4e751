"""Summaries as tables for the terminal. Names come from files, so they are shown as text, never as markup."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, cast

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from alft.evaluation.intervals import FEWEST
from alft.evaluation.results import ByView, Difference, Limit, Mean, Results, Summary
from alft.text import CONSENSUS, LABELS, METRICS, Number, counted, interval, number, short, signed, visible

Told = tuple[Number | None, Sequence[Number] | None]  # a mean and its interval
Lines = dict[str, Told]
Change = tuple[str, Number | None, Number | None, Number | None, Sequence[Number] | None]
"""Label, before, after, change, and the interval of the change."""

NAME_WIDTH = 40
LABEL_WIDTH = 12  # kept for the names when a terminal is narrow
AT_K: Final = ("pass_at_k", "majority_at_k")
SIDE_BY_SIDE = 3
MOST_K = 5  # of pass@k that are told


def summary_table(summary: Summary) -> RenderableType:
    """One model: accuracy by view with 95 % intervals over questions, then what needs no gold answer."""
    table = _table("view", "sampled", "", "greedy", "")
    for name in [*summary["views"], None]:
        if name is None:
            table.add_section()
        sampled, greedy = (of_view(summary[kind], name) for kind in ("accuracy_sampled", "accuracy_greedy"))
        table.add_row(_name(name or "mean"), *_told(*sampled), *_told(*greedy))
    rest = _table("", "", "")
    rest.show_header = False
    for lines in (readable(summary), measures(summary), votes(summary), population(summary)):
        for label, told in lines.items():
            rest.add_row(_name(label), *_told(*told))
    found = [_at_k_table(summary)] if at_k(summary) else []
    return Group(_caption(summary), table, *found, rest, *_broken(summary))


def _at_k_table(summary: Summary) -> Table:
    """pass@k and maj@k, means of the views, each over its interval; the smallest k and the largest ones."""
    sizes = list(summary.get("pass_at_k", {}))
    chosen = sizes if len(sizes) <= MOST_K else [sizes[0], *sizes[1 - MOST_K :]]
    table = _table("mean of views", *chosen)
    for part in AT_K:
        told = [summary.get(part, {})[k] for k in chosen]
        cells = [Text.assemble(number(one["mean"]), "\n", (interval(one["interval"]), "dim")) for one in told]
        table.add_row(LABELS[part].format("k"), *cells)
    return table


def before_after_table(results: Results, titles: tuple[str, str] = ("before", "after")) -> RenderableType:
    """Two measurements, `before` and `after` (as in results.json), and their paired difference, by view."""
    before, after, change = results["before"], results["after"], results["difference"]
    sampled, greedy = ([f"{kind}\n{title}" for title in titles] for kind in ("sampled", "greedy"))
    table = _table("accuracy", *sampled, "change", "95 % interval", *greedy)
    for name in [*after["views"], None]:
        if name is None:
            table.add_section()
        was, now, by = (of_view(part["accuracy_sampled"], name) for part in (before, after, change))
        greedy = [number(of_view(part["accuracy_greedy"], name)[0]) for part in (before, after)]
        moved = _change(was[0], now[0], by[0]), Text(interval(by[1], sign=True), style="dim")
        table.add_row(_name(name or "mean"), number(was[0]), number(now[0]), *moved, *greedy)
    rest = _table("", titles[0], titles[1], "change", "95 % interval")
    for lines in (readable, partial(at_k, chosen=slice(-1, None)), votes, measures, population):
        for label, a, b, by, bounds in changes(lines, results):
            told = Text(interval(bounds, sign=True), style="dim")
            rest.add_row(_name(label), number(a), number(b), _change(a, b, by, rises=False), told)
    graded = [] if change["accuracy_sampled"]["mean"] is None else [table, *_moved(change)]
    return Group(_caption(after), *graded, rest, *_noted(*graded[:1], rest), *_broken(after))


def _moved(change: Difference) -> Iterator[Text]:
    parts = [
        f"{name} {number(one['mean'])} {interval(one['interval'])}".rstrip()
        for name in ("learnt", "corrupted")
        if (one := change.get(name)) is not None and one["mean"] is not None
    ]
    if parts:
        yield Text(f"of the greedy answers: {', '.join(parts)}")


def comparison_table(
    names: tuple[str, str], summaries: tuple[Summary, Summary], change: Difference
) -> RenderableType:
    """Two evaluations under their names, and the difference second − first, paired by question."""
    first, second = summaries
    told: Results = {"before": first, "after": {**second, "views": change["views"]}, "difference": change}
    legend = Text("\n".join(f"{letter}  {visible(name, 200)}" for letter, name in zip("AB", names, strict=True)))
    both = f"{counted(change['questions'], 'question')} and {counted(len(change['views']), 'view')} of both"
    note = Text(f"Changes are B − A on the {both}", style="dim")
    return Group(legend, before_after_table(told, ("A", "B")), note)


def runs_table(runs: Mapping[str, Results]) -> RenderableType:
    """Several runs (name → content of results.json): every view of each, before and after.

    Three runs stand side by side, more below them.
    """
    stops = [
        Text(f"{short(name, NAME_WIDTH)} was stopped: {visible(str(why), 200)}", style="red")
        for name, run in runs.items()
        if (why := run.get("training", {}).get("stopped"))
    ]
    views = list(dict.fromkeys(view for run in runs.values() for view in run["after"]["views"]))
    named = list(runs.items())
    rows = [dict(named[start : start + SIDE_BY_SIDE]) for start in range(0, len(named), SIDE_BY_SIDE)]
    return Group(*[_beside(row, views) for row in rows], *stops)


def _beside(runs: Mapping[str, Results], views: Sequence[str]) -> RenderableType:
    table = _table("sampled accuracy", *[short(name, NAME_WIDTH) for name in runs])
    parts = [
        [_accuracies(run[part], views) for part in ("before", "after", "difference")] for run in runs.values()
    ]
    for label in parts[0][0]:
        if label == "mean":
            table.add_section()
        sides = [[part[label] for part in of_run] for of_run in parts]
        if label == "worst view":  # of each side its own: nothing is paired
            sides = [[a, b, _less(b, a)] for a, b, _ in sides]
        table.add_row(_name(label), *[_pair(a, b, change) for a, b, change in sides])
    table.add_section()
    first, *others = [{label: cells for label, *cells in changes(measures, run)} for run in runs.values()]
    for label in first:
        if all(label in other for other in others):
            table.add_row(label, *[_pair(*row[label][:3], rises=False) for row in (first, *others)])
    return Group(table, *_noted(table))


def _accuracies(summary: Difference, views: Sequence[str]) -> dict[str, Number | None]:
    found = {view: of_view(summary["accuracy_sampled"], view)[0] for view in views}
    return {**found, "mean": summary["accuracy_sampled"]["mean"], "worst view": worst_view(summary)[1]}


def worst_view(summary: Difference) -> tuple[str, Number | None]:
    """The view of the smallest sampled accuracy, and that; None without gold answers."""
    known = [(value, view) for view, value in summary["accuracy_sampled"]["by_view"].items() if value is not None]
    value, view = min(known, key=lambda one: one[0], default=(None, "None"))
    return view, value


def _pair(before: Any, after: Any, change: Any, *, rises: bool = True) -> Text:
    return Text.assemble(f"{number(before)} → {number(after)}  ", _change(before, after, change, rises=rises))


def of_view(part: ByView, view: str | None) -> Told:
    """Mean and interval of a view, or over all views for None."""
    if view is None:
        return part["mean"], part["interval"]
    return part["by_view"].get(view), part["interval_by_view"].get(view)


def _told(value: Number | None, bounds: Sequence[Number] | None) -> tuple[str, Text]:
    return number(value), Text(interval(bounds), style="dim")


def _change(before: Number | None, after: Number | None, value: Number | None, *, rises: bool = True) -> Text:
    """A difference; of something that should rise, a fall is red and anything else green."""
    falls = value is not None and value < -0.0005
    return Text(paired(before, after, value), style="" if not rises else "red" if falls else "green")


PAIRED = "* over the questions and views that have a value on both sides; the columns beside it are over all"


def paired(before: Number | None, after: Number | None, change: Number | None) -> str:
    """A change with its sign, and `*` where it is not the difference of the values beside it: it is paired."""
    plain = _less(after, before)
    return signed(change) + "*" * (change is not None and plain is not None and abs(change - plain) > 1e-9)


def _less(one: Number | None, other: Number | None) -> Number | None:
    return None if one is None or other is None else one - other


def _noted(*tables: Any) -> list[Text]:
    """What `*` means, where a change has it."""
    cells = (str(cell) for table in tables for column in table.columns[1:] for cell in column.cells)
    return [Text(PAIRED, style="dim")] if any(cell.endswith("*") for cell in cells) else []


def _name(name: str) -> Text:
    return Text(short(name, NAME_WIDTH))


def _broken(summary: Summary) -> list[Text]:
    return [Text(told, style="red") for told in broken_limits(summary)]


def _caption(summary: Summary) -> Text:
    asked = f"{counted(summary['questions'], 'question')} × {counted(len(summary['views']), 'view')}"
    few = f" (most need {FEWEST} questions: with fewer they are left out)" if summary["questions"] < FEWEST else ""
    each = counted(summary["samples"], "sample")
    return Text(f"{asked}, {each} each, 95 % intervals over questions{few}", style="dim")


def _table(first: str, *rest: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(Text(first), overflow="fold", min_width=LABEL_WIDTH)
    for title in rest:
        table.add_column(Text(title), justify="right", no_wrap=True)
    return table


def measures(summary: Difference) -> Lines:
    """What needs no gold answer; a summary that an older version wrote has fewer."""
    return {LABELS[key]: (summary.get(key), summary["intervals"].get(key)) for key in METRICS if key in summary}


def readable(summary: Difference) -> Lines:
    """Accuracy of the answers that were read, where some were not: learning the format does not change it."""
    found = summary.get("accuracy_readable")
    told = found is not None and found["mean"] is not None and summary["unread"] != 0
    return {LABELS["accuracy_readable"]: _of(found)} if found is not None and told else {}


def votes(summary: Difference) -> Lines:
    """Accuracy of votes over the views, which need no training."""
    found = summary.get("consensus", {})
    return {LABELS[key]: _of(found[key]) for key in CONSENSUS if key in found}


def at_k(summary: Difference, chosen: slice = slice(None)) -> Lines:
    """Every pass@k, then every maj@k, mean of the views; or those `chosen` of each."""
    return {
        LABELS[part].format(short(k, NAME_WIDTH)): _of(told)
        for part in AT_K
        for k, told in list(summary.get(part, {}).items())[chosen]
    }


def population(summary: Difference) -> Lines:
    """What is said of all questions together: each limit, and parity."""
    whole = cast(Summary, summary)  # a difference has neither
    found = {limit_label(name, told): _of(told) for name, told in whole.get("limits", {}).items()}
    if (parity := whole.get("parity")) is not None:
        found[LABELS["parity"]] = parity["parity"], parity["interval"]
        found[LABELS["parity_null"]] = parity["null"], None
    return found


def limit_label(name: str, told: Limit) -> str:
    """A limit in words, with what is too much of it."""
    return f"{short(name, NAME_WIDTH)}, at most {told['at_most']:g}"


def broken_limits(summary: Summary) -> list[str]:
    """Limits that do not hold, in words, and those of which nothing is known."""
    found = []
    for name, told in summary.get("limits", {}).items():
        if told["violation"]:
            found.append(f"{short(name, NAME_WIDTH)} is over its limit by {number(told['violation'])}")
        elif not told.get("known", True):
            remedy = "name its configuration, or --set constraints, to run it"
            found.append(f"{short(name, NAME_WIDTH)} is not measured: its code came with the run; {remedy}")
    return found


def changes(lines: Callable[[Difference], Lines], results: Results) -> Iterator[Change]:
    """Lines of before and after side by side (as in results.json), where both have them.

    A change that has no interval of its own is the plain difference.
    """
    before, after, change = (lines(results[part]) for part in ("before", "after", "difference"))
    for label in after:
        if label in before:
            a, b = before[label][0], after[label][0]
            yield label, a, b, *change.get(label, (_less(b, a), None))


def _of(told: Mean) -> Told:
    return told["mean"], told["interval"]
