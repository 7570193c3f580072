"""Text to pieces and back."""

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.config.data import BOUNDARY, TokenizerSettings
from seq2seq.config.errors import UserError
from seq2seq.corpus.tokenizer import BOS, EOS, PAD, UNK, Tokenizer, auto_size, normalise

WORDS = "a small café naïve 你好 🙂 houses goes überall straße 12 , . (x) old man sees the green houses again and again".split()  # noqa: SIM905
SYLLABLES = "ba be bo da de do ka ke ko la le lo ma me mo na ne no pa pe po ra re ro sa se so ta te to".split()  # noqa: SIM905


def made_up_lines(number=400):
    choose = random.Random(1)
    made_up = ["".join(choose.choices(SYLLABLES, k=choose.randint(1, 4))) for _ in range(150)]
    return [" ".join(choose.choices(WORDS + made_up, k=choose.randint(1, 12))) for _ in range(number)]


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def tokenizer(request):
    return Tokenizer.train(made_up_lines(), TokenizerSettings(kind=request.param, vocabulary_size=340))


def test_special_pieces_have_their_ids_and_the_size_is_the_one_asked_for(tokenizer):
    assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)
    assert tokenizer.vocabulary_size == 340
    assert tokenizer.pieces([PAD, UNK, BOS, EOS]) == ["<pad>", "<unk>", "<s>", "</s>"]


@pytest.mark.parametrize(
    "text", ["naïve café 你好 🙂", "", "Ελληνικά العربية", "<s> </s> <0x41> <pad>", "👩‍👩‍👧 e\u0301\u0323"]
)
def test_decoding_gives_back_the_normalised_sentence(tokenizer, text):
    pieces = tokenizer.encode(text)
    assert tokenizer.decode(pieces) == normalise(text)
    assert UNK not in pieces


@given(text=st.text())
def test_any_text_survives_up_to_its_normal_form(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == normalise(text)


@given(text=st.text(st.characters()))
def test_the_normal_form_is_nfc_with_single_spaces_and_nothing_invisible(text):
    found = normalise(text)
    assert normalise(found) == found
    assert unicodedata.is_normalized("NFC", found)
    assert found == " ".join(found.split())
    assert not set(found) & set("\u200b\u2060\ufeff\u2581\x00\u2028\r\n")
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in found)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("a\u0301", "á"),
        ("  a \t b\r", "a b"),
        ("a\u2028b\u00a0c\u3000d", "a b c d"),
        ("a\x00b\x07", "a b"),
        ("a\u200bb\ufeff", "ab"),
        ("a\u2581b", "a b"),
        ("\udcff\ud800x", "\ufffd\ufffdx"),
        ("\u200fשלום", "\u200fשלום"),
        ("Straße İ ﬁ", "Straße İ ﬁ"),
    ],
)
def test_normal_form_by_hand(raw, expected):
    assert normalise(raw) == expected


@given(ids=st.lists(st.integers(0, 339)))
def test_whatever_pieces_a_model_says_are_one_line(tokenizer, ids):
    text = tokenizer.decode(ids)
    assert len(text.splitlines()) <= 1
    assert normalise(text) == text


def test_special_pieces_say_nothing(tokenizer):
    assert tokenizer.decode([BOS, *tokenizer.encode("old man"), EOS, PAD]) == "old man"


def test_without_bytes_an_unseen_character_is_visibly_unknown():
    tokenizer = Tokenizer.train(made_up_lines(), TokenizerSettings(vocabulary_size=90, byte_fallback=False))
    assert UNK in tokenizer.encode("old Ж man")
    assert "⁇" in tokenizer.decode(tokenizer.encode("old Ж man"))


def test_pieces_belong_to_whitespace_words(tokenizer):
    sentence = "the überall 🙂 ,"
    ids = tokenizer.encode(sentence)
    words = tokenizer.word_of_piece([BOS, *ids, EOS, PAD])
    assert words[0] == words[-1] == words[-2] == -1
    for number, word in enumerate(sentence.split()):
        assert tokenizer.decode([i for i, w in zip(ids, words[1:-2], strict=True) if w == number]) == word


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters=[BOUNDARY])))  # an end of sentence is no word
def test_pieces_count_the_words_of_the_sentence(tokenizer, text):
    words = tokenizer.word_of_piece(tokenizer.encode(text))
    assert sorted(set(words)) == list(range(len(normalise(text).split())))
    assert words == sorted(words)


