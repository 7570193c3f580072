"""Padded batches under a token budget."""

import threading
import time
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.corpus.batching import SOURCE_FACTOR, Batches, collate, evaluation_batches, prefetch
from seq2seq.corpus.encoded import EncodedSplit, TokenArrays
from seq2seq.corpus.pairs import SentencePair
from seq2seq.corpus.tokenizer import BOS, EOS, PAD


def split_of(lengths, *, reverse_source=False):
    """A split whose sentences have the given (source, target) lengths; piece values tell sentence and position."""
    sides = [[[4 + 100 * i + k for k in range(pair[side])] for i, pair in enumerate(lengths)] for side in (0, 1)]
    texts = [SentencePair("s", "t")] * len(lengths)
    source, target = (TokenArrays.from_lists(side) for side in sides)
    return EncodedSplit(source, target, texts, reverse_source=reverse_source)


def natural_split(number=20_000, seed=3):
    """Lengths as in a real corpus: log-normal, the target's about the source's."""
    random = np.random.default_rng(seed)
    source = np.clip(random.lognormal(2.7, 0.5, number), 1, 99).astype(int)
    target = np.clip(source * random.lognormal(0, 0.2, number), 1, 99).astype(int)
    return split_of(list(zip(source.tolist(), target.tolist(), strict=True)))


LENGTHS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=60)


def test_a_batch_by_hand():
    batch = collate(split_of([(2, 1), (1, 3)]), np.array([1, 0]))
    assert batch.source.tolist() == [[104, EOS, PAD], [4, 5, EOS]]
    assert batch.source_mask.tolist() == [[True, True, False], [True, True, True]]
    assert batch.inputs.tolist() == [[BOS, 104, 105, 106], [BOS, 4, PAD, PAD]]
    assert batch.targets.tolist() == [[104, 105, 106, EOS], [4, EOS, PAD, PAD]]
    assert batch.target_mask.tolist() == [[True] * 4, [True, True, False, False]]
    assert (batch.target_tokens, batch.global_target_tokens) == (6, 6)
    assert batch.source.dtype == batch.targets.dtype == torch.int64


def test_a_reversed_source_keeps_its_end_and_its_target():
    batch = collate(split_of([(3, 2), (1, 1)], reverse_source=True), np.array([0, 1]))
    assert batch.source.tolist() == [[6, 5, 4, EOS], [104, EOS, PAD, PAD]]
    assert batch.targets.tolist() == [[4, 5, EOS], [104, EOS, PAD]]


@given(lengths=LENGTHS, budget=st.integers(1, 60), seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_every_sentence_is_in_one_batch_within_the_budget(lengths, budget, seed, epoch):
    split = split_of(lengths)
    plan = Batches(split, batch_tokens=budget, seed=seed).plan(epoch)
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(lengths)))
    for rows in plan:
        assert len(rows) == 1 or (split.target_lengths[rows] + 1).sum() <= budget
        assert len(rows) == 1 or len(rows) * (split.source_lengths[rows].max() + 1) <= SOURCE_FACTOR * budget


@given(lengths=LENGTHS, budget=st.integers(1, 60), reverse=st.booleans())
def test_batches_hold_the_sentences_and_count_them(lengths, budget, reverse):
    split = split_of(lengths, reverse_source=reverse)
    for batch in Batches(split, batch_tokens=budget, seed=1).epoch(0):
        for row, i in enumerate(batch.indices):
            source = split.source_tokens(i)
            assert batch.source[row][batch.source_mask[row]].tolist() == (source[::-1] if reverse else source) + [EOS]
            assert batch.targets[row][batch.target_mask[row]].tolist() == [*split.target_tokens(i), EOS]
            assert batch.inputs[row][batch.target_mask[row]].tolist() == [BOS, *split.target_tokens(i)]
        assert (batch.source[~batch.source_mask] == PAD).all()
        assert (batch.targets[~batch.target_mask] == PAD).all()
        assert (batch.inputs[~batch.target_mask] == PAD).all()
        assert batch.target_tokens == int(batch.target_mask.sum())


@given(lengths=LENGTHS, budget=st.integers(1, 40), world=st.integers(1, 5))
def test_shards_make_up_the_same_global_batches(lengths, budget, world):
    split = split_of(lengths)
    whole = Batches(split, batch_tokens=budget, seed=2).epoch(1)
    shards = [Batches(split, batch_tokens=budget, seed=2, rank=r, world=world).epoch(1) for r in range(world)]
    for batch, *parts in zip(whole, *shards, strict=True):
        assert sorted(batch.indices.tolist()) == sorted(i for part in parts for i in part.indices.tolist())
        assert {part.global_target_tokens for part in parts} == {batch.target_tokens}
        assert sum(part.target_tokens for part in parts) == batch.target_tokens
        assert max(len(p.indices) for p in parts) - min(len(p.indices) for p in parts) <= 1


