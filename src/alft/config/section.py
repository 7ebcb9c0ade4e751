"""What every part of a configuration has in common."""

from collections.abc import Callable
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0)]
NonNegative = Annotated[int, Field(ge=0)]
Many = Annotated[int, Field(gt=0, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
AboveZero = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


def setting(default: Any, description: str) -> Any:
    """A field with its default, and what documentation says of it."""
    return Field(default=default, description=description)


def checked(check: Callable[[str], object]) -> AfterValidator:
    """A validator of a text by a function that raises ValueError for a wrong one."""

    def same(text: str) -> str:
        check(text)
        return text

    return AfterValidator(same)


class Section(BaseModel):
    """Base of every part of a configuration: strict types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def section_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a field of this type holds, also in a list of them, or where there may be none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := section_in(part)) is not None), None)
