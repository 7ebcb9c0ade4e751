"""Shapes and types in annotations are checked at run time while testing."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from hypothesis import settings

from tests.checked_types import check_types

check_types("alft")
settings.register_profile("busy machine", deadline=None)  # a law is not broken by a slow moment
settings.load_profile("busy machine")

from tests.serving import served  # noqa: E402, F401  (a fixture of the whole suite)
