"""What every part of a configuration has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of every part of a configuration: strict types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
