"""What can be known to be wrong with questions, views and configuration without a model."""

from alft.validation.report import Report, validate_config, validate_questions
from alft.validation.summary import Summary

__all__ = ["Report", "Summary", "validate_config", "validate_questions"]
