"""Shapes and types in annotations are checked at run time while testing."""

import importlib.metadata
import os
from functools import cache

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from hypothesis import settings

from tests.checked_types import check_types

check_types("alft")
for name in ("metadata", "version"):  # accelerate asks the disk at every step whether peft is installed
    setattr(importlib.metadata, name, cache(getattr(importlib.metadata, name)))
settings.register_profile("busy machine", deadline=None)  # a law is not broken by a slow moment
settings.load_profile("busy machine")

from tests.serving import served  # noqa: E402, F401  (a fixture of the whole suite)
