"""Text of one side: hidden tokens, sentences two by two, and the pairs that are parallel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.config.data import DataSettings, TokenizerSettings
from seq2seq.config.errors import UserError
from seq2seq.config.training import MaskedSettings
from seq2seq.corpus.batching import Batches, collate
from seq2seq.corpus.encoded import EncodedSplit, TokenArrays
from seq2seq.corpus.monolingual import FOLLOWS, STRANGE, MaskedText, text_of_sources, text_of_targets
from seq2seq.corpus.prepare import prepare
from seq2seq.corpus.tokenizer import BOS, EOS, PAD, UNK
from seq2seq.run.update import halves

V = 50


def split_of(lengths, reverse=False):
    """Sources 10, 11 ... and targets 40, 39 ... of these lengths."""
    sides = [[[start + sign * i for i in range(length)] for length in lengths] for start, sign in ((10, 1), (40, -1))]
    return EncodedSplit(*(TokenArrays.from_lists(side) for side in sides), [], reverse_source=reverse)


def masked(lengths, reverse=False, most=256, **options):
    text = text_of_sources(split_of(lengths, reverse))
    return text, MaskedText(text, MaskedSettings(**options), vocabulary_size=V, max_tokens=most)


@settings(max_examples=30)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=20), share=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_what_is_to_be_predicted_is_what_stood_there(lengths, share, seed):
    text, hider = masked(lengths, mask_share=share)
    examples = hider.examples(np.random.default_rng(seed))
    for i, length in enumerate(lengths):
        original, shown, wanted = text.source_tokens(i), examples.source_tokens(i), examples.target_tokens(i)
        asked = [place for place, token in enumerate(wanted) if token != PAD]
        assert len(original) == len(shown) == length
        assert examples.predictions[i] == len(asked) >= 1
        assert all(wanted[place] == original[place] for place in asked)
        assert all(shown[place] == original[place] for place in range(length) if place not in asked)
        assert all(token == UNK or EOS < token < V for token in shown)


def test_shares_are_those_of_the_paper():
    text, hider = masked([40] * 2000, mask_share=0.15)
    examples = hider.examples(np.random.default_rng(1))
    before, shown, wanted = (side.tokens for side in (text.source_arrays, examples.source_arrays, examples.target_arrays))
    asked = wanted != PAD
    assert asked.mean() == pytest.approx(0.15, abs=0.005)
    assert (shown[asked] == UNK).mean() == pytest.approx(0.8, abs=0.02)
    assert (shown[asked] == before[asked]).mean() == pytest.approx(0.1 + 0.1 / (V - EOS - 1), abs=0.02)


def test_parts_of_a_batch_ask_for_the_tokens_that_the_whole_asks_for():
    """As when memory runs out: hidden tokens stand anywhere, so their number says nothing of the columns."""
    (batch,) = Batches(split_of([9, 9, 7, 8]), batch_tokens=100, seed=1, joins=masked([9, 9, 7, 8])[1]).epoch(0)
    parts = halves(batch)
    assert len(parts) == 2
    assert torch.equal(torch.cat([part.targets[part.target_mask] for part in parts]), batch.targets[batch.target_mask])
    assert sum(part.target_tokens for part in parts) == batch.target_tokens


def test_a_batch_asks_for_hidden_tokens_alone_and_counts_all_that_it_reads():
    _, hider = masked([5, 2, 7, 4], mask_share=0.5)
    whole = Batches(split_of([5, 2, 7, 4]), batch_tokens=100, seed=1, joins=hider)
    (batch,) = whole.epoch(3)
    assert not np.isin(batch.targets[batch.target_mask], (PAD, EOS)).any()
    assert batch.global_tokens == 5 + 2 + 7 + 4 + 4
    assert batch.target_tokens == batch.global_target_tokens == int(whole.examples(3).predictions.sum()) < batch.global_tokens
    shards = [
        next(iter(Batches(split_of([5, 2, 7, 4]), batch_tokens=100, seed=1, joins=hider, rank=r, world=3).epoch(3)))
        for r in range(3)
    ]
    assert sum(shard.target_tokens for shard in shards) == batch.target_tokens
    assert {(shard.global_target_tokens, shard.global_tokens) for shard in shards} == {
        (batch.target_tokens, batch.global_tokens)
    }


def test_text_is_read_in_the_order_in_which_it_is_fed():
    text, _ = masked([2, 3], reverse=True)
    assert [text.source_tokens(i) for i in range(2)] == [[12, 11, 10], [11, 10]]
    assert (
        collate(text, np.array([0])).source.tolist() == collate(split_of([2, 3], reverse=True), np.array([1])).source.tolist()
    )


def test_targets_have_an_empty_source():
    batch = collate(text_of_targets(split_of([3, 1])), np.array([0, 1]))
    assert batch.source.tolist() == [[EOS], [EOS]]
    assert batch.inputs.tolist() == [[BOS, 40, 39, 38], [BOS, 40, PAD, PAD]]


def test_next_sentences_are_marked_where_the_first_ends():
    lengths = [1 + i % 7 for i in range(400)]
    examples = masked(lengths, next_sentence=True)[1].examples(np.random.default_rng(1))
    labels = []
    for i in range(len(examples)):
        end = examples.source_tokens(i).index(EOS)
        labels.append(examples.target_tokens(i)[end])
        assert end == lengths[2 * i]
        assert labels[-1] == STRANGE or len(examples.source_tokens(i)) - end - 1 == lengths[2 * i + 1]
    assert len(labels) == 200
    assert 0.4 < np.mean(np.array(labels) == FOLLOWS) < 0.6
    short = masked(lengths, next_sentence=True, most=9)[1].examples(np.random.default_rng(1))
    assert 0 < len(short) < 200
    assert max(short.source_lengths) == 9
    batch = collate(examples, np.arange(5))
    assert np.isin(batch.targets[batch.target_mask], (FOLLOWS, STRANGE)).sum() == 5
    with pytest.raises(UserError, match=r"no two sentences of the training text fit into data.max_tokens 2"):
        masked(lengths, next_sentence=True, most=2)[1].examples(np.random.default_rng(1))


def test_the_first_pairs_are_parallel_and_the_tokenizer_knows_them_all(toy, tmp_path, said):
    tokenizer = TokenizerSettings(vocabulary_size=340)
    whole = prepare(toy, tokenizer, report=said.append, cache=tmp_path)
    few = prepare(DataSettings(**{**toy.model_dump(), "parallel_pairs": 3}), tokenizer, report=said.append, cache=tmp_path)
    assert "train: 3 parallel pairs; of the others each side is text on its own" in said
    assert (len(few.train), len(few.monolingual)) == (3, len(whole.train))
    assert [few.train.pair(i) for i in range(3)] == [whole.train.pair(i) for i in range(3)]
    assert [few.train.source_tokens(i) for i in range(3)] == [whole.train.source_tokens(i) for i in range(3)]
    assert few.fingerprints["source_tokenizer"] == whole.fingerprints["source_tokenizer"]
    assert few.fingerprints["train"] != whole.fingerprints["train"]
    size = few.target_tokenizer.vocabulary_size
    assert few.train.target_counts(size).sum() == sum(few.train.target_lengths) + 3
    many = prepare(DataSettings(**{**toy.model_dump(), "parallel_pairs": 10**6}), tokenizer, report=said.append, cache=tmp_path)
    assert len(many.train) == len(whole.train)