def test_a_batch_is_its_sentences(tokenizer):
    lines = made_up_lines(50)
    assert tokenizer.encode_batch(lines) == [tokenizer.encode(line) for line in lines]
    assert tokenizer.encode_batch([]) == []


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_the_same_text_gives_the_same_bytes(kind):
    settings = TokenizerSettings(kind=kind, vocabulary_size=330)
    first, second = (Tokenizer.train(iter(made_up_lines()), settings) for _ in range(2))
    other = Tokenizer.train(made_up_lines(300), settings)
    assert first.fingerprint == second.fingerprint != other.fingerprint


def test_a_saved_tokenizer_is_the_same(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "t.model")
    loaded = Tokenizer.load(tmp_path / "t.model", tokenizer.fingerprint)
    assert loaded.fingerprint == tokenizer.fingerprint
    assert loaded.encode("café 12") == tokenizer.encode("café 12")


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_vocabulary_too_large_names_the_largest_that_works(kind):
    with pytest.raises(UserError, match=r"vocabulary_size: 9000 is more than .* the largest possible is (\d+)$") as caught:
        Tokenizer.train(made_up_lines(), TokenizerSettings(kind=kind, vocabulary_size=9000))
    largest = int(str(caught.value).split()[-1])
    assert Tokenizer.train(made_up_lines(), TokenizerSettings(kind=kind, vocabulary_size=largest)).vocabulary_size == largest


def test_a_vocabulary_too_small_names_what_it_must_hold():
    with pytest.raises(UserError, match=r"vocabulary_size: 100 is too small: .* alone are \d{3}"):
        Tokenizer.train(made_up_lines(), TokenizerSettings(vocabulary_size=100))


def test_the_lowest_coverage_is_one_that_sentencepiece_takes():
    Tokenizer.train(made_up_lines(), TokenizerSettings(vocabulary_size=340, character_coverage=0.98))
    with pytest.raises(ValueError, match=r"equal to 0\.98"):
        TokenizerSettings(character_coverage=0.97)


@pytest.mark.parametrize("lines", [[], ["", " \t", "\u200b"]])
def test_no_text_is_an_error(lines):
    with pytest.raises(UserError, match="training text is empty"):
        Tokenizer.train(lines, TokenizerSettings(vocabulary_size=300))


def test_a_damaged_or_foreign_model_is_an_error(tokenizer, tmp_path):
    path = tmp_path / "t.model"
    tokenizer.save(path)
    good = path.read_bytes()
    for bad in (b"", b"not a model", good[: len(good) // 2], bytes(1000), b"\xff" * 50):
        path.write_bytes(bad)
        with pytest.raises(UserError, match=r"t\.model: not a"):
            Tokenizer.load(path)
    path.write_bytes(good[:100] + bytes([good[100] ^ 1]) + good[101:])
    with pytest.raises(UserError, match="damaged, or another tokenizer"):
        Tokenizer.load(path, tokenizer.fingerprint)
    with pytest.raises(UserError, match="cannot read the tokenizer"):
        Tokenizer.load(tmp_path / "missing.model")


def test_a_model_with_other_special_pieces_is_refused(tmp_path):
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(made_up_lines()), model_prefix=str(tmp_path / "m"), vocab_size=60, minloglevel=2
    )
    with pytest.raises(UserError, match="not a tokenizer of this project"):
        Tokenizer.load(tmp_path / "m.model")


def test_an_id_outside_the_vocabulary_is_a_programmers_error(tokenizer):
    for call in (tokenizer.decode, tokenizer.pieces, tokenizer.word_of_piece):
        with pytest.raises(ValueError, match="outside the vocabulary"):
            call([340])
        with pytest.raises(ValueError, match="outside the vocabulary"):
            call([-1])


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_auto_size_follows_the_text_and_never_fails(kind):
    few = [f"a house number {i}" for i in range(30)]
    han = ["".join(chr(0x4E00 + (7 * i * k) % 900) for k in range(1, 12)) for i in range(200)]  # more characters than 500
    sizes = []
    for lines in (few, han):
        tokenizer = Tokenizer.train(lines, TokenizerSettings(kind=kind, vocabulary_size="auto"), sum(map(len, lines)))
        assert all(tokenizer.decode(tokenizer.encode(line)) == line for line in lines)
        sizes.append(tokenizer.vocabulary_size)
    assert sizes[0] <= auto_size(len(set("".join(few))), sum(map(len, few)))
    assert sizes[1] > 500
    assert auto_size(80, 3_000_000) == auto_size(80, 30_000_000) == 8380
