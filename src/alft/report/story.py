"""What a run bought, in a sentence or two: which ways of asking gained and which lost, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alft.evaluation.text import Number, number, short

NAME = 40
MOST = 3  # views that are named one by one


def story(results: Mapping[str, Any]) -> str:
    """The content of results.json in words; a change counts where its paired 95 % interval leaves out 0."""
    parts = [_accuracy(results), _agreement(results)]
    return " ".join(part for part in parts if part)


def vote_story(results: Mapping[str, Any]) -> str:
    """What a vote over the views costs nothing to reach, in words; empty without gold answers."""
    vote = results["before"]["consensus"]["vote_greedy"]["mean"]
    if vote is None:
        return ""
    return (
        "What costs no training: a vote over the greedy answers of all views of the model before training "
        f"is right on {number(vote)} of the questions."
    )


def _accuracy(results: Mapping[str, Any]) -> str:
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
    lost = ", ".join(_lost(results, view) for view in fell[:MOST]) + (", …" if len(fell) > MOST else "")
    gained = f"; {len(rose)} of {len(bounds)} ways of asking became more accurate" if rose else ""
    return f"Accuracy was lost in {lost}{gained}."


def _lost(results: Mapping[str, Any], view: str) -> str:
    before, after = (results[part]["accuracy_sampled"]["by_view"][view] for part in ("before", "after"))
    return f"“{short(view, NAME)}” ({number(before)} → {number(after)})"


def _agreement(results: Mapping[str, Any]) -> str:
    side = _side(results["difference"]["intervals"].get("agreement_greedy"))
    before, after = (results[part]["agreement_greedy"] for part in ("before", "after"))
    if before is None or after is None:
        return ""
    word = {1: "more", -1: "less", 0: "about as"}[side]
    than = "as before" if side == 0 else "than before"
    return f"Its views agree {word} often {than} ({number(before)} → {number(after)})."


def _side(bounds: Sequence[Number] | None) -> int:
    """1 or −1 where the interval lies on that side of 0, else 0."""
    if bounds is None or bounds[0] <= 0 <= bounds[1]:
        return 0
    return 1 if bounds[0] > 0 else -1
