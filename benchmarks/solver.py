"""How sure and how fast `alft.tabular.solve` is: certificates, against a conic solver, as questions grow.

Run: python -m benchmarks.solver [certificates|bound|limits|drifts|agreement|conic|growth|large] (all by default,
in 107 CPU seconds). Times are CPU seconds of one thread.
"""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from dataclasses import replace

import cvxpy as cp
import numpy as np

from alft import games, simplex
from alft.games import Moments
from alft.tabular import best_response, constrained_gap, drift, gap, solve, solve_constrained, value
from tests.tabular.conic import CONIC, conic_program
from tests.tabular.problems import CONCAVE, Problem, draw

SEED = 7
PROBLEMS = 200
VIEWS, ANSWERS, BETA = 8, 16, 0.1
SHARES = np.full(VIEWS, 1 / VIEWS)
CONIC_PROBLEMS = 20
CONIC_NAMES = {"arithmetic": "arithmetic", "geometric": "geometric", "euclidean": "Euclidean"}
AGREEMENT_PROBLEMS = 40
CONSTRAINED = ("Shannon", "Gini", "arithmetic", "geometric", "Euclidean")
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
        loss = np.asarray(best - value(p.game, nu, p.reference, p.beta, p.weights))
        certified = gap(p.game, nu, p.reference, p.beta, p.weights)
        broken = int((loss > certified + 1e-9).sum())
        print(
            f"{kind:14} bound broken {broken}/10000, median gap/loss {np.median(certified / loss):.2f}", flush=True
        )


def limits() -> None:
    """The constraint form of 1.4: 200 random problems under two limits that bind, 10,000 feasible random ν."""
    rng, gaps, violations, rounds = np.random.default_rng(SEED), [], [], []
    began, tried, broken, failed = time.process_time(), 0, 0, 0
    for i in range(PROBLEMS):
        p, moments = _limited(CONSTRAINED[i % len(CONSTRAINED)], rng)
        try:
            found = solve_constrained(p.game, moments, p.reference, p.beta)
        except ArithmeticError:
            failed += 1
            continue
        gaps.append(float(found.gap))
        violations.append(float(found.violation.max()))
        rounds.append(found.rounds)
        points = _feasible(found.nu, moments, rng)
        best = value(p.game, found.nu, p.reference, p.beta)
        certified = constrained_gap(p.game, moments, points, found.multipliers, p.reference, p.beta)
        loss = best - np.asarray(value(p.game, points, p.reference, p.beta))
        tried += len(points)
        broken += int((loss > certified + 1e-7).sum())
    solved = sum(g <= 1e-8 for g in gaps)
    print(
        f"two limits, {len(CONSTRAINED)} games: gap ≤ 1e-8 {solved}/{PROBLEMS}, no multipliers found {failed}, "
        f"largest gap {max(gaps):.0e}, largest violation {max(violations):.0e}, rounds: median "
        f"{np.median(rounds):.0f}, largest {max(rounds)}; bound broken {broken}/{tried} feasible ν; "
        f"{time.process_time() - began:.0f} CPU s",
        flush=True,
    )


def _limited(kind: str, rng: np.random.Generator) -> tuple[Problem, Moments]:
    """A problem with views alike, whose limits are 0.7 of what two random costs are at its free equilibrium."""
    p = draw(kind, rng, most_answers=100)
    alike = np.full(len(p.reference), 1 / len(p.reference))
    p = replace(p, weights=alike, beta=float(10 ** rng.uniform(-1, 1)))
    costs = rng.random((2, p.reference.shape[-1])) * (rng.random((2, p.reference.shape[-1])) < 0.5)
    costs[:, 0] = 0.0
    free = solve(p.game, p.reference, p.beta).nu
    return p, Moments(costs, 0.7 * Moments(costs, np.zeros(2)).expectation(free, alike) + 1e-3)


def _feasible(nu: np.ndarray, moments: Moments, rng: np.random.Generator) -> np.ndarray:
    """Fifty random ν that keep the limits, between the equilibrium and the answer that costs nothing, or near."""
    safe = np.eye(nu.shape[-1])[np.zeros(nu.shape[0], dtype=int)]
    other = 0.9 * safe + 0.1 * rng.dirichlet(np.ones(nu.shape[-1]), (400, nu.shape[0]))
    share = rng.random((400, 1, 1))
    points = simplex.normalise((1 - share) * nu + share * other)
    kept = (moments.violation(points, np.full(nu.shape[0], 1 / nu.shape[0])) <= 0).all(axis=-1)
    return points[kept][:50]


def drifts() -> None:
    """The drift form of 1.4: J* − J(π) ≤ gap(ν) + β·drift for 10,000 random policies on traces."""
    rng, broken, tried, least = np.random.default_rng(SEED), 0, 0, np.inf
    for i in range(PROBLEMS):
        kind = list(CONCAVE)[i % len(CONCAVE)]
        p = draw(kind, rng, most_answers=50)
        views, answers = p.reference.shape
        each = int(rng.integers(2, 5))
        within = rng.dirichlet(np.ones(each), (views, answers))
        policy = rng.dirichlet(np.ones(each * answers), (50, views)).reshape(50, views, answers, each)
        nu, traces = policy.sum(axis=-1), p.reference[..., None] * within
        divergence = np.asarray(simplex.kl(policy, traces)).sum(axis=-1)
        lost = drift(divergence, nu, p.reference, p.weights)
        best = solve(p.game, p.reference, p.beta, weights=p.weights).value
        worth = p.game.objective(nu, p.weights) - p.beta * (p.weights * divergence).sum(axis=-1)
        bound_there = gap(p.game, nu, p.reference, p.beta, p.weights) + p.beta * np.asarray(lost)
        broken += int((best - worth > bound_there * (1 + 1e-12) + 1e-9).sum())
        tried, least = tried + len(nu), min(least, float(np.min(lost)))
    print(f"traces, {len(CONCAVE)} games: bound broken {broken}/{tried}, least drift {least:.1e}", flush=True)


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
    values, gaps = np.asarray(batch.value), np.asarray(batch.gap)
    totals, alone, differences = [], [], []
    for i in range(CONIC_PROBLEMS):
        began = time.process_time()
        program = conic_program(CONIC_NAMES[kind], Problem(game, references[i], SHARES, BETA))
        program.solve(solver=cp.CLARABEL)
        totals.append(time.process_time() - began)
        alone.append(program.solver_stats.solve_time)
        differences.append(abs(program.value - values[i]))
    print(
        f"{kind:11} V={VIEWS} |A|={ANSWERS} β={BETA}: ours {1e3 * ours:.3f} ms a question in a batch of 1000 "
        f"(gap ≤ {gaps.max():.0e}), cvxpy {1e3 * np.median(totals):.1f} ms (solver alone "
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
            f"{size:7} questions {times[-1]:8.2f} s, {each:.3f} ms each, gap ≤ {np.max(found.gap):.0e}", flush=True
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
    "limits": limits,
    "drifts": drifts,
    "agreement": agreement,
    "growth": growth,
    "large": large,
}

if __name__ == "__main__":
    parts = sys.argv[1:] or ["certificates", "bound", "limits", "drifts", "agreement", "conic", "growth", "large"]
    for part in parts:
        print(f"== {part}")
        if part == "conic":
            for name in ("arithmetic", "geometric", "euclidean"):
                conic(name)
        else:
            PARTS[part]()
