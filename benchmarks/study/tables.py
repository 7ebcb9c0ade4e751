"""The study's tables as Markdown, from the rows alone. Nothing is left out: what collapsed is in them too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np

from alft.evaluation.text import UNDEFINED
from benchmarks.study.protocol import GRID, MAIN, REST, TUNING_STEPS, Rows, chosen, tuning_rows, tuning_score
from benchmarks.study.results import SCORES, Group, Told, paired, tuned, untuned
from benchmarks.study.rows import BASE

REFERENCE = "coherence, geometric"
NAMES = [objective.name for objective in (*MAIN, *REST)]


def markdown(rows: Rows) -> str:
    """All tables."""
    parts = (sweep_table(rows), main_table(rows), reached_table(rows), untuned_table(rows), unseen_table(rows))
    return "\n\n".join(parts)


def sweep_table(rows: Rows) -> str:
    """Tuning runs: accuracy on the questions of the last steps, by learning rate; the best in bold."""
    rates = sorted(GRID)
    head = ["objective", *(f"{rate:.3g}" for rate in rates)]
    lines = []
    for name in NAMES:
        for scaled in (False, True):
            scores = {
                row["learning_rate"]: tuning_score(row)
                for row in tuning_rows(name, rows)
                if row["standardised"] == scaled
            }
            if scores:
                best = max(scores.values())
                cells = [_bold(scores.get(rate), best) for rate in rates]
                lines.append([name + (", std" if scaled else ""), *cells])
    title = (
        f"Tuning, seed 100: accuracy on the (fresh) questions of the last {TUNING_STEPS} steps, by learning rate"
    )
    return _table(title, head, lines)


def main_table(rows: Rows) -> str:
    """Every objective at its own learning rate, on the held-out questions."""
    head = [
        "objective", "learning rate", "seeds", "sampled accuracy [95 %]", "by seed", "worst wording", "greedy",
        "greedy agreement", "pass@8", f"less {REFERENCE} [95 %]",
    ]  # fmt: skip
    reference = tuned(REFERENCE, rows)
    lines = [_line(group, name, rows, reference) for name, group in _groups(rows)]
    return _table("Held-out questions, each objective at its chosen learning rate", head, [*_base(rows), *lines])


def reached_table(rows: Rows) -> str:
    """Completions until a score was reached, by seed; never is printed as more than all."""
    head = ["objective", "seeds", *(f"rollouts to {score:.2f}" for score in SCORES)]
    lines = [
        [name, _seeds(group), *(", ".join(_rollouts(group, score)) for score in SCORES)]
        for name, group in _groups(rows)
    ]
    return _table("Completions until the accuracy of five steps' fresh questions reached a score", head, lines)


def untuned_table(rows: Rows) -> str:
    """All objectives at the demonstration's learning rate, seed 0, by wording."""
    found = [(name, group) for name in NAMES if (group := untuned(name, rows)) is not None]
    if not found:
        return ""
    views = found[0][1].rows[0]["views"]
    lines = [["before", *_views(found[0][1].before)]]
    lines += [[name, *_views(group.after)] for name, group in found]
    return _table("One setting (learning rate 1.25e-4, seed 0), sampled accuracy", ["", "mean", *views], lines)


def unseen_table(rows: Rows) -> str:
    """Sampled accuracy in wordings that nobody was trained on."""
    base = next((row for row in rows if row["objective"] == BASE), None)
    if base is None:
        return ""
    views = json.loads(base["unseen"])["views"]
    lines = [["before", "", *_unseen([base])]]
    lines += [[name, _seeds(group), *_unseen(group.rows)] for name, group in _groups(rows)]
    return _table("Unseen wordings, sampled accuracy", ["", "seeds", *views], lines)


def _groups(rows: Rows) -> Iterator[tuple[str, Group]]:
    for name in NAMES:
        group = tuned(name, rows)
        if group is not None:
            yield name, group


def _line(group: Group, name: str, rows: Rows, reference: Group | None) -> list[str]:
    rate, scaled = chosen(name, rows)
    common = reference is not None and set(group.seeds) & set(reference.seeds)
    difference = (
        "" if reference is None or name == REFERENCE or not common else _told(paired(group, reference), sign=True)
    )
    return [
        name,
        f"{rate:.3g}{', std' if scaled else ''}{'' if tuning_rows(name, rows) else ' (not tuned itself)'}",
        _seeds(group),
        _told(group.accuracy()),
        ", ".join(f"{value:.3f}" for value in group.by_seed()),
        ", ".join(f"{value:.3f}" for value in group.worst_view()),
        f"{group.mean_of('accuracy_greedy', 'mean'):.3f}",
        f"{group.mean_of('agreement_greedy'):.3f}",
        f"{group.mean_of('pass_at_k', '8', 'mean'):.3f}",
        difference,
    ]


def _base(rows: Rows) -> list[list[str]]:
    """What needs no training: the model before, and a vote over its wordings."""
    group = tuned(REFERENCE, rows)
    if group is None:
        return []
    before = group.results[0]["before"]
    worst = min(before["accuracy_sampled"]["by_view"].values())
    told = [f"{_deep(before, *path):.3f}" for path in (("accuracy_greedy", "mean"), ("agreement_greedy",))]
    passed = f"{before['pass_at_k']['8']['mean']:.3f}"
    accuracy = before["accuracy_sampled"]
    own = [
        "before training",
        "",
        "",
        _told((accuracy["mean"], accuracy["interval"])),
        "",
        f"{worst:.3f}",
        *told,
        passed,
        "",
    ]
    lines = [own]
    for key, label in (("vote_greedy", "greedy"), ("vote_sampled", "sampled")):
        vote = before["consensus"][key]
        lines.append(
            [
                f"no training, vote over wordings, {label}",
                "",
                "",
                _told((vote["mean"], vote["interval"])),
                *[""] * 6,
            ]
        )
    return lines


def _deep(part: dict, *path: str) -> float:
    for name in path:
        part = part[name]
    return part  # pyright: ignore[reportReturnType]


def _views(accuracy: np.ndarray) -> list[str]:
    return [f"{value:.3f}" for value in (accuracy.mean(), *accuracy.mean(axis=(0, 1)))]


def _unseen(rows: Sequence) -> list[str]:
    told = [json.loads(row["unseen"])["accuracy_sampled"]["by_view"] for row in rows if row["unseen"]]
    return [f"{np.mean([one[view] for one in told]):.3f}" for view in told[0]] if told else []


def _rollouts(group: Group, score: float) -> list[str]:
    most = group.rows[0]["steps"] * group.rows[0]["rollouts_per_step"]
    return [f"> {most:,}" if reached is None else f"{reached:,}" for reached in group.rollouts_to(score)]


def _seeds(group: Group) -> str:
    return ", ".join(map(str, group.seeds))


def _told(told: Told, *, sign: bool = False) -> str:
    mean, (low, high) = told
    form = "+.3f" if sign else ".3f"
    return f"{mean:{form}} [{low:{form}}, {high:{form}}]".replace("-", "−")


def _bold(value: float | None, best: float) -> str:
    if value is None:
        return UNDEFINED
    return f"**{value:.3f}**" if value == best else f"{value:.3f}"


def _table(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *lines)]
    return "\n".join([f"**{title}**", "", *rows])
