"""A user's own Python, named in a configuration as `path/to/file.py:Name`: a game, or a flag.

The file is executed. So it is taken only from what the user wrote (the configuration or `--set`), never from
data, a model or a run directory, and never searched for.
"""

import difflib
import hashlib
import re
import sys
import traceback
from functools import lru_cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from alft.errors import ConfigError, Problem

NAMED_CODE = re.compile(r"(?P<path>.+\.py):(?P<name>[A-Za-z_]\w*)")


def names_code(text: str) -> bool:
    """Whether a text has the form of a user's own Python.

    >>> names_code("my/game.py:Quiet"), names_code("coherence_geometric")
    (True, False)
    """
    return NAMED_CODE.fullmatch(text) is not None


def code_path(text: str) -> Path:
    """The file of `path.py:Name`; ValueError for a text that has not this form.

    >>> code_path("my games/game.py:Quiet").as_posix()
    'my games/game.py'
    """
    found = NAMED_CODE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not of the form path.py:Name")
    return Path(found["path"]).expanduser()


def load_code(text: str, where: str) -> Any:
    """What `path.py:Name` names. `where` says in errors which setting named it.

    Raises ConfigError if there is no such file, it fails when it is run, or it defines no such name.
    """
    if not names_code(text):
        raise ConfigError(Problem(where, f"{text!r} is not of the form path.py:Name"))
    path, name = code_path(text), text.rpartition(":")[2]
    if not path.is_file():
        raise ConfigError(Problem(where, f"there is no file {str(path)!r} in {Path.cwd()}", "check the path"))
    try:
        module = _execute(path.resolve())
    except (Exception, SystemExit) as error:
        raise ConfigError(_failure(path.resolve(), where, error)) from error
    if not hasattr(module, name):
        close = difflib.get_close_matches(name, [each for each in vars(module) if not each.startswith("_")], n=1)
        remedy = f"did you mean {close[0]!r}?" if close else ""
        raise ConfigError(Problem(where, f"{path} defines no {name!r}", remedy))
    return getattr(module, name)


@lru_cache(maxsize=32)
def _execute(path: Path) -> ModuleType:
    """The module of a file, which is run once, whatever names it."""
    name = f"alft_user_code_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _failure(path: Path, where: str, error: BaseException) -> Problem:
    """Why a file can't be run, and in which of ITS lines, whatever library failed there."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    what, line, remedy = str(error), lines[-1] if lines else None, "fix the file"
    if isinstance(error, SyntaxError) and not lines:  # nothing of the file was run
        what, line = error.msg, error.lineno
    beside = path.parent / str(getattr(error, "name", None)).partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and (beside.is_dir() or Path(f"{beside}.py").is_file()):
        alone = "a file is run alone and finds no file beside it"
        remedy = f"{alone}: put both in one, or set PYTHONPATH={path.parent}"
    place = f"{path}:{line}" if line else str(path)
    return Problem(where, f"{place} fails: {type(error).__name__}: {what}", remedy)
