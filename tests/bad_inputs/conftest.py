"""The random language model of tests/training, for what happens in training."""

from tests.training.conftest import tiny_model  # noqa: F401  (a fixture)
