"""A summary as labelled numbers, for a terminal and for a page: label → mean and interval, in reading order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alft.evaluation.evaluation import Summary
from alft.evaluation.text import METRICS, Number, number, short

Told = tuple[Number | None, Sequence[Number] | None]
"""A mean and its interval."""
Lines = dict[str, Told]
Change = tuple[str, Number | None, Number | None, Number | None, Sequence[Number] | None]
"""Label, before, after, change, and the interval of the change."""

NAME_WIDTH = 40
CONSENSUS = {
    "vote_greedy": "vote over views, greedy",
    "vote_sampled": "vote over views, all samples",
    "geometric_sampled": "geometric vote over views, all samples",
}
"""Baselines that need no training, as a reader sees them."""
AT_K = {"pass_at_k": "pass@{}", "majority_at_k": "maj@{}"}


def measures(summary: Summary) -> Lines:
    """What needs no gold answer; a summary that an older version wrote has fewer."""
    return {
        label: (summary[key], summary["intervals"].get(key)) for key, label in METRICS.items() if key in summary
    }


def votes(summary: Summary) -> Lines:
    """Accuracy of votes over the views, which need no training."""
    found = summary["consensus"]
    return {label: _of(found[key]) for key, label in CONSENSUS.items() if key in found}


def at_k(summary: Summary) -> Lines:
    """Every pass@k, then every maj@k, mean of the views."""
    return {
        label.format(short(k, NAME_WIDTH)): _of(told)
        for part, label in AT_K.items()
        for k, told in summary.get(part, {}).items()
    }


def at_most_k(summary: Summary) -> Lines:
    """pass@k and maj@k of the largest k only."""
    return {label: told for part in AT_K for label, told in list(at_k({part: summary.get(part, {})}).items())[-1:]}


def population(summary: Summary) -> Lines:
    """What is said of all questions together: each limit, and parity."""
    found = {limit_label(name, told): _of(told) for name, told in summary.get("limits", {}).items()}
    parity = summary.get("parity")
    if parity is not None:
        found["difference between groups (nats)"] = parity["parity"], parity["interval"]
        found["… by sampling alone, if alike"] = parity["null"], None
    return found


def limit_label(name: str, told: Mapping[str, Any]) -> str:
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


def changes(lines: Callable[[Summary], Lines], results: Mapping[str, Any]) -> list[Change]:
    """Lines of before and after side by side (as in results.json), where both have them.

    A change that has no interval of its own is the plain difference.
    """
    before, after, change = (lines(results[part]) for part in ("before", "after", "difference"))
    found: list[Change] = []
    for label in after:
        if label in before:
            a, b = before[label][0], after[label][0]
            plain = None if a is None or b is None else b - a
            found.append((label, a, b, *change.get(label, (plain, None))))
    return found


def _of(told: Mapping[str, Any]) -> Told:
    return told["mean"], told["interval"]
