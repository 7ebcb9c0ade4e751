"""The study's tables as Markdown, from the rows alone. Nothing is left out: what collapsed is in them too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from alft.text import UNDEFINED
from benchmarks.study.protocol import (
    BASELINES,
    DEMONSTRATION,
    DIGAMMA,
    FEWER_SEEDS,
    GRID,
    OBJECTIVES,
    SHARED,
    TUNED,
    TUNING_SEED,
    TUNING_STEPS,
    WORDS,
    Rows,
    Setting,
    chosen,
    setting_of,
    tuning_rows,
    tuning_score,
)
from benchmarks.study.results import SCORES, Group, Told, group_at, paired, tuned
from benchmarks.study.rows import BASE

REFERENCE = "coherence, geometric"
VOTES = {
    "vote_greedy": "vote, greedy answers",
    "vote_sampled": "vote, pooled samples",
    "geometric_sampled": "geometric consensus of samples",
}
"""Baselines that train nothing: what the wordings of the untrained model agree on."""
STANDARDISED = f"{REFERENCE}, group mean and std"
FINER = (DIGAMMA.name, *(baseline.name for baseline in BASELINES[1:]), STANDARDISED)
"""Ablations that the short table leaves to the full one: what they show, others show there."""
TITLES = {DEMONSTRATION: "built-in model", WORDS: "word problems", SHARED: "wordings that share a mistake"}
Lines = list[list[str]]


def markdown(rows: Rows) -> str:
    """All tables."""
    parts = (
        short_table(rows),
        sweep_table(rows),
        task_table("Held-out questions, each objective at its own learning rate", rows, DEMONSTRATION),
        task_table("Wordings that share a mistake, at the learning rates chosen above", rows, SHARED),
        task_table("Word problems of another generator, at the learning rates chosen above", rows, WORDS),
        reached_table(rows),
        unseen_table(rows),
    )
    return "\n\n".join(part for part in parts if part)


def short_table(rows: Rows) -> str:
    """What docs/study.md shows: accuracy and worst wording, by task, of objectives with FEWER_SEEDS seeds or more.

    An objective is written as in a configuration.
    """
    found = {task: groups for task in TITLES if (groups := dict(_groups(rows, task)))}
    if DEMONSTRATION not in found:
        return ""
    tasks, of_demonstration = list(found), found[DEMONSTRATION]
    enough = [name for name, group in of_demonstration.items() if len(group.seeds) >= len(FEWER_SEEDS)]
    names = sorted(set(enough) - set(FINER), key=lambda name: -of_demonstration[name].after.mean())
    lines: Lines = [["before training", *(cell for task in tasks for cell in _before(found[task]))]]
    lines.append(["vote over the wordings, no training", *(cell for task in tasks for cell in _vote(found[task]))])
    lines += [
        [OBJECTIVES[name].written, *(cell for task in tasks for cell in _short(found[task].get(name)))]
        for name in names
    ]
    head = ["objective", *(cell for task in tasks for cell in (TITLES[task], "worst wording"))]
    return _table("In short: sampled accuracy [95 %], mean over seeds", head, lines)


def _short(group: Group | None) -> list[str]:
    if group is None or len(group.seeds) < len(FEWER_SEEDS):
        return [UNDEFINED, UNDEFINED]
    return [_told(group.accuracy()), f"{group.worst_view().mean():.3f}"]


def _before(groups: Mapping[str, Group]) -> list[str]:
    accuracy = next(iter(groups.values())).results[0]["before"]["accuracy_sampled"]
    return [_told((accuracy["mean"], accuracy["interval"])), f"{min(accuracy['by_view'].values()):.3f}"]


def _vote(groups: Mapping[str, Group]) -> list[str]:
    vote = next(iter(groups.values())).results[0]["before"]["consensus"]["vote_greedy"]
    return [_told((vote["mean"], vote["interval"])), ""]


def sweep_table(rows: Rows) -> str:
    """Tuning runs: accuracy on the questions of the last steps, by learning rate; the chosen one in bold."""
    lines: Lines = []
    for objective in TUNED:
        for scaled in (False, True):
            tried = tuning_rows(objective.name, rows, standardised=scaled)
            scores = {row["learning_rate"]: _score(row) for row in tried}
            if scores:
                best = chosen(objective.name, rows)
                told = [_bold(scores.get(rate, UNDEFINED), (rate, scaled) == best) for rate in GRID]
                lines.append([objective.name + (", std" if scaled else ""), *told])
    measured = f"accuracy on the (fresh) questions of the last {TUNING_STEPS} steps"
    title = f"Tuning on the demonstration, seed {TUNING_SEED}: {measured}"
    return _table(title, ["objective", *(f"{rate:.0e}" for rate in GRID)], lines)


def task_table(title: str, rows: Rows, task: str) -> str:
    """Every objective on a task's held-out questions; before it, what needs no training."""
    head = [
        "objective", "learning rate", "seeds", "sampled accuracy [95 %]", "by seed", "worst wording", "greedy",
        "greedy agreement", "incoherence", "entropy", "pass@8", "CPU s/step", f"less {REFERENCE} [95 %]",
    ]  # fmt: skip
    groups = list(_groups(rows, task))
    if not groups:
        return ""
    reference = tuned(REFERENCE, rows, task)
    lines = [_line(name, group, rows, reference) for name, group in groups]
    return _table(title, head, [*_untrained(groups[0][1], len(head)), *lines])


def reached_table(rows: Rows) -> str:
    """Completions until a score was reached, by seed; never is printed as more than all."""
    head = ["objective", "seeds", *(f"rollouts to {score:.2f}" for score in SCORES)]
    lines = [
        [name, _seeds(group), *(", ".join(_rollouts(group, score)) for score in SCORES)]
        for name, group in _groups(rows, DEMONSTRATION)
        if len(group.rows[0]["curve_accuracy"])
    ]
    return _table("Completions until the accuracy of five steps' fresh questions reached a score", head, lines)


