import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.config.evaluation import EqualCountBucketSettings, FixedBucketSettings
from seq2seq.scoring.buckets import EVERYTHING, Bucket, build_buckets, equal_count_buckets, fixed_buckets, source_words


def test_edges_are_inclusive_and_the_last_is_open():
    assert fixed_buckets([10, 20]) == (Bucket(1, 10), Bucket(11, 20), Bucket(21, None))
    assert [str(bucket) for bucket in fixed_buckets([10, 20])] == ["1-10", "11-20", "21+"]
    assert Bucket(11, 20).holds(np.array([10, 11, 20, 21])).tolist() == [False, True, True, False]


def test_words_are_whitespace_tokens_of_the_raw_line():
    assert source_words(["Das ist, gut.", "", "  a\tb  "]).tolist() == [3, 0, 2]


def test_everything_holds_the_empty_line_too():
    assert EVERYTHING.holds(np.array([0, 1, 99])).all()


def test_buckets_without_a_sentence_are_left_out():
    assert build_buckets(FixedBucketSettings(edges=(10, 20)), np.array([3, 25])) == (Bucket(1, 10), Bucket(21))


def test_equal_counts_on_distinct_lengths():
    lengths = np.arange(1, 61)
    buckets = build_buckets(EqualCountBucketSettings(count=6), lengths)
    assert [int(bucket.holds(lengths).sum()) for bucket in buckets] == [10] * 6


@given(st.lists(st.integers(1, 40), min_size=1, max_size=200), st.integers(1, 12))
def test_equal_count_buckets_part_the_sentences(lengths, count):
    lengths = np.array(lengths)
    buckets = equal_count_buckets(lengths, count)
    assert np.sum([bucket.holds(lengths) for bucket in buckets], axis=0).tolist() == [1] * len(lengths)
    assert len(buckets) <= count
    largest_tie = max(np.bincount(lengths))
    assert all(bucket.holds(lengths).sum() <= len(lengths) / count + largest_tie + 1 for bucket in buckets)


@pytest.mark.parametrize("lengths", [[], [7, 7, 7]])
def test_one_length_makes_one_bucket(lengths):
    assert equal_count_buckets(np.array(lengths, dtype=np.int64), 4) == (Bucket(1, None),)
