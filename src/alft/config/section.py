"""What every part of a configuration has in common."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of every part of a configuration: strict types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def section_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a field of this type holds, also in a list of them, or where there may be none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := section_in(part)) is not None), None)
