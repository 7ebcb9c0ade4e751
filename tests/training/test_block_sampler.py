import numpy as np
import pytest

from alft.errors import ConfigError
from alft.training.block_sampler import BatchShape, BlockSampler, Order, blocks_of

IDS = ["q1", "q1", "q2", "q2", "q3", "q3", "q4", "q4", "q5", "q5"]


def sampler(rows=4, samples=3, repeats=2, seed=0, epoch=0):
    return BlockSampler(blocks_of(IDS), BatchShape(rows, samples, repeats), Order(seed, lambda: epoch))


def test_a_batch_holds_whole_questions_with_samples_in_a_row():
    order = np.array(list(sampler())).reshape(2, 2, 2, 2, 3)  # batch, repeat, question, view, sample
    assert (order == order[..., :1]).all()
    assert (order[..., 1, 0] == order[..., 0, 0] + 1).all()
    assert (order[..., 0, 0] % 2 == 0).all()
    assert (order[:, 0] == order[:, 1]).all()


def test_length_is_the_number_of_indices():
    assert len(sampler()) == len(list(sampler())) == 2 * 2 * 4 * 3


def test_order_is_a_pure_function_of_seed_and_epoch():
    first = sampler(epoch=1)
    assert list(first) == list(first) == list(sampler(epoch=1))  # iterating leaves no trace
    assert list(sampler(epoch=1)) != list(sampler(epoch=0)) != list(sampler(seed=1))


def test_without_an_order_questions_come_as_given():
    plain = BlockSampler(blocks_of(IDS), BatchShape(rows=4, samples=1))
    assert list(plain) == list(range(8))


def test_every_question_is_seen_within_a_few_epochs():
    assert set().union(*(sampler(epoch=epoch) for epoch in range(6))) == set(range(len(IDS)))


def test_a_batch_that_cuts_questions_names_the_nearest_that_fit():
    with pytest.raises(ConfigError, match="nearest values that fit are 6 or 12"):
        sampler(rows=3)


def test_too_few_questions_for_a_batch():
    with pytest.raises(ConfigError, match="5 questions do not fill one batch of 6"):
        sampler(rows=12)


def test_questions_with_more_views_are_asked_in_some_of_them_and_in_all_over_epochs():
    ids = ["a"] * 3 + ["b"] * 2 + ["c"] * 4 + ["d"] * 2
    seen: set[int] = set()
    for epoch in range(12):
        one = BlockSampler(blocks_of(ids), BatchShape(4, 3, 2), Order(0, lambda epoch=epoch: epoch))
        order = np.array(list(one)).reshape(2, 2, 2, 2, 3)[:, 0, ..., 0]  # batch, question, view
        assert sorted(ids[block[0]] for batch in order for block in batch) == ["a", "b", "c", "d"]
        assert all(ids[first] == ids[second] and first < second for batch in order for first, second in batch)
        seen |= set(order.ravel().tolist())
    assert seen == set(range(len(ids)))


def test_more_views_than_a_question_has():
    with pytest.raises(ConfigError, match="3 views a question are wanted, and a question has 2"):
        BlockSampler(blocks_of(IDS), BatchShape(6, 3), views=3)
