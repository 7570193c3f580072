import pytest

from seq2seq.corpus.grammar.english import English, add_ed, add_s
from seq2seq.corpus.grammar.grammar import read_data


@pytest.fixture(scope="module")
def english():
    return English(read_data("english"))


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("cat", "cats"),
        ("box", "boxes"),
        ("city", "cities"),
        ("boy", "boys"),
        ("bus", "buses"),
        ("watch", "watches"),
        ("go", "goes"),
        ("carry", "carries"),
    ],
)
def test_s(word, form):
    assert add_s(word) == form


@pytest.mark.parametrize(("verb", "form"), [("clean", "cleaned"), ("love", "loved"), ("carry", "carried"), ("play", "played")])
def test_ed(verb, form):
    assert add_ed(verb) == form


@pytest.mark.parametrize(
    ("word", "article"),
    [
        ("apple", "an"),
        ("old", "an"),
        ("house.", "a"),
        ("university", "a"),
        ("useful,", "a"),
        ("hour", "an"),
        ("uncle", "an"),
        ("egg,", "an"),
    ],
)
def test_a_or_an(english, word, article):
    assert english.article_before(word) == article


def test_a_particle_follows_every_form(english):
    forms = english.verb("get got got", "up")
    assert [" ".join(forms["present"].table[who]) for who in ("1s", "3s", "3p")] == ["get up", "gets up", "get up"]
    assert forms["past"].table["3s"] == forms["participle"].table[None] == ("got", "up")


def test_to_be(english):
    forms = english.verb("be")
    assert [forms["present"].table[who] for who in ("1s", "3s", "3p")] == [("am",), ("is",), ("are",)]
    assert [forms["past"].table[who] for who in ("1s", "3s", "3p")] == [("was",), ("was",), ("were",)]
    assert forms["participle"].table[None] == ("been",)
