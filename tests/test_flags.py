"""Flags of limits: by answer, by expression, and by a user's function that may be hostile."""

import logging
import time

import numpy as np
import pytest

from alft.completions import Completion
from alft.errors import ConfigError
from alft.rewards.costs import FAILED_FEWEST, WINDOW, FlagError, OwnFlag, code_flag, key_flag, regex_flag
from alft.rewards.populations import Limit


@pytest.fixture
def own(tmp_path):
    def write(body):
        path = tmp_path / "own.py"
        path.write_text(f"def cost(text, key):\n    {body}\n")
        return f"{path}:cost"

    return write


def test_a_key_flag_compares_answers_not_texts():
    flag = key_flag(["1,000", "½"], "here")
    assert [flag(Completion("", key=key)) for key in ("1000", "1/2", "7")] == [1.0, 1.0, 0.0]
    assert np.isnan(flag(Completion("1000", key=None)))
    with pytest.raises(ConfigError, match=r"constraints\[0\]\.key: nothing can be read in the answer ''"):
        key_flag(["7", ""], "constraints[0].key")


def test_a_regex_flag_searches_the_text_up_to_its_window():
    flag = regex_flag("sorry", "here")
    assert [flag(Completion(text)) for text in ("so sorry", "fine", " " * WINDOW + "sorry")] == [1.0, 0.0, 0.0]
    with pytest.raises(ConfigError, match=r"constraints\[1\]\.regex"):
        regex_flag("(", "constraints[1].regex")


def test_a_regex_flag_is_bounded_on_a_completion_as_long_as_its_window():
    """What is bearable at the end of a completion is not in all of it."""
    with pytest.raises(ConfigError, match=r"here: may take 1e\+12 steps.* in 20,000 characters"):
        regex_flag("step.*answer.*not sure", "here")
    flag = regex_flag("step.{0,90}answer.{0,90}not sure", "here")
    start = time.process_time()
    assert flag(Completion("step answer " * 2000)) == 0.0
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("return len(text)", [3.0, 0.0]),
        ("return key is None", [0.0, 1.0]),
        ("return None if key is None else 0.5", [0.5, np.nan]),
    ],
)
def test_a_users_function_gives_a_cost_or_no_say(own, body, wanted):
    flag = code_flag(own(body), "here")
    assert [flag(Completion("abc", key="7")), flag(Completion("", key=None))] == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return float('inf')", "inf is no cost"),
        ("return float('nan')", "nan is no cost"),
        ("return -1e30", "-1e+30 is no cost"),
        ("return 'yes'", "'yes' is no cost"),
        ("return len(key.strip())", "AttributeError: 'NoneType' object has no attribute 'strip'"),
        ("raise SystemError", "SystemError"),
    ],
)
def test_a_function_that_fails_is_told_before_a_model_is_loaded(own, body, told):
    with pytest.raises(ConfigError) as error:
        code_flag(own(body), "constraints[0].function")
    assert str(error.value).startswith("constraints[0].function: ")
    assert told in str(error.value)


def test_what_is_no_function_is_told(tmp_path):
    (tmp_path / "own.py").write_text("cost = 3\n")
    with pytest.raises(ConfigError, match="is no function"):
        code_flag(f"{tmp_path / 'own.py'}:cost", "here")


def test_a_failure_now_and_then_is_no_say_and_told_once(own, caplog):
    flag = code_flag(own("return 1 / len(text) if key else 0"), "here")
    batch = [Completion("ab", key="7")] * 50 + [Completion("", key="7")] * 2
    limit = Limit("own", flag, 0.1)
    with caplog.at_level(logging.WARNING):
        limit.learn(batch)
    assert limit.running == pytest.approx(0.5)
    assert np.isnan(limit.rewards(batch)[50:]).all()
    assert len(caplog.records) == 1
    assert "ZeroDivisionError" in caplog.text
    assert "left out" in caplog.text


def test_a_function_that_fails_too_often_ends_the_run():
    """A limit without a say would look kept."""
    flag = OwnFlag(lambda text, key: int(text), "own.py:cost")
    for _ in range(FAILED_FEWEST - 1):
        assert np.isnan(flag(Completion("x")))
    with pytest.raises(FlagError, match=rf"fails on {FAILED_FEWEST} of {FAILED_FEWEST} completions"):
        flag(Completion("x"))
    rare = OwnFlag(lambda text, key: int(text), "own.py:cost")
    told = [rare(Completion("x" if i % 40 == 0 else "1")) for i in range(2000)]
    assert np.isnan(told).sum() == 50
