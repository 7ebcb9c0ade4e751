"""How sure and how fast `alft.tabular.solve` is: certificates, against a conic solver, as questions grow.

Run: python -m benchmarks.solver [certificates|bound|agreement|conic|growth|large] (all by default).
Times are CPU seconds of one thread.
"""

from __future__ import annotations

import contextlib
import sys
import time
import warnings

import cvxpy as cp
import numpy as np

from alft import games, simplex
from alft.tabular import best_response, gap, solve, value
from tests.tabular.conic import CONIC, conic_program
from tests.tabular.problems import CONCAVE, Problem, draw

SEED = 7
PROBLEMS = 200
VIEWS, ANSWERS, BETA = 8, 16, 0.1
SHARES = np.full(VIEWS, 1 / VIEWS)
CONIC_PROBLEMS = 20
CONIC_NAMES = {"arithmetic": "arithmetic", "geometric": "geometric", "euclidean": "Euclidean"}
AGREEMENT_PROBLEMS = 40
SIZES = (100, 1_000, 10_000, 100_000)


def certificates() -> None:
    """200 random problems a game: V 2–16, |A| 2–1000, β 1e-3–1e2, marginals ≥ 1e-12."""
    print(f"{'game':14} {'solved':>7} {'largest gap':>12} {'steps: median, largest':>24} {'CPU s':>7}")
    for kind in CONCAVE:
        rng = np.random.default_rng(SEED)
        began, gaps, steps, moved = time.process_time(), [], [], []
        for _ in range(PROBLEMS):
            p = draw(kind, rng)
            found = solve(p.game, p.reference, p.beta, weights=p.weights)
            gaps.append(float(found.gap))
            steps.append(int(found.iterations))
            response = best_response(p.game, found.nu, p.reference, p.beta, p.weights)
            distance = (p.weights * np.abs(response - found.nu).sum(axis=-1)).sum()
            moved.append(distance <= np.sqrt(2 * found.gap / p.beta) + 1e-12)
        solved = sum(g <= 1e-10 for g in gaps)
        print(
            f"{kind:14} {solved:4}/{PROBLEMS} {max(gaps):12.1e} {np.median(steps):14.0f} {max(steps):9} "
            f"{time.process_time() - began:7.1f}  best response moves ≤ √(2·gap/β): {all(moved)}",
            flush=True,
        )


def bound() -> None:
    """J* − J(ν) ≤ gap(ν) for 10,000 random ν of every game."""
    rng = np.random.default_rng(SEED)
    for kind in CONCAVE:
        p = draw(kind, rng, most_answers=20)
        best = solve(p.game, p.reference, p.beta, weights=p.weights).value
        nu = rng.dirichlet(np.ones(p.reference.shape[-1]), (10_000, p.reference.shape[0]))
        loss = best - value(p.game, nu, p.reference, p.beta, p.weights)
        certified = gap(p.game, nu, p.reference, p.beta, p.weights)
        broken = int((loss > certified + 1e-9).sum())
        print(
            f"{kind:14} bound broken {broken}/10000, median gap/loss {np.median(certified / loss):.2f}", flush=True
        )


def agreement() -> None:
    """J by `solve` and by cvxpy + Clarabel on random problems of every game: V 2–16, |A| 2–40, β 1e-3–1e2.

    What cvxpy calls optimal is often not: its own point is asked for its gap, and only one with a gap ≤ 1e-7
    counts as solved. Nowhere may it find more than `solve` does.
    """
    print(
        "game: cvxpy says optimal, solved (gap of its point ≤ 1e-7), largest |ΔJ| there; its largest gain on ours"
    )
    for kind in CONIC:
        rng = np.random.default_rng(SEED)
        problems = [draw(kind, rng, most_answers=40) for _ in range(AGREEMENT_PROBLEMS)]
        rows = [row for row in (_against_conic(kind, problem) for problem in problems) if row is not None]
        solved = [abs(gain) for gain, left in rows if left <= 1e-7]
        print(
            f"{kind:13} {len(rows):3}/{AGREEMENT_PROBLEMS} {len(solved):3} {max(solved):8.0e} "
            f"{max(gain for gain, _ in rows):8.0e}",
            flush=True,
        )


