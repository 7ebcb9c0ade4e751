from tests.training.conftest import tiny_model  # noqa: F401  (a fixture of these tests too)
