import hashlib
import itertools
from collections import Counter

import pytest
from pydantic import ValidationError

from seq2seq.config.embedded import GrammarSettings
from seq2seq.config.errors import UserError
from seq2seq.corpus.embedded import SPLITS, GrammarCorpus, split_of
from seq2seq.corpus.grammar.generate import generate

SETTINGS = GrammarSettings(train_pairs=1_080, valid_pairs=108, test_pairs=108, max_words=30)


@pytest.fixture(scope="module")
def splits():
    return {split: list(generate(SETTINGS, split)) for split in SPLITS}


def test_sizes_are_settings(splits):
    assert {split: len(pairs) for split, pairs in splits.items()} == {"train": 1_080, "valid": 108, "test": 108}


def test_every_length_is_equally_frequent(splits):
    for split, each in (("train", 40), ("valid", 4), ("test", 4)):
        lengths = Counter(len(pair.source.split()) for pair in splits[split])
        assert lengths == dict.fromkeys(range(4, 31), each)


def test_lengths_stay_even_when_the_size_is_not_a_multiple():
    settings = GrammarSettings(train_pairs=100, min_words=5, max_words=11)
    lengths = Counter(len(pair.source.split()) for pair in generate(settings, "train"))
    assert set(lengths) == set(range(5, 12))
    assert max(lengths.values()) - min(lengths.values()) <= 1


def test_balanced_by_words_short_sentences_are_more_frequent():
    """Of 2 to 8 words, 8/2 = 4 times two words each time, 8/3 = 2.67 rounded 3 times three words ..., 8/8 once eight."""
    settings = GrammarSettings(train_pairs=140, test_pairs=70, min_words=2, max_words=8, balance="words")
    lengths = Counter(len(pair.source.split()) for pair in generate(settings, "train"))
    assert lengths == {2: 40, 3: 30, 4: 20, 5: 20, 6: 10, 7: 10, 8: 10}
    assert Counter(len(pair.source.split()) for pair in generate(settings, "test")) == dict.fromkeys(range(2, 9), 10)


def test_held_out_sentences_are_those_that_the_training_split_met(splits, monkeypatch):
    corpus = GrammarCorpus(SETTINGS.model_copy(update={"valid_pairs": 27, "test_pairs": 27}), source="en")
    assert list(corpus.pairs("train")) == splits["train"]
    assert list(corpus.pairs("train")) == splits["train"]
    monkeypatch.setattr("seq2seq.corpus.grammar.generate.PATIENCE", 0)  # nothing can be drawn
    assert list(corpus.pairs("test")) == splits["test"][:27]
    assert list(corpus.pairs("valid")) == splits["valid"][:27]


def test_held_out_sentences_that_the_training_split_did_not_meet_are_drawn(splits):
    corpus = GrammarCorpus(SETTINGS.model_copy(update={"train_pairs": 100}), source="en")
    assert list(corpus.pairs("train")) == splits["train"][:100]
    assert list(corpus.pairs("test")) == splits["test"]


def test_the_start_of_a_corpus_does_not_depend_on_its_size(splits):
    smaller = SETTINGS.model_copy(update={"train_pairs": 100})
    assert list(generate(smaller, "train")) == splits["train"][:100]


def test_splits_share_no_sentence(splits):
    for one, other in itertools.combinations(SPLITS, 2):
        assert not {pair.source for pair in splits[one]} & {pair.source for pair in splits[other]}
        assert not {pair.target for pair in splits[one]} & {pair.target for pair in splits[other]}


def test_splits_share_no_sentence_across_seeds_and_sizes(splits):
    sizes = {"train_pairs": 800, "valid_pairs": 150, "test_pairs": 150, "min_words": 3, "max_words": 3}
    short = [GrammarSettings(**sizes, seed=seed) for seed in (2, 3)]
    training = {pair.source for pair in generate(short[0], "train")}
    assert training & {pair.source for pair in generate(short[1], "train")}  # short enough to meet again
    assert not training & {pair.source for split in ("valid", "test") for pair in generate(short[1], split)}
    assert all(split_of(pair.target) == split for split in SPLITS for pair in splits[split])


def test_no_split_says_anything_twice(splits):
    for pairs in splits.values():
        assert len({pair.source for pair in pairs}) == len(pairs)


def test_one_source_has_one_translation():
    """Across seeds, and mostly short, where the same English is drawn again by another derivation."""
    known: dict[str, str] = {}
    for seed in range(4):
        for pair in generate(GrammarSettings(train_pairs=1_000, max_words=9, seed=seed), "train"):
            assert known.setdefault(pair.source, pair.target) == pair.target


def test_the_seed_decides():
    first, again, other = (list(generate(GrammarSettings(train_pairs=60, seed=seed), "train")) for seed in (1, 1, 2))
    assert first == again
    assert not set(first) & set(other)


def test_vocabulary_and_lexicon_have_the_promised_size(splits, grammar):
    lemmas = {(lexeme.name, str(sorted(lexeme.features.items()))) for entries in grammar.lexicon.values() for lexeme in entries}
    assert len(lemmas) >= 250
    for side in ("source", "target"):
        forms = {word.strip(",.;?") for pair in splits["train"] for word in getattr(pair, side).split()}
        assert 900 < len(forms) < 3_000


def test_sentences_look_like_text(splits):
    for pair in itertools.chain.from_iterable(splits.values()):
        for line in (pair.source, pair.target):
            assert line[0].isupper() or line[0].isdigit()
            assert line[-1] in ".?"
            assert "  " not in line
            assert line == line.strip()
            assert not any(marks in line for marks in (",,", " ,", ",;", " .", ";.", ",."))
        assert pair.source.endswith("?") == pair.target.endswith("?")


def test_reordering_reaches_far(splits):
    distances = [
        max(
            abs(start / len(pair.source.split()) - end / len(pair.target.split())) * len(pair.source.split())
            for start, end in pair.links
        )
        for pair in splits["train"]
    ]
    assert sum(distance >= 4 for distance in distances) > len(distances) / 2


def test_all_lengths_that_can_be_set_exist():
    for words in (2, 3, 200):
        (pair,) = generate(GrammarSettings(min_words=words, max_words=words, train_pairs=1), "train")
        assert len(pair.source.split()) == words


def test_more_short_sentences_than_there_are(monkeypatch):
    monkeypatch.setattr("seq2seq.corpus.grammar.generate.PATIENCE", 3)
    with pytest.raises(UserError, match="no more new train sentences of 3 words"):
        list(generate(GrammarSettings(min_words=3, max_words=3, train_pairs=1_000_000), "train"))


def test_settings_in_the_wrong_order():
    with pytest.raises(ValidationError, match="min_words 30 is greater than max_words 20"):
        GrammarSettings(min_words=30, max_words=20)


def test_the_same_bytes_on_every_machine_and_python():
    """In every process, since each has another seed of its hashes.

    Whoever changes the grammar on purpose changes this digest too, and says in the CHANGELOG that the corpus is another one.
    """
    text = "\n".join(str(tuple(pair)) for pair in generate(GrammarSettings(train_pairs=114), "train"))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "f075d1c4e5084f88"
