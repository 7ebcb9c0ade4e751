"""The results of a measurement, of a run and of a solution, as their JSON files have them.

Every number is a mean over questions with a 95 % interval over questions, and None where it is not defined.
The same types check a results.json from anywhere, strictly (`reporting.runs`).
"""

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

MOST_UNREAD = 0.5  # a larger share of unread completions is reported with its cause
THIN = 2.0  # a view that rests on fewer effective completions than this repeats one of them
Finite = Annotated[float, Field(allow_inf_nan=False)]
Value = Finite | None
Bounds = Annotated[list[Finite], Field(min_length=2, max_length=2)] | None


class Mean(TypedDict):
    """A mean over questions and its interval."""

    mean: Value
    interval: Bounds


class ByView(Mean):
    """The mean over views, and the same by view."""

    by_view: dict[str, Value]
    interval_by_view: dict[str, Bounds]


class Limit(Mean):
    """The mean cost of a limit, its excess over `at_most`, and whether its cost is `known`."""

    at_most: Value
    violation: Value
    known: NotRequired[bool]


class Parity(TypedDict):
    """The difference between groups, and `null`, its mean when groups are shuffled."""

    parity: Value
    interval: Bounds
    null: Value


class Difference(TypedDict):
    """The change after − before of everything measured, paired by question; older files have fewer metrics."""

    accuracy_sampled: ByView
    accuracy_greedy: ByView
    accuracy_readable: NotRequired[ByView]
    learnt: NotRequired[ByView]
    corrupted: NotRequired[ByView]
    majority: NotRequired[ByView]
    agreement_greedy: Value
    agreement_sampled: NotRequired[Value]
    incoherence: NotRequired[Value]
    incoherence_bias: NotRequired[Value]
    incoherence_corrected: NotRequired[Value]
    incoherence_euclidean: NotRequired[Value]
    entropy: NotRequired[Value]
    gini: NotRequired[Value]
    distinct: NotRequired[Value]
    unread: Value
    truncated: NotRequired[Value]
    intervals: dict[str, Bounds]
    consensus: dict[str, Mean]
    pass_at_k: NotRequired[dict[str, ByView]]
    majority_at_k: NotRequired[dict[str, ByView]]
    spread: NotRequired[dict[str, ByView]]
    questions: int
    views: list[str]


class Summary(Difference):
    """Everything measured of one model."""

    samples: int
    dominant_share: NotRequired[Value]
    pooled_entropy: NotRequired[Value]
    limits: NotRequired[dict[str, Limit]]
    parity: NotRequired[Parity | None]
    outcomes: NotRequired[dict[str, int]]


class Training(TypedDict, total=False):
    """Facts about the training."""

    game: str | None
    steps: int | None
    completions: int | None
    reference_completions: int
    seconds: Value
    stopped: str | None
    restored_step: int | None
    consensus_kept: dict[str, Value]
    multipliers: dict[str, Value]


class Approach(TypedDict):
    """Estimates of the distance to the equilibrium at `beta`, each with its null (`alft.evaluation.approach`)."""

    beta: float
    distance_before: float
    distance: float
    distance_null: float
    gap: float
    gap_null: float
    samples: float
    played_beta: NotRequired[float]
    questions: NotRequired[int]
    samples_of_reference: NotRequired[float]
    multipliers: NotRequired[dict[str, float]]


class Results(TypedDict):
    """The content of results.json: the model `before` and `after`, and at the stop of a run that went wrong.

    `solution`: of an offline run, what `alft solve --summary` writes: the equilibrium that it was trained towards.
    """

    before: Summary
    after: Summary
    difference: Difference
    training: NotRequired[Training]
    approach: NotRequired[Approach | None]
    at_stop: NotRequired[Summary]
    solution: NotRequired[dict[str, Any]]