def _against_conic(kind: str, p: Problem) -> tuple[float, float] | None:
    """J at cvxpy's point less ours, and the gap of that point; None where cvxpy fails by its own word."""
    program = conic_program(kind, p)
    with warnings.catch_warnings(), contextlib.suppress(cp.SolverError):
        warnings.simplefilter("ignore")
        program.solve(solver=cp.CLARABEL)
    point = next(v for v in program.variables() if v.shape == p.reference.shape).value
    if program.status != "optimal" or point is None:
        return None
    point = simplex.normalise(np.maximum(point, 0))
    ours = solve(p.game, p.reference, p.beta, weights=p.weights).value
    theirs = value(p.game, point, p.reference, p.beta, p.weights)
    return float(theirs - ours), float(gap(p.game, point, p.reference, p.beta, p.weights))


def conic(kind: str) -> None:
    """The same problems by cvxpy + Clarabel and by `solve` in one batch."""
    rng = np.random.default_rng(SEED)
    references = rng.dirichlet(np.ones(ANSWERS), (1000, VIEWS))
    game = games.Coherence(kind)
    began = time.process_time()
    batch = solve(game, references, BETA)
    ours = (time.process_time() - began) / len(references)
    totals, alone, differences = [], [], []
    for i in range(CONIC_PROBLEMS):
        began = time.process_time()
        program = conic_program(CONIC_NAMES[kind], Problem(game, references[i], SHARES, BETA))
        program.solve(solver=cp.CLARABEL)
        totals.append(time.process_time() - began)
        alone.append(program.solver_stats.solve_time)
        differences.append(abs(program.value - batch.value[i]))
    print(
        f"{kind:11} V={VIEWS} |A|={ANSWERS} β={BETA}: ours {1e3 * ours:.3f} ms a question in a batch of 1000 "
        f"(gap ≤ {batch.gap.max():.0e}), cvxpy {1e3 * np.median(totals):.1f} ms (solver alone "
        f"{1e3 * np.median(alone):.1f} wall): ratio {np.median(totals) / ours:.0f}, alone "
        f"{np.median(alone) / ours:.0f}; J differs by ≤ {max(differences):.0e}",
        flush=True,
    )


def growth() -> None:
    """CPU time as questions grow, 8 views × 16 answers each, arithmetic coherence."""
    rng = np.random.default_rng(SEED)
    times = []
    for size in SIZES:
        references = rng.dirichlet(np.ones(ANSWERS), (size, VIEWS))
        began = time.process_time()
        found = solve(games.Coherence("arithmetic"), references, BETA)
        times.append(time.process_time() - began)
        each = 1e3 * times[-1] / size
        print(
            f"{size:7} questions {times[-1]:8.2f} s, {each:.3f} ms each, gap ≤ {found.gap.max():.0e}", flush=True
        )
    slope = np.polyfit(np.log(SIZES), np.log(times), 1)[0]
    print(f"fitted order of growth: questions^{slope:.3f}")


def large() -> None:
    """1e5 answers, half of them at 1e-12."""
    rng = np.random.default_rng(SEED)
    reference = rng.dirichlet(np.ones(100_000), 4)
    reference = simplex.normalise(np.where(rng.random(reference.shape) < 0.5, 1e-12, reference))
    for kind in ("arithmetic", "geometric", "euclidean"):
        began = time.process_time()
        found = solve(games.Coherence(kind), reference, BETA)
        print(
            f"{kind:11} 4 views × 1e5 answers: gap {found.gap:.0e}, {time.process_time() - began:.1f} s",
            flush=True,
        )


PARTS = {
    "certificates": certificates,
    "bound": bound,
    "agreement": agreement,
    "growth": growth,
    "large": large,
}

if __name__ == "__main__":
    parts = sys.argv[1:] or ["certificates", "bound", "agreement", "conic", "growth", "large"]
    for part in parts:
        print(f"== {part}")
        if part == "conic":
            for name in ("arithmetic", "geometric", "euclidean"):
                conic(name)
        else:
            PARTS[part]()