def unseen_table(rows: Rows) -> str:
    """Sampled accuracy in wordings that nobody was trained on."""
    base = next((row for row in rows if row["objective"] == BASE), None)
    if base is None:
        return ""
    untrained = json.loads(base["unseen"])
    views = untrained["views"]
    groups = [("before training", "", [base])]
    groups += [(name, _seeds(group), list(group.rows)) for name, group in _groups(rows, DEMONSTRATION)]
    lines: Lines = [[name, seeds, *_unseen(of_group)] for name, seeds, of_group in groups]
    lines[1:1] = _votes(untrained, len(views) + 3)
    return _table(
        "Unseen wordings: sampled accuracy, mean [mean of the seeds' 95 % intervals] and by wording",
        _head(views),
        lines,
    )


def _head(views: Sequence[str]) -> list[str]:
    return ["objective", "seeds", "mean", *views]


def _groups(rows: Rows, task: str) -> Iterator[tuple[str, Group]]:
    """The ended runs of each objective at its setting; the ablation "std" is geometric coherence, standardised."""
    for name in OBJECTIVES:
        group = tuned(name, rows, task)
        if group is not None:
            yield name, group
    rate, scaled = chosen(REFERENCE, rows)
    other = group_at(Setting(REFERENCE, rate, not scaled, TUNING_SEED, task), rows)
    if other is not None:
        yield f"{REFERENCE}, no std" if scaled else STANDARDISED, other


def _line(name: str, group: Group, rows: Rows, reference: Group | None) -> list[str]:
    setting = setting_of(group.rows[0])
    common = reference is not None and set(group.seeds) & set(reference.seeds)
    compared = reference is not None and common and name != REFERENCE
    return [
        name,
        f"{setting.learning_rate:.0e}{', std' if setting.standardised else ''}",
        _seeds(group),
        _told(group.accuracy()),
        ", ".join(f"{value:.3f}" for value in group.by_seed()),
        ", ".join(f"{value:.3f}" for value in group.worst_view()),
        f"{group.mean_of('accuracy_greedy', 'mean'):.3f}",
        f"{group.mean_of('agreement_greedy'):.3f}",
        f"{group.mean_of('incoherence_corrected'):.3f}",
        f"{group.mean_of('entropy'):.3f}",
        f"{group.mean_of('pass_at_k', '8', 'mean'):.3f}",
        _cost(setting, rows),
        _told(paired(group, reference), sign=True) if compared and reference is not None else "",
    ]


def _cost(setting: Setting, rows: Rows) -> str:
    """CPU seconds of a step on the demonstration, from the tuning run, which measures on hardly any question."""
    if setting.task != DEMONSTRATION:
        return UNDEFINED
    tried = tuning_rows(setting.objective, rows, standardised=setting.standardised)
    used = [row["cpu_seconds"] / row["steps"] for row in tried if row["learning_rate"] == setting.learning_rate]
    return f"{used[0]:.2f}" if used else UNDEFINED


def _untrained(group: Group, columns: int) -> Lines:
    """The model before training, and what its wordings agree on."""
    before = group.results[0]["before"]
    accuracy = before["accuracy_sampled"]
    own = [
        "before training", "", "", _told((accuracy["mean"], accuracy["interval"])), "",
        f"{min(accuracy['by_view'].values()):.3f}", f"{before['accuracy_greedy']['mean']:.3f}",
        f"{before['agreement_greedy']:.3f}", f"{before['incoherence_corrected']:.3f}",
        f"{before['entropy']:.3f}", f"{before['pass_at_k']['8']['mean']:.3f}",
    ]  # fmt: skip
    return [own + [""] * (columns - len(own)), *_votes(before, columns, at=3)]


def _votes(untrained: Mapping[str, Any], columns: int, at: int = 2) -> Lines:
    """What wordings agree on, without training, in column `at`."""
    votes = [(label, untrained["consensus"][key]) for key, label in VOTES.items()]
    told = [[f"no training: {label}", _told((vote["mean"], vote["interval"]))] for label, vote in votes]
    return [[name, *[""] * (at - 1), value, *[""] * (columns - at - 1)] for name, value in told]


def _score(row: Mapping[str, Any]) -> str:
    return f"{tuning_score(row):.3f}" if len(row["curve_accuracy"]) else "broke down"


def _unseen(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    told = [json.loads(row["unseen"])["accuracy_sampled"] for row in rows if row["unseen"]]
    mean = float(np.mean([one["mean"] for one in told]))
    views = [f"{np.mean([one['by_view'][view] for one in told]):.3f}" for view in told[0]["by_view"]]
    low, high = np.mean([one["interval"] for one in told], axis=0)  # the seeds' own: wider than that of their mean
    return [_told((mean, (float(low), float(high)))), *views]


def _rollouts(group: Group, score: float) -> list[str]:
    most = group.rows[0]["steps"] * group.rows[0]["rollouts_per_step"]
    return [f"> {most:,}" if reached is None else f"{reached:,}" for reached in group.rollouts_to(score)]


def _seeds(group: Group) -> str:
    return ", ".join(map(str, group.seeds))


def _told(told: Told, *, sign: bool = False) -> str:
    mean, (low, high) = told
    form = "+.3f" if sign else ".3f"
    return f"{mean:{form}} [{low:{form}}, {high:{form}}]".replace("-", "−")


def _bold(told: str, best: bool) -> str:
    return f"**{told}**" if best else told


def _table(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *lines)]
    return "\n".join([f"**{title}**", "", *rows])
