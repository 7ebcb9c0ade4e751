"""Fixtures of tests that read whole runs."""

from tests.training.conftest import tiny_model  # noqa: F401  (a fixture)
