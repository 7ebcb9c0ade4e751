import numpy as np
import pytest

from alft.errors import ConfigError
from alft.training.block_sampler import BatchShape, BlockSampler, blocks_of

IDS = ["q1", "q1", "q2", "q2", "q3", "q3", "q4", "q4", "q5", "q5"]


def sampler(rows=4, samples=3, repeats=2, seed=0, ids=IDS):
    return BlockSampler(blocks_of(ids), BatchShape(rows, samples, repeats), shuffle=True, seed=seed)


def test_a_batch_holds_whole_questions_with_samples_in_a_row():
    order = np.array(list(sampler())).reshape(2, 2, 2, 2, 3)  # batch, repeat, question, view, sample
    assert (order == order[..., :1]).all()
    assert (order[..., 1, 0] == order[..., 0, 0] + 1).all()
    assert (order[..., 0, 0] % 2 == 0).all()
    assert (order[:, 0] == order[:, 1]).all()


def test_length_is_the_number_of_indices():
    assert len(sampler()) == len(list(sampler())) == 2 * 2 * 4 * 3


def test_order_is_a_pure_function_of_seed_and_epoch():
    first, second = sampler(), sampler()
    list(first)  # iterating leaves no trace
    first.set_epoch(1)
    second.set_epoch(1)
    assert list(first) == list(second)
    second.set_epoch(0)
    assert list(first) != list(second)
    assert list(sampler(seed=1)) != list(sampler(seed=0))


def test_every_question_is_seen_within_a_few_epochs():
    seen = set()
    one = sampler()
    for epoch in range(6):
        one.set_epoch(epoch)
        seen |= set(one)
    assert seen == set(range(len(IDS)))


def test_a_batch_that_cuts_questions_names_the_nearest_that_fit():
    with pytest.raises(ConfigError, match="nearest values that fit are 6 or 12"):
        sampler(rows=3)


def test_too_few_questions_for_a_batch():
    with pytest.raises(ConfigError, match="5 questions do not fill one batch of 6"):
        sampler(rows=12)


def test_views_must_be_as_many_for_every_question():
    with pytest.raises(ConfigError, match=r"different numbers of views: \[1, 2\]"):
        blocks_of(["a", "a", "b"])