def test_an_empty_shard_is_a_batch_without_rows():
    batch = Batches(split_of([(3, 3)]), batch_tokens=9, seed=1, rank=1, world=2).epoch(0)
    assert [tuple(b.source.shape) for b in batch] == [(0, 1)]


def test_the_order_is_a_pure_function_of_seed_and_epoch():
    split = natural_split(2000)

    def order(seed, epoch):
        return [rows.tolist() for rows in Batches(split, batch_tokens=512, seed=seed).plan(epoch)]

    assert order(1, 0) == order(1, 0)
    assert len({str(order(*key)) for key in ((1, 0), (1, 1), (2, 0), (2, 1))}) == 4


def test_the_middle_of_an_epoch_is_one_integer():
    batches = Batches(natural_split(2000), batch_tokens=512, seed=1)
    whole = [batch.indices.tolist() for batch in batches.epoch(3)]
    assert [batch.indices.tolist() for batch in batches.epoch(3, start=17)] == whole[17:]
    assert list(batches.epoch(3, start=len(whole))) == []


def test_little_is_padding_and_batches_are_nearly_full():
    split = natural_split(30_000)
    batches = Batches(split, batch_tokens=4096, seed=1)
    source, target = split.source_lengths + 1, split.target_lengths + 1
    padded = sum(len(rows) * (int(source[rows].max()) + int(target[rows].max())) for rows in batches.plan(0))
    assert int(source.sum() + target.sum()) > 0.94 * padded
    tokens = sorted(int((split.target_lengths[rows] + 1).sum()) for rows in batches.plan(0))
    assert tokens[2] > 0.95 * 4096


def test_neighbours_differ_from_epoch_to_epoch():
    split = natural_split(5000)
    first, second = (Batches(split, batch_tokens=1024, seed=1).plan(epoch) for epoch in (0, 1))
    together = {frozenset(rows.tolist()) for rows in first} & {frozenset(rows.tolist()) for rows in second}
    assert len(together) < 0.05 * len(first)
    longest = [split.source_lengths[rows].max() for rows in first]
    assert abs(np.corrcoef(longest[:-1], longest[1:])[0, 1]) < 0.3


@given(lengths=LENGTHS, budget=st.integers(1, 60), data=st.data())
def test_evaluation_batches_hold_what_is_asked_for_longest_first(lengths, budget, data):
    split = split_of(lengths)
    chosen = data.draw(st.none() | st.lists(st.integers(0, len(lengths) - 1), unique=True))
    batches = list(evaluation_batches(split, budget, chosen))
    found = [int(i) for batch in batches for i in batch.indices]
    assert sorted(found) == sorted(range(len(lengths)) if chosen is None else chosen)
    assert [split.source_lengths[i] for i in found] == sorted((split.source_lengths[i] for i in found), reverse=True)
    for batch in batches:
        assert len(batch.indices) == 1 or max(batch.source.numel(), batch.targets.numel()) <= budget


def test_a_batch_moves_as_a_whole():
    batch = collate(split_of([(2, 1)]), np.array([0])).to(torch.device("meta"))
    assert {t.device.type for t in (batch.source, batch.source_mask, batch.inputs, batch.targets, batch.target_mask)} == {
        "meta"
    }
    assert batch.indices.tolist() == [0]


@given(items=st.lists(st.integers()), depth=st.integers(1, 5))
@settings(max_examples=30)
def test_prefetch_yields_the_same_in_order(items, depth):
    assert list(prefetch(items, depth)) == items


def test_prefetch_needs_no_thread(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert list(prefetch([3, 1, 2], 2)) == [3, 1, 2]


def test_prefetch_runs_ahead_no_further_than_its_depth():
    made = []

    def numbers():
        for i in range(100):
            made.append(i)
            yield i

    ahead = prefetch(numbers(), 3)
    assert next(ahead) == 0
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(made) == 4  # one taken, three waiting
    ahead.close()


def test_prefetch_hands_errors_over_at_their_place():
    def broken():
        yield 1
        raise KeyError("no more")

    ahead = prefetch(broken(), 2)
    assert next(ahead) == 1
    with pytest.raises(KeyError, match="no more"):
        next(ahead)


def test_closing_or_dropping_ends_the_thread():
    def threads():
        return [t for t in threading.enumerate() if t.name.startswith("prefetch")]

    ahead = prefetch(iter(range(1000)), 2)
    assert list(islice(ahead, 2)) == [0, 1]
    assert threads()
    ahead.close()
    assert not threads()
    dropped = prefetch(iter(range(1000)), 2)
    next(dropped)
    del dropped
    assert not threads()
    assert list(prefetch([1], 1)) == [1]
    assert not threads()
