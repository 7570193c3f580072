"""A lexicon of a few entries a class: less to learn, and everything else as it was."""

import random

import pytest
from pydantic import ValidationError

from seq2seq.config.embedded import GrammarSettings
from seq2seq.config.errors import UserError
from seq2seq.corpus.embedded import SPLITS, GrammarCorpus
from seq2seq.corpus.grammar.generate import generate
from seq2seq.corpus.grammar.grammar import load_grammar
from tests.corpus.grammar.enumeration import pair_of
from tests.corpus.grammar.german_checker import agrees, noun_phrases
from tests.corpus.grammar.test_alignment import (
    test_every_content_word_is_linked as check_content_words,
)
from tests.corpus.grammar.test_alignment import (
    test_links_are_in_range_sorted_and_different as check_links,
)

MADE = ("preposition", "silent_preposition")  # from what the other entries ask for


@pytest.fixture(scope="module", params=[1, 2, pytest.param(3, marks=pytest.mark.slow)])
def small(request):
    return load_grammar(request.param), request.param


@pytest.fixture(scope="module")
def small_samples(small):
    grammar, _ = small
    rng = random.Random(7)
    return [pair_of(grammar, grammar.tree(4 + number % 37, rng)) for number in range(300)]


def test_every_class_keeps_its_first_entries(small, grammar):
    lexicon, entries = small[0].lexicon, small[1]
    assert lexicon.keys() == grammar.lexicon.keys()
    for symbol in grammar.lexicon.keys() - set(MADE):
        assert [word.name for word in lexicon[symbol]] == [word.name for word in grammar.lexicon[symbol][:entries]]


def test_two_entries_a_class():
    """Worked out from the data files: the first two of each class, the irregular forms among them."""
    lexicon = load_grammar(2).lexicon
    assert [word.name for word in lexicon["noun<person>"]] == ["man", "woman"]
    assert lexicon["noun<person>"][0].english["text"].table["plural"] == ("men",)
    assert [word.name for word in lexicon["singular"]] == ["the", "a"]
    assert [word.name for word in lexicon["month"]] == ["January", "February"]
    (give,) = (word for word in lexicon["verb<give,person,text>"] if word.name == "give")
    assert give.english["past"].table["3s"] == ("gave",)
    assert give.german["past"].table["3s"] == ("gab",)


def test_fewer_forms_are_written(small_samples, small, samples):
    forms = len({word.strip(",.;?") for pair in small_samples for word in pair.source.split()})
    everything = len({word.strip(",.;?") for pair in samples for word in pair.source.split()})
    assert forms < {1: 0.25, 2: 0.45, 3: 0.55}[small[1]] * everything


def test_every_length_can_be_written(small):
    grammar, rng = small[0], random.Random(3)
    for words in (*range(2, 62), 200):
        assert len(pair_of(grammar, grammar.tree(words, rng)).source.split()) == words


def test_german_agrees(small_samples):
    phrases = [phrase for pair in small_samples for phrase in noun_phrases(pair.target)]
    assert len(phrases) > 1_000
    assert all(agrees(*phrase) for phrase in phrases)


def test_links_stay_right(small_samples):
    check_links(small_samples)
    check_content_words(small_samples)


def test_one_source_has_one_translation_and_one_split():
    known: dict[str, tuple[str, str]] = {}
    for seed in range(2):
        for split in SPLITS:
            settings = GrammarSettings(train_pairs=500, valid_pairs=150, test_pairs=150, max_words=10, seed=seed, entries=2)
            for pair in generate(settings, split):
                assert known.setdefault(pair.source, (pair.target, split)) == (pair.target, split)


def test_the_corpus_is_another_one():
    few, all_of_them = (GrammarCorpus(GrammarSettings(entries=entries), source="en") for entries in (2, None))
    assert few.fingerprint("train") != all_of_them.fingerprint("train")


def test_too_few_entries_for_so_many_short_sentences(monkeypatch):
    monkeypatch.setattr("seq2seq.corpus.grammar.generate.PATIENCE", 50)
    with pytest.raises(UserError, match=r"no more new train sentences of 2 words; raise data.grammar.min_words or entries"):
        list(generate(GrammarSettings(min_words=2, max_words=2, train_pairs=100_000, entries=1), "train"))


@pytest.mark.parametrize("entries", [0, -1, 1.5])
def test_no_entries_are_no_lexicon(entries):
    with pytest.raises(ValidationError, match="entries"):
        GrammarSettings(entries=entries)
