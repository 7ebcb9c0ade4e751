"""What a report needs of a results.json, which may be from anywhere: checked before anything is shown of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from alft.errors import DataError, NoRunError, Problem
from alft.evaluation.text import METRICS

Value = Annotated[float, Field(allow_inf_nan=False)] | None
Bounds = Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=2, max_length=2)] | None
SHOWN = 5  # problems that are listed


class _Part(BaseModel):
    """Anything else is kept, and not shown."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Mean(_Part):
    mean: Value
    interval: Bounds


class _ByView(_Mean):
    by_view: dict[str, Value]
    interval_by_view: dict[str, Bounds]


class _Limit(_Mean):
    at_most: Value
    violation: Value


class _Parity(_Part):
    parity: Value
    interval: Bounds
    null: Value


class _Change(_Part):
    accuracy_sampled: _ByView
    accuracy_greedy: _ByView
    agreement_greedy: Value
    intervals: dict[str, Bounds]
    consensus: dict[str, _Mean]
    pass_at_k: dict[str, _ByView] = {}
    majority_at_k: dict[str, _ByView] = {}

    @model_validator(mode="after")
    def _numbers(self) -> _Change:
        for name in METRICS.keys() & (self.__pydantic_extra__ or {}).keys():
            value = (self.__pydantic_extra__ or {})[name]
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise ValueError(f"{name} is no number")
        return self


class _Summary(_Change):
    views: list[str]
    questions: int
    samples: int
    unread: Value
    limits: dict[str, _Limit] = {}
    parity: _Parity | None = None


class _Training(_Part):
    game: str | None = None
    steps: int | None = None
    completions: int | None = None
    seconds: Value = None
    stopped: str | None = None
    restored_step: int | None = None
    consensus_kept: dict[str, Value] = {}


class _Approach(_Part):
    beta: float
    distance_before: float
    distance: float
    distance_null: float
    gap: float
    gap_null: float
    samples: float


class _Results(_Part):
    before: _Summary
    after: _Summary
    difference: _Change
    training: _Training = _Training()
    approach: _Approach | None = None


def check_results(results: Any, path: Path) -> Mapping[str, Any]:
    """The content of a results.json, unchanged.

    Raises NoRunError for those of a measurement, DataError with what keeps any other from being shown.
    """
    if isinstance(results, Mapping) and "after" not in results:
        told = "is a measurement without training, no run"
        raise NoRunError(Problem(str(path.parent), told, "compare measurements by `alft evaluate A B`"))
    try:
        _Results.model_validate(results)
    except ValidationError as error:
        places = [".".join(map(str, one["loc"])) or "the whole" for one in error.errors()[:SHOWN]]
        told = f"is no result of a run, at {', '.join(places)}"
        raise DataError(Problem(str(path), told, "restore the file, or run again")) from None
    return results
