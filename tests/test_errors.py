"""Errors cross process boundaries: each can be pickled with everything it holds."""

import importlib
import pickle
import pkgutil

import numpy as np

import alft
from alft.config.load import PartlyReadError
from alft.config.schema import RunConfig
from alft.errors import AlftError, Problem, RunInterrupted
from alft.storage.files import not_found, unreadable
from alft.tabular import NoEquilibriumError

MORE = {PartlyReadError: (RunConfig(), frozenset({"game"})), RunInterrupted: (15,)}
PROBLEM = Problem("data.jsonl:3", "has no answer", "add one")


def _error_types():
    for module in pkgutil.walk_packages(alft.__path__, "alft."):
        apart = ("alft.models.", "alft.cli.", "alft.verl.engine")  # the last needs verl
        if not module.name.endswith("__main__") and not module.name.startswith(apart):
            importlib.import_module(module.name)
    found = [AlftError]
    for kind in found:
        found += [sub for sub in kind.__subclasses__() if sub not in found and sub.__module__.startswith("alft.")]
    return found


def test_every_error_can_be_pickled():
    kinds = _error_types()
    assert len(kinds) > 10
    for kind in kinds:
        problems = [PROBLEM] if kind is PartlyReadError else PROBLEM
        error = kind(problems, *MORE.get(kind, ()))
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is kind
        assert str(copy) == str(error) == str(PROBLEM)
        assert vars(copy) == vars(error)


def test_an_error_about_an_equilibrium_can_be_pickled():
    error = NoEquilibriumError("the objective is −∞", np.array([2, 5]))
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.cause, copy.questions.tolist()) == (error.cause, [2, 5])
    assert str(copy) == str(error) == "the objective is −∞, for questions [2, 5]"


def test_a_path_that_leads_nowhere_is_shown_whole_with_the_nearest_name_there(tmp_path, monkeypatch):
    (tmp_path / "views.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    found = str(not_found("view.jsonl", "no such file", "look again"))
    assert found == f"view.jsonl: no such file in {tmp_path} — did you mean 'views.jsonl'?"
    assert str(not_found("a/b.csv", "no such file", "look again", "data.path")) == (
        f"data.path: no such file (there is no directory {tmp_path / 'a'}) — look again"
    )
    assert str(unreadable("x", PermissionError(13, "Permission denied"), "ask")) == (
        "x: can't be read: Permission denied — ask"
    )
