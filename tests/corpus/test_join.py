"""Joined examples: a partition of the pairs in every epoch, fixed balanced sets to validate and test on, nothing encoded again."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.config.data import DataSettings, JoinSettings, TokenizerSettings
from seq2seq.config.languages import sentence_length
from seq2seq.corpus.batching import Batches
from seq2seq.corpus.encoded import EncodedSplit, TokenArrays
from seq2seq.corpus.join import TrainingJoins, balanced_groups, join_pairs
from seq2seq.corpus.pairs import SentencePair
from seq2seq.corpus.prepare import prepare
from seq2seq.corpus.tokenizer import EOS, Tokenizer

from .conftest import write_lines

TOKENIZER = TokenizerSettings(vocabulary_size=340)
JOIN = {"max_pairs": 3, "single_share": 0.4, "edges": [4, 8, 12], "per_bucket": 7}


def numbered(lengths):
    """A split of (source, target) lengths whose subwords are 100 i, 100 i + 1, ... on both sides of pair i."""
    sides = [[[100 * i + k for k in range(pair[side])] for i, pair in enumerate(lengths, start=1)] for side in (0, 1)]
    texts = [SentencePair(f"s{i}", f"t{i}") for i in range(1, len(lengths) + 1)]
    return EncodedSplit(*(TokenArrays.from_lists(side) for side in sides), texts)


def test_joining_joins_text_and_shifts_links():
    pairs = [SentencePair("a b", "x", ((0, 0), (1, 0))), SentencePair("c", "y z", ((0, 1),)), SentencePair("d", "w", ())]
    assert join_pairs(pairs) == SentencePair("a b c d", "x y z w", ((0, 0), (1, 0), (2, 2)))
    assert join_pairs(pairs[:1]) == pairs[0]
    assert join_pairs([pairs[0], SentencePair("e", "f")]).links is None


LINE = st.text(alphabet="ab é你🙂\u2581\u200bzA.,1", max_size=12)


@pytest.fixture(scope="module", params=[("bpe", True), ("unigram", True), ("bpe", False), ("unigram", False)], ids=str)
def tokenizer(request):
    kind, fallback = request.param
    lines = ["a b ab aab é ba", "abba bab zA. 1,1", "b a b a baab ab"] * 3
    size = 274 if fallback else 18
    return Tokenizer.train(lines, TokenizerSettings(kind=kind, vocabulary_size=size, byte_fallback=fallback))


@given(lines=st.lists(LINE, max_size=5))
def test_joining_subwords_is_joining_text_with_a_space(tokenizer, lines):
    assert tokenizer.encode(" ".join(lines)) == [piece for line in lines for piece in tokenizer.encode(line)]


@given(lines=st.lists(LINE, max_size=5))
def test_an_end_of_sentence_stands_between_the_segments_of_a_line(tokenizer, lines):
    segments = [pieces for pieces in map(tokenizer.encode, lines) if pieces]
    pieces = tokenizer.encode(JoinSettings(separator="source").between.join(lines))
    assert pieces == [piece for segment in segments for piece in [EOS, *segment]][1:]
    assert tokenizer.decode(pieces) == tokenizer.decode(tokenizer.encode(" ".join(lines)))


LENGTHS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=50)


@given(
    lengths=LENGTHS,
    most=st.integers(2, 6),
    share=st.floats(0, 1),
    limit=st.integers(1, 40),
    seed=st.integers(0, 3),
    separator=st.sampled_from([None, "source"]),
)
def test_every_pair_is_in_one_example_within_the_limits(lengths, most, share, limit, seed, separator):
    split, end = numbered(lengths), [EOS] if separator else []
    joins = TrainingJoins(split, JoinSettings(max_pairs=most, single_share=share, separator=separator), max_tokens=limit)
    examples = joins.examples(np.random.default_rng(seed))
    found = []
    for i in range(len(examples)):
        rows = [int(word[1:]) for word in examples.source(i).split()]
        assert examples.target(i) == " ".join(f"t{row}" for row in rows)
        ended = [piece for row in rows for piece in [*split.source_tokens(row - 1), *end]]
        assert [*examples.source_tokens(i), *end] == ended
        assert examples.target_tokens(i) == [piece for row in rows for piece in split.target_tokens(row - 1)]
        assert len(rows) <= most
        assert len(rows) == 1 or max(examples.source_lengths[i], examples.target_lengths[i]) <= limit
        found.append(rows)
    assert sorted(row for rows in found for row in rows) == list(range(1, len(lengths) + 1))
    assert sum(len(rows) == 1 for rows in found) >= round(share * len(lengths))


def test_single_pairs_have_their_share_and_the_other_numbers_are_equally_frequent():
    split = numbered([(1, 1)] * 20_000)
    examples = TrainingJoins(split, JoinSettings(max_pairs=6, single_share=0.5), max_tokens=256).examples(
        np.random.default_rng(1)
    )
    sizes = Counter(examples.target_lengths.tolist())
    assert sizes.pop(1) in (10_000, 10_001)  # one may be left over
    assert sorted(sizes) == [2, 3, 4, 5, 6]
    assert min(sizes.values()) > 0.85 * max(sizes.values())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_subwords_say_how_long_the_sentence_is_in_the_unit_of_its_language(language):
    tokenizer = Tokenizer.train(["ab abc b abcab", "c b a"] * 5, TokenizerSettings(vocabulary_size=268))
    lines = ["ab b abcab", "c", "", "xyz 你好 b", "né 🙂"]
    side = TokenArrays.from_lists(tokenizer.encode_batch(lines))
    lengths = tokenizer.lengths_of(side.tokens, side.offsets, language).tolist()
    assert lengths == [sentence_length(line, language) for line in lines]


def test_joins_of_a_language_without_spaces_are_limited_in_characters():
    lines = ["你好你好", "好你", "你", "好好好"] * 50
    tokenizer = Tokenizer.train(lines, TokenizerSettings(vocabulary_size=266))
    arrays = TokenArrays.from_lists(tokenizer.encode_batch(lines))
    split = EncodedSplit(arrays, arrays, [SentencePair(line, line) for line in lines])
    joins = TrainingJoins(
        split, JoinSettings(max_pairs=4, single_share=0), max_tokens=256, max_words=5, sides=[(tokenizer, "zh")] * 2
    )
    examples = joins.examples(np.random.default_rng(1))
    joined = [examples.pair(i).source for i in range(len(examples))]
    assert max(sentence_length(line, "zh") for line in joined) == 5
    assert any(" " in line for line in joined)


def prepared(tmp_path, said, data):
    return prepare(data, TOKENIZER, report=said.append, cache=tmp_path / "cache")


def joined(toy, **changes):
    return DataSettings(**{**toy.model_dump(), "join": {**JOIN, **changes.pop("join", {})}, **changes})


def test_batches_of_joined_examples_are_the_same_again_and_shared_out(toy, tmp_path, said):
    data = prepared(tmp_path, said, joined(toy))

    def batches(**options):
        return Batches(data.train, **{"batch_tokens": 90, "seed": 5, "joins": data.joins, **options})

    def content(found):
        return [batch.targets.tolist() for batch in found]

    def words(found):
        return Counter(piece for batch in found for piece in batch.targets[batch.target_mask].tolist() if piece != EOS)

    whole = content(batches().epoch(1))
    assert content(batches().epoch(1)) == whole
    assert content(batches().epoch(1, start=4)) == whole[4:]
    assert content(batches().epoch(2)) != whole
    assert content(batches(seed=6).epoch(1)) != whole
    assert words(batches().epoch(1)) == words(batches().epoch(2)) == words(batches(joins=None).epoch(0))
    shards = [list(batches(rank=rank, world=3).epoch(1)) for rank in range(3)]
    assert sum((words(shard) for shard in shards), Counter()) == words(batches().epoch(1))
    assert len({len(shard) for shard in shards}) == 1


def test_max_words_limits_a_joined_example(toy, tmp_path, said):
    data = prepared(tmp_path, said, joined(toy, max_words=11, join={"single_share": 0.0}))
    examples = data.joins.examples(np.random.default_rng(1))
    longest = max(len(examples.source(i).split()) for i in range(len(examples)))
    assert longest == 11
    assert max(len(examples.target(i).split()) for i in range(len(examples))) <= 11


def test_test_joins_are_fixed_balanced_and_made_of_test_pairs_only(toy, corpus_folder, tmp_path, said):
    data, again = (prepared(tmp_path / name, said, joined(toy)) for name in ("a", "b"))
    split = data.tests["test"]
    assert data.fingerprints == again.fingerprints
    words = [len(split.source(i).split()) for i in range(len(split))]
    counts = Counter(int(np.searchsorted([4, 8, 12], length)) for length in words)
    assert counts == {0: 7, 1: 7, 2: 7, 3: 7}
    assert words != sorted(words)  # its first sentences are a sample of all lengths
    assert any(
        "test: 30 pairs read, 30 kept; joined to 28 examples by source length: 1-4: 7, 5-8: 7, 9-12: 7, 13+: 7" in s
        for s in said
    )
    lines = [(corpus_folder / f"test.{language}").read_text().splitlines() for language in ("en", "xx")]
    for i in range(len(split)):
        assert split.pair(i)[:2] in _joins(list(zip(*lines, strict=True)), split.source(i))
        assert split.source_tokens(i) == data.source_tokenizer.encode(split.source(i))


def test_joins_of_a_language_without_spaces_are_balanced_by_characters(toy, corpus_folder, tmp_path, said):
    for split in ("train", "valid", "test"):
        (corpus_folder / f"{split}.zh").write_text((corpus_folder / f"{split}.en").read_text().replace(" ", ""))
    split = prepared(tmp_path, said, joined(toy, source="zh")).tests["test"]
    counts = Counter(int(np.searchsorted([4, 8, 12], split.length(i))) for i in range(len(split)))
    assert set(counts) == {0, 1, 2, 3}
    assert max(counts.values()) == 7


def test_separators_change_sources_alone_and_no_word_of_them(toy, tmp_path, said):
    plain, data = (prepared(tmp_path, said, joined(toy, join=change)) for change in ({}, {"separator": "source"}))
    ends = 0
    for split, other in ((plain.valid, data.valid), (plain.tests["test"], data.tests["test"])):
        for i in range(len(split)):
            assert other.target(i) == split.target(i)
            assert other.source(i).split() == split.source(i).split()
            assert other.source_tokens(i) == data.source_tokenizer.encode(other.source(i))
            assert [piece for piece in other.source_tokens(i) if piece != EOS] == split.source_tokens(i)
            ends += other.source_tokens(i).count(EOS)
    assert ends


def _joins(pairs, source):
    """All joins of pairs whose sources are `source`."""
    found = {("", "")} if not source else set()
    for one, other in pairs:
        if source == one or source.startswith(one + " "):
            rest = _joins(pairs, source[len(one) + 1 :])
            found |= {(f"{one} {s}".strip(), f"{other} {t}".strip()) for s, t in rest}
    return found


def test_a_training_pair_that_is_tested_on_is_left_out_and_counted(toy, corpus_folder, tmp_path, said):
    for language in ("en", "xx"):
        lines = {name: (corpus_folder / f"{name}.{language}").read_text().splitlines() for name in ("train", "test", "valid")}
        write_lines(corpus_folder / f"train.{language}", lines["test"][:2] + lines["valid"][:1] + lines["train"])
    plain, data = (prepared(tmp_path, said, settings) for settings in (toy, joined(toy)))
    tested = {data_split.pair(i)[:2] for data_split in (plain.valid, plain.tests["test"]) for i in range(len(data_split))}
    assert any(plain.train.pair(i)[:2] in tested for i in range(len(plain.train)))
    assert not any(data.train.pair(i)[:2] in tested for i in range(len(data.train)))
    assert data.counts["train"].dropped["also_in_validation_or_test"] >= 3
    assert data.counts["train"].kept == len(data.train)


@pytest.mark.parametrize(
    ("change", "differ"),
    [
        ({"single_share": 0.5}, {"train"}),
        ({"seed": 2}, {"train", "valid", "test"}),
        ({"max_pairs": 4}, {"train", "valid", "test"}),
        ({"per_bucket": 6}, {"train", "valid", "test"}),
        ({"edges": [4, 8]}, {"train", "valid", "test"}),
        ({"separator": "source"}, {"train", "valid", "test"}),
    ],
)
def test_other_joins_have_other_fingerprints(toy, tmp_path, said, change, differ):
    one, other = (prepared(tmp_path, said, joined(toy, join=join)).fingerprints for join in ({}, change))
    assert {name for name in one if one[name] != other[name]} == differ


def test_gold_links_follow_the_words(tmp_path, said):
    grammar = {"train_pairs": 300, "valid_pairs": 20, "test_pairs": 40, "min_words": 4, "max_words": 8}
    data = prepared(tmp_path, said, DataSettings(corpus="grammar", grammar=grammar, join=JOIN))
    split = data.tests["test"]
    plain = prepared(tmp_path, said, DataSettings(corpus="grammar", grammar=grammar)).tests["test"]
    linked = {
        (pair.source.split()[s], pair.target.split()[t])
        for pair in map(plain.pair, range(len(plain)))
        for s, t in pair.links
    }  # fmt: skip
    for pair in map(split.pair, range(len(split))):
        assert {(pair.source.split()[s], pair.target.split()[t]) for s, t in pair.links} <= linked
        assert max(s for s, _ in pair.links) >= len(pair.source.split()) - 3


@given(
    words=st.lists(st.integers(1, 30), min_size=1, max_size=40),
    most=st.integers(2, 6),
    number=st.integers(1, 12),
    seed=st.integers(0, 3),
)
@settings(max_examples=25)
def test_balanced_groups_are_different_within_their_bucket_and_of_different_pairs(words, most, number, seed):
    chosen = JoinSettings(max_pairs=most, per_bucket=number, edges=(10, 20, 40), seed=seed)
    found = balanced_groups(words, chosen)
    assert list(found) == ["1-10", "11-20", "21-40", "41+"]
    assert found == balanced_groups(words, chosen)
    for (low, high), groups in zip([(1, 10), (11, 20), (21, 40), (41, 10**9)], found.values(), strict=True):
        assert len({frozenset(group) for group in groups}) == len(groups) <= number
        for group in groups:
            assert len(set(group)) == len(group) <= most
            assert low <= sum(words[i] for i in group) <= high


def test_all_pairs_are_used_about_equally_often():
    random = np.random.default_rng(2)
    words = np.clip(random.normal(11, 4, 400), 3, 40).astype(int).tolist()
    found = balanced_groups(words, JoinSettings(per_bucket=100))
    assert [len(groups) for groups in found.values()] == [100] * 7
    used = Counter(i for groups in found.values() for group in groups for i in group)
    assert len(used) == 400
    assert max(used.values()) - min(used.values()) <= 4


def test_a_bucket_that_no_join_can_fill_stays_empty():
    found = balanced_groups([3, 4, 5], JoinSettings(max_pairs=2, edges=(5, 9), per_bucket=10))
    assert {name: sorted(map(sorted, groups)) for name, groups in found.items()} == {
        "1-5": [[0], [1], [2]], "6-9": [[0, 1], [0, 2], [1, 2]], "10+": []
    }  # fmt: skip
