"""Subwords, put together to the words that a person reads."""

from seq2seq.run.reading import group_words


def test_subwords_become_words():
    words, word_of = group_words(["▁Mäd", "chen", "▁", "l", "acht", "<0xC3>", "<0xA4>", "</s>"])
    assert (words, word_of) == (["Mädchen", "lachtä", "(end)"], [0, 0, 1, 1, 1, 1, 1, 2])
    assert group_words(["a", "b"]) == (["a", "b"], [0, 1])
    words, word_of = group_words(["▁", "我", "爱", "吃", "▁Mäd", "chen", "</s>"])  # without spaces: not the sentence as a word
    assert (words, word_of) == (["我", "爱", "吃", "Mädchen", "(end)"], [0, 0, 1, 2, 3, 3, 4])
