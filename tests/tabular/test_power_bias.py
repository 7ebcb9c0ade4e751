"""What few samples make of log ν_0 and of the solution against a sharper reference, enumerated."""

from itertools import pairwise

import numpy as np
import pytest

from benchmarks.power_bias import POWERS, SAMPLES, VIEWS, estimated, log_bias, outcomes, solution


@pytest.mark.parametrize("chances", VIEWS)
def test_the_bias_of_the_log_falls_as_one_over_the_samples(chances: tuple[float, float]) -> None:
    biases = [log_bias(chances, samples) for samples in SAMPLES]
    assert all(1.6 < a / b < 2.4 for a, b in pairwise(biases))


@pytest.mark.parametrize("chances", VIEWS)
@pytest.mark.parametrize("samples", SAMPLES)
def test_a_power_makes_sure_and_decides_nothing(chances: tuple[float, float], samples: int) -> None:
    """The likelier answer of the consensus is the same at every power; more samples make it the right one."""
    found = [estimated(chances, samples, power) for power in POWERS]
    wrong = [chance for _, chance in found]
    assert np.ptp(wrong) < 1e-12
    means = [mean for mean, _ in found]
    assert means == sorted(means)
    assert means[-1] <= 1 - wrong[0] + 1e-12  # the limit of the power is the vote, which is right so often


@pytest.mark.parametrize("chances", VIEWS)
def test_more_samples_bring_the_solution_nearer(chances: tuple[float, float]) -> None:
    distance = [abs(estimated(chances, samples, 4.0)[0] - solution(chances, 4.0)) for samples in SAMPLES]
    assert distance == sorted(distance, reverse=True)


def test_the_enumeration_is_what_sampling_tends_to() -> None:
    rng = np.random.default_rng(0)
    chances, samples = VIEWS[0], 4
    counts, chance = outcomes(chances, samples)
    assert chance.sum() == pytest.approx(1.0)
    drawn = rng.binomial(samples, chances, size=(20_000, 2)).mean(axis=0)
    assert chance @ counts[..., 0] == pytest.approx(drawn, abs=0.03)
