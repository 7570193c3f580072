import numpy as np
import pytest

from seq2seq.scoring.bottleneck import FLOOR, at_floor, slope, slope_counts

LENGTHS = np.array([3, 8, 15, 22, 40, 61])


def test_slope_is_numpys_least_squares_per_ten_words():
    scores = np.random.default_rng(0).normal(size=6)
    ours = slope(slope_counts(LENGTHS, scores).sum(axis=0))
    assert ours == pytest.approx(10 * np.polyfit(LENGTHS, scores, 1)[0])


def test_a_gap_of_one_size_has_no_slope():
    falling = 80.0 - LENGTHS
    gap = slope(slope_counts(LENGTHS, falling + 25).sum(0)) - slope(slope_counts(LENGTHS, falling).sum(0))
    assert gap == pytest.approx(0, abs=1e-9)


def test_a_fall_of_two_points_per_ten_words_is_two():
    assert slope(slope_counts(LENGTHS, 50 - 0.2 * LENGTHS).sum(0)) == pytest.approx(-2)


def test_sentences_of_one_length_have_no_slope():
    assert slope(slope_counts(np.full(5, 7), np.arange(5.0)).sum(0)) == 0


def test_a_baseline_is_at_the_floor_when_most_buckets_are():
    assert at_floor([8.7, 4.7, 3.5, 1.9, 1.6, 1.4])
    assert not at_floor([30.9, 26.8, 1.0])
    assert not at_floor([20.0, 1.0])  # half is not more than half
    assert not at_floor([FLOOR, FLOOR])
