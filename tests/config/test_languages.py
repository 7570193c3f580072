"""Lengths and tokenizers follow how a language is written."""

import pytest
from sacrebleu.metrics import BLEU

from seq2seq.config.errors import UserError
from seq2seq.config.languages import length_unit, resolve_tokenizer, sentence_length


@pytest.mark.parametrize("language", ["de", "zh", "ja", "ko", "fr", "cs"])
def test_the_tokenizer_is_the_one_that_sacrebleu_chooses(language):
    assert resolve_tokenizer("auto", language) == BLEU._TOKENIZER_MAP.get(language, BLEU.TOKENIZER_DEFAULT)


@pytest.mark.parametrize(
    ("language", "tokenizer"),
    [("zh_CN", "zh"), ("zh-Hant", "zh"), ("cmn", "zh"), ("jpn", "ja-mecab"), ("th", "char"), ("deu", "13a")],
)
def test_codes_are_read_by_their_first_part(language, tokenizer):
    assert resolve_tokenizer("auto", language) == tokenizer


@pytest.mark.parametrize("language", ["zh", "ja", "th", "lo", "km", "my"])
@pytest.mark.parametrize("tokenizer", ["13a", "intl", "none"])
def test_a_tokenizer_that_splits_at_spaces_is_refused_where_there_are_none(language, tokenizer):
    with pytest.raises(
        UserError, match=f"evaluation.tokenizer: {tokenizer} takes a whole sentence of '{language}' for one word"
    ):
        resolve_tokenizer(tokenizer, language)
    assert resolve_tokenizer("flores200", language) == "flores200"


def test_length_is_words_or_characters():
    assert (sentence_length(" a small  sentence ", "en"), length_unit("en")) == (3, "words")
    assert (sentence_length("我们 去 学校。", "zh"), length_unit("zh_TW")) == (6, "characters")
    assert [sentence_length(line, "ja") for line in ("", "ねこ")] == [0, 2]
    assert sentence_length("나는 학교에 간다", "ko") == 3
