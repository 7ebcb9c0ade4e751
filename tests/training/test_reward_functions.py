"""The plain reward callable gives what the core gives, in any order of rows."""

import numpy as np
import pytest

from alft.counts import encode
from alft.games import NAMED
from alft.rewards import Scoring, score
from alft.training import reward_functions


def test_rewards_equal_the_core_whatever_the_order_of_rows():
    keys = [[["7", "7", None], ["7", "8", "8"]], [["1", "2", "3"], ["1", "1", "1"]]]
    codes, _ = encode(keys)
    expected = score(codes, np.full(2, 0.5), Scoring(NAMED["coherence_geometric"]())).rewards.reshape(-1)
    rows = [
        (f"q{q}", v, "no answer" if key is None else f"so #### {key}")
        for q, views in enumerate(keys)
        for v, samples in enumerate(views)
        for key in samples
    ]
    order = np.random.default_rng(0).permutation(len(rows))
    rewards = reward_functions.coherence_geometric(
        completions=[[{"role": "assistant", "content": rows[i][2]}] for i in order],
        question_id=[rows[i][0] for i in order],
        view=[rows[i][1] for i in order],
        prompts=[""] * len(rows),
    )
    assert [np.nan if r is None else r for r in rewards] == pytest.approx(expected[order], nan_ok=True)
    assert rewards.count(None) == 1


def test_a_batch_that_cuts_a_question_says_so():
    with pytest.raises(ValueError, match="does not hold every view of its questions"):
        reward_functions.majority(completions=["#### 1"] * 3, question_id=["a", "a", "b"], view=[0, 1, 0])
