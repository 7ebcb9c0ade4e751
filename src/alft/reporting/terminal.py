"""The story of one or several runs in a screenful of terminal."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from alft.config.load import game_label
from alft.evaluation.results import THIN, Results
from alft.questions import MAKERS, PERMUTED, Question
from alft.questions.paraphrase import Rejected
from alft.reporting.runs import Run
from alft.reporting.tables import NAME_WIDTH, runs_table
from alft.text import SOLVED, Number, counted, equilibrium, interval, number, short, signed


def terminal_runs(runs: Sequence[Run]) -> RenderableType:
    """A table of runs side by side: every view of each, before and after."""
    done = {run.name: run.results for run in runs if run.results is not None}
    shown = [runs_table(done)] if done else []
    shown += [Text(f"{short(name, 60)}: {story(results)}") for name, results in done.items()]
    shown += [Text(told, style="dim") for results in done.values() if (told := vote_story(results))][:1]
    for run in runs:
        if run.results is None:
            so_far = counted(len(run.metrics), "step")
            shown.append(Text(f"{short(run.name, 60)}: no results.json yet ({so_far} so far)", style="yellow"))
    return Group(*shown)


def views_table(
    given: Sequence[Question], found: Sequence[Question], rejected: Sequence[Rejected], asked: Sequence[str] = ()
) -> Table:
    """One row for the views that were there, one for each kind of new view, one for each reason of rejection.

    Makers that were `asked` for and had nothing to change have a row too.
    """
    there = {(asked.id, view.name) for asked in given for view in asked.views}
    new = Counter(view.name for asked in found for view in asked.views if (asked.id, view.name) not in there)
    kept = sum(len(question.views) for question in found) - new.total()
    table = Table("views")
    table.add_column("number", justify="right")
    table.add_column("questions", justify="right")
    table.add_row("there before", str(kept), str(len(found)))
    for name, count in {**new, **{item: 0 for item in asked if _idle(item, new)}}.items():
        table.add_row(Text(short(name, NAME_WIDTH)), str(count), str(len(found)))
    if rejected:
        table.add_section()
        for reason, count in Counter(reject.reason.partition(":")[0] for reject in rejected).most_common():
            table.add_row(Text(f"rejected: {short(reason, NAME_WIDTH)}"), str(count), "")
    return table


def _idle(item: str, new: Counter[str]) -> bool:
    """Whether a maker that was asked for has made no view: questions gave it nothing to change."""
    if item.endswith(PERMUTED):
        return not any(name.startswith("options ") for name in new)
    return item in MAKERS and item not in new


ROWS = ("questions", "views", "answers", "groups", "duplicates")
SHOWN = 8


def questions_table(report: Mapping[str, Any]) -> Table:
    """Questions, views, answers, groups, duplicates and overlap by set, of a validation report as JSON."""
    parts = [report["train"]] if report["held_out"] is None else [report["train"], report["held_out"]]
    table = Table("", *(["all"] if len(parts) == 1 else ["train", "held out"]))
    for name in ROWS:
        table.add_row("views per question" if name == "views" else name, *(_counted(part[name]) for part in parts))
    if len(parts) == 2:
        table.add_row("in both", "", str(report["overlap"]))
    return table


def _counted(counts: Mapping[Any, int] | int) -> str:
    """`4 (480)`, or several with their counts and the number of those left out; a dash for none."""
    if isinstance(counts, int):
        return str(counts)
    listed = [f"{name} ({count})" for name, count in list(counts.items())[:SHOWN]]
    if len(counts) > SHOWN:
        listed.append(f"{len(counts) - SHOWN} more")
    return ", ".join(listed) or "–"


NAMES_SHOWN = 10


def solution_table(summary: Mapping[str, Any]) -> RenderableType:
    """Each metric of the samples now, at the equilibrium, and the change; then what the weights rest on."""
    solved = summary["solved"]
    game = short(game_label(solved["game"]), NAME_WIDTH)
    title = Text(f"{game}, {equilibrium(solved['beta'], solved['power'])}")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title)
    for column in ("", "now", "at equilibrium", "change", "95 % interval"):
        table.add_column(column, justify="left" if not column else "right")
    for name, label in SOLVED.items():
        now, after, change = (summary["metrics"][name][part] for part in ("now", "after", "change"))
        moved = signed(change["mean"]), interval(change["interval"], sign=True)
        table.add_row(Text(label), number(now["mean"]), number(after["mean"]), *moved)
    for view, told in summary["accuracy_by_view"].items():
        if told["now"] is not None:
            table.add_row(Text(f"accuracy, {short(view, NAME_WIDTH)}"), number(told["now"]), number(told["after"]))
    return Group(table, *(Text(line) for line in _lines(summary)))


def prediction(solved: Mapping[str, Any]) -> str:
    """What the solution predicts for the sampled questions, in a line; empty without predictions."""
    changes = [
        f"{label} {number(each['now']['mean'])} → {number(each['after']['mean'])}"
        for name, label in SOLVED.items()
        if (each := solved.get("predicted", {}).get(name)) and each["after"]["mean"] is not None
    ]
    return f"predicted for the sampled questions: {', '.join(changes)}" if changes else ""


def _lines(summary: Mapping[str, Any]) -> Iterator[str]:
    rest = summary["effective_samples"]
    yield f"{summary['completions']:,} completions of {summary['questions']:,} questions"
    gap = summary["largest_gap"]
    yield "a limit: no gap certifies it" if gap is None else f"largest gap {gap:.1e}"
    if lost := summary["not_found"]:
        yield f"{counted(len(lost), 'question')} whose equilibrium was NOT found: {_listed(lost)}"
    refused = f", refused {summary['refused']:.2%}" if summary["refused"] else ""
    yield f"unread {summary['unread']:.2%}: weight 0; cut off {summary['truncated']:.2%}{refused}"
    if rest["median"] is not None:
        yield (
            f"effective completions a view, borrowed ones too: median {rest['median']:.1f} "
            f"({rest['completions_per_view']:.1f} sampled), least {rest['least']:.1f}, below {THIN:g} in "
            f"{rest['thin_views']} views"
        )
    if summary["reached"] is not None:
        yield f"share of the equilibrium that the completions reach: {summary['reached']:.3f}"
    if summary["borrowed"] > 0:
        how = "for answers that a view never gave (unscored: with the other view's reasoning)"
        how = "by how likely the model makes them under each view" if summary.get("scored") else how
        yield f"borrowed from other views: {summary['borrowed']:.1%} of the weight, {how}"
    if (told := summary["look_at"]) is not None:
        yield f"look at: {told}"
    if left := summary["not_helped"]:
        yield f"{counted(len(left), 'question')} can't be helped (no answer to agree on): {_listed(left)}"


def _listed(questions: Sequence[str]) -> str:
    names = ", ".join(short(name, NAME_WIDTH) for name in questions[:NAMES_SHOWN])
    return f"{names} and {len(questions) - NAMES_SHOWN} more" if len(questions) > NAMES_SHOWN else names


MOST = 3  # views that are named one by one


def story(results: Results) -> str:
    """The content of results.json in words; a change counts where its paired 95 % interval leaves out 0."""
    return " ".join(filter(None, (_accuracy(results), _agreement(results))))


def vote_story(results: Results) -> str:
    """What a vote over the views costs nothing to reach, in words; empty without gold answers."""
    vote = results["before"]["consensus"]["vote_greedy"]["mean"]
    if vote is None:
        return ""
    return (
        "What costs no training: a vote over the greedy answers of all views of the model before training "
        f"is right on {number(vote)} of the questions."
    )


def _accuracy(results: Results) -> str:
    change = results["difference"]["accuracy_sampled"]
    if change["mean"] is None:
        return ""
    bounds = change["interval_by_view"]
    fell = [view for view in bounds if _side(bounds[view]) < 0]
    rose = [view for view in bounds if _side(bounds[view]) > 0]
    if not fell and len(rose) == len(bounds):
        return "Every way of asking became more accurate." if len(rose) > 1 else "It became more accurate."
    if not fell and not rose:
        return "No way of asking changed clearly in accuracy."
    if not fell:
        return f"{len(rose)} of {len(bounds)} ways of asking became more accurate, none clearly less."
    was, now = (results[part]["accuracy_sampled"]["by_view"] for part in ("before", "after"))
    named = [f"“{short(view, NAME_WIDTH)}” ({number(was[view])} → {number(now[view])})" for view in fell[:MOST]]
    lost = ", ".join(named) + (", …" if len(fell) > MOST else "")
    gained = f"; {len(rose)} of {len(bounds)} ways of asking became more accurate" if rose else ""
    return f"Accuracy was lost in {lost}{gained}."


def _agreement(results: Results) -> str:
    side = _side(results["difference"]["intervals"].get("agreement_greedy"))
    before, after = (results[part]["agreement_greedy"] for part in ("before", "after"))
    if before is None or after is None:
        return ""
    if side == 0 and abs(after - before) > 0.05:  # no small one
        return f"Its views' agreement: {number(before)} → {number(after)}; too few questions to tell."
    word = {1: "more", -1: "less", 0: "about as"}[side]
    than = "as before" if side == 0 else "than before"
    return f"Its views agree {word} often {than} ({number(before)} → {number(after)})."


def _side(bounds: Sequence[Number] | None) -> int:
    if bounds is None or bounds[0] <= 0 <= bounds[1]:
        return 0
    return 1 if bounds[0] > 0 else -1
