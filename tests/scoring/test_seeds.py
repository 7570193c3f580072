"""Seed variance that systems lend to each other."""

import numpy as np
import pytest

from seq2seq.scoring.seeds import MOST_PRIOR, moderate, satterthwaite, shared_correlation


def test_variances_that_agree_are_pooled_and_a_single_seed_gets_the_pool():
    variances, freedoms = moderate(np.array([1.0, 2.0, 1.5, 0.0]), np.array([2.0, 2.0, 2.0, 0.0]))
    assert variances == pytest.approx([(4 * 1.5 + 2 * own) / 6 for own in (1, 2, 1.5)] + [1.5])
    assert freedoms == pytest.approx([6, 6, 6, MOST_PRIOR])


def test_variances_that_disagree_stay_with_their_systems():
    variances, freedoms = moderate(np.array([1e-4, 1.0, 1e4, 0.0]), np.array([2.0, 2.0, 2.0, 0.0]))
    assert freedoms[3] == 2  # nobody can tell what a fourth system would have, so it gets the most cautious guess
    assert variances[3] == pytest.approx((1e-4 + 1 + 1e4) / 3)
    assert freedoms[0] < 3
    assert variances[2] > 8000


def test_nobody_lends_alone_and_nobody_has_more_freedom_than_all():
    assert [each.tolist() for each in moderate(np.array([4.0, 0.0]), np.array([2.0, 0.0]))] == [[4, 0], [2, 0]]
    assert moderate(np.zeros(2), np.zeros(2))[1].tolist() == [0, 0]
    assert moderate(np.array([1.0, 1.0]), np.array([1.0, 1.0]))[1].tolist() == [2, 2]
    assert [each.tolist() for each in moderate(np.zeros(3), np.full(3, 2.0))] == [[0, 0, 0], [6, 6, 6]]


def test_correlation_by_hand_is_one_standard_error_to_each_side():
    together = np.array([[1.0, 2, 3], [10, 20, 30], [5, 6, 7]])
    error = (2 / (3 * 2 * 2)) ** 0.5
    assert shared_correlation(together) == pytest.approx((1 - error, 1))
    assert shared_correlation(np.array([[1.0, 2, 3], [3, 2, 1]])) == (0, 0)
    assert shared_correlation(np.array([[1.0, 2, 3]])) == (0, 1)


def test_satterthwaite_by_hand():
    assert satterthwaite([(1.0, 2.0), (1.0, 2.0)]) == pytest.approx(4)
    assert satterthwaite([(2.0, 3.0), (0.0, 1.0)]) == pytest.approx(3)
    assert np.isinf(satterthwaite([]))
