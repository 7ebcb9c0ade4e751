"""Answers against traces: the same coherence problem as traces per answer grow (theory.md 1.1, paper app. D).

Run: python -m benchmarks.complexity     (7 CPU seconds)

At trace level the answer map is the identity: a trace is its own answer.
Costs are CPU seconds, memory is the peak of what the solver allocates; samples are those per view at which
the consensus of the sampled frequencies has a mean L1 error of 0.1.
"""

from __future__ import annotations

import time
import tracemalloc

import numpy as np

from alft import games
from alft.tabular import solve

SEED = 3
VIEWS, ANSWERS, BETA = 4, 10, 0.1
TRACES = (1, 10, 100, 1_000, 10_000)
WANTED_ERROR = 0.1
REPEATS = 10


def reference_traces(traces: int, rng: np.random.Generator) -> np.ndarray:
    """π_0(z|x_v), axes (view, answer · trace): the same answer marginals whatever the number of traces."""
    answers = np.random.default_rng(SEED).dirichlet(np.ones(ANSWERS), VIEWS)
    given_answer = rng.dirichlet(np.ones(traces), (VIEWS, ANSWERS))
    return (answers[..., None] * given_answer).reshape(VIEWS, -1)


def cost(reference: np.ndarray) -> tuple[float, float, float]:
    """CPU seconds, peak MB, and gap of solving coherence on these marginals."""
    began = time.process_time()
    found = solve(games.Coherence("arithmetic"), reference, BETA)
    seconds = time.process_time() - began
    tracemalloc.start()
    solve(games.Coherence("arithmetic"), reference, BETA)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return seconds, peak, float(found.gap)


def samples_needed(marginals: np.ndarray, rng: np.random.Generator) -> int:
    """Samples per view until E‖mean of frequencies − mean of marginals‖₁ ≤ 0.1, by bisection in steps of 5 %."""
    low, high = 1.0, 4.0
    while error(marginals, int(high), rng) > WANTED_ERROR:
        low, high = high, 4 * high
    while high / low > 1.05:
        middle = np.sqrt(low * high)
        low, high = (middle, high) if error(marginals, int(middle), rng) > WANTED_ERROR else (low, middle)
    return int(high)


def error(marginals: np.ndarray, samples: int, rng: np.random.Generator) -> float:
    """Mean L1 error of the sampled consensus."""
    wanted = marginals.mean(axis=0)
    found = [
        np.mean([rng.multinomial(samples, row) for row in marginals], axis=0) / samples for _ in range(REPEATS)
    ]
    return float(np.mean([np.abs(consensus - wanted).sum() for consensus in found]))


def main() -> None:
    """One line per number of traces, then fitted orders."""
    rows = []
    print("traces/answer   answers: CPU ms, MB, samples   traces: CPU ms, MB, samples   gap")
    for traces in TRACES:
        rng = np.random.default_rng(SEED)
        on_traces = reference_traces(traces, rng)
        on_answers = on_traces.reshape(VIEWS, ANSWERS, traces).sum(axis=-1)
        row = []
        for marginals in (on_answers, on_traces):
            seconds, peak, certified = cost(marginals)
            row += [1e3 * seconds, peak, samples_needed(marginals, rng)]
        rows.append(row)
        print(
            f"{traces:13} {row[0]:14.1f} {row[1]:6.2f} {row[2]:8} {row[3]:14.1f} {row[4]:8.2f} {row[5]:8}"
            f"   {certified:.0e}",
            flush=True,
        )
    slopes = np.polyfit(np.log(TRACES[1:]), np.log(np.array(rows)[1:]), 1)[0]
    print("orders in traces per answer, 10…10⁴ (CPU, MB, samples):", slopes.round(2).tolist())


if __name__ == "__main__":
    main()
