"""Text to subwords and back: one normal form, one vocabulary file, four special subwords.

`normalise` defines what a sentence is everywhere in this project: NFC, single spaces, nothing invisible. Subwords never cross
a space, so every subword belongs to one whitespace word, and decoding the subwords of a normalised sentence gives it back: a
character without a subword of its own is spelled in UTF-8 bytes (`byte_fallback`) rather than replaced.
"""

import hashlib
import io
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from seq2seq.config.data import BOUNDARY, TokenizerSettings
from seq2seq.config.errors import UserError
from seq2seq.config.languages import has_spaces

PAD, UNK, BOS, EOS = 0, 1, 2, 3

MAX_PIECE_CHARACTERS = 16
"""Longest subword sentencepiece learns (its default), so n characters are at least n / 16 subwords."""

INVALID = re.compile("[\ud800-\udfff\ufffd]")
"""What is left where text was not valid Unicode: lone surrogates (bytes kept by `surrogateescape`) and U+FFFD."""
CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
"""Control characters other than the ones that Python counts as whitespace."""
INVISIBLE = re.compile("[\u200b\u2060\ufeff]")
"""Zero-width space, word joiner, byte order mark: no text. The joiners U+200C/D and direction marks do mean something."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE_MARK = "\u2581"
"""sentencepiece's own sign for a space; in a text it reads as a space."""
_BYTE = re.compile("<0x([0-9A-F]{2})>")
_TRAINING_THREADS = 16
"""Fixed, since sentencepiece adds up counts thread by thread: the number decides the last digits, the machine must not."""


def normalise(text: str) -> str:
    """Return the text in NFC with single spaces and nothing invisible; idempotent.

    Every Unicode whitespace (line separators included) and every control character becomes a space, lone surrogates become
    U+FFFD, zero-width spaces and byte order marks vanish. Nothing is lower-cased, split or mapped to a look-alike.
    """
    if not text.isascii():
        text = INVISIBLE.sub("", _SURROGATE.sub("\ufffd", text.replace(_SPACE_MARK, " ")))
        text = unicodedata.normalize("NFC", text)
    return " ".join(CONTROL.sub(" ", text).split())


class Column(NamedTuple):
    """The source token or place behind a column of attention weights."""

    name: str
    """A subword as in the vocabulary, or the object in a cell of a picture, `▁` where a word begins."""
    word: int
    """The word of the source line, counted from 0; -1 for the end of the sentence and for the ground."""


class Tokenizer:
    """A trained vocabulary: bytes of a sentencepiece model with this project's special subwords, or a `UserError`."""

    def __init__(self, model: bytes, where: str = "tokenizer") -> None:
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
            special = tuple(getattr(self._processor, f"{name}_id")() for name in ("pad", "unk", "bos", "eos"))
            written = self._processor.id_to_piece(list(range(self._processor.vocab_size())))
        except Exception as error:  # sentencepiece has no error class of its own; any failure means the bytes are bad
            raise UserError(
                f"{where}: not a usable sentencepiece model ({error}); delete it so that it is trained again"
            ) from None
        if not model or special != (PAD, UNK, BOS, EOS):
            raise UserError(
                f"{where}: not a tokenizer of this project (pad, unk, bos, eos are {special}, not {(PAD, UNK, BOS, EOS)}); "
                "delete it so that one is trained"
            )
        self._keep(model, len(written))
        self._starts_word = [piece.startswith(_SPACE_MARK) for piece in written]

    def _keep(self, model: bytes, vocabulary_size: int) -> None:
        self._model, self.vocabulary_size = model, vocabulary_size
        self.fingerprint = hashlib.sha256(model).hexdigest()

    @classmethod
    def train(cls, lines: Iterable[str], settings: TokenizerSettings, characters: int = 0) -> Self:
        """Learn a vocabulary; the same lines give the same bytes on every machine.

        `characters` of the whole text, of which `lines` may be a sample, decide the size where it is `auto`. A `UserError` if
        there is no text, or names the limit of the vocabulary size that this text can have.
        """
        model = io.BytesIO()
        text: Iterable[str] = (line for line in map(normalise, lines) if line)
        if settings.vocabulary_size == "auto":
            text = list(text)
            size = auto_size(len(set().union(*text)), characters)
        else:
            size = settings.vocabulary_size
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(text),
                model_writer=model,
                model_type=settings.kind,
                vocab_size=size,
                hard_vocab_limit=settings.vocabulary_size != "auto",  # auto takes fewer where the text cannot fill more
                character_coverage=settings.character_coverage,
                byte_fallback=settings.byte_fallback,
                pad_id=PAD,
                unk_id=UNK,
                bos_id=BOS,
                eos_id=EOS,
                normalization_rule_name="identity",  # `normalise` has done it
                max_sentencepiece_length=MAX_PIECE_CHARACTERS,
                max_sentence_length=1 << 30,  # bytes; the default of 4192 leaves longer lines out without a word
                shuffle_input_sentence=False,
                num_threads=_TRAINING_THREADS,
                minloglevel=2,
            )
        except (RuntimeError, OSError) as error:
            raise UserError(_explain(str(error), size)) from None
        return cls(model.getvalue())

    @classmethod
    def load(cls, path: Path, fingerprint: str | None = None) -> Self:
        """Read a model file whose SHA-256 is `fingerprint`, if given; a `UserError` if it is unreadable or not one of ours."""
        try:
            model = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path}: cannot read the tokenizer ({error.strerror})") from None
        if fingerprint is not None and hashlib.sha256(model).hexdigest() != fingerprint:
            raise UserError(f"{path}: damaged, or another tokenizer than the one it is to be (SHA-256); put that one back")
        return cls(model, str(path))

    def save(self, path: Path) -> None:
        """Write the model; any sentencepiece program can read it."""
        path.write_bytes(self._model)

    def encode(self, text: str) -> list[int]:
        """Return the subwords of a sentence, without bos or eos but for one eos at each `BOUNDARY`; [] for an empty one."""
        return self.encode_batch([text])[0]

    def encode_batch(self, lines: Sequence[str]) -> list[list[int]]:
        """`encode` for many sentences, on all cores; the result does not depend on their number."""
        parts = [line.split(BOUNDARY) for line in lines]
        pieces: list[list[int]] = self._processor.encode(
            [normalise(part) for line in parts for part in line], out_type=int, num_threads=os.cpu_count() or 1
        )
        if len(pieces) == len(lines):
            return pieces
        following = iter(pieces)
        segments = [[next(following) for _ in line] for line in parts]  # those without text are left out
        return [[i for segment in filter(None, line) for i in (*segment, EOS)][:-1] for line in segments]

    def complaint(self, line: str) -> str | None:  # noqa: ARG002 (any line is text; not any is a picture)
        """Return why a line cannot be encoded; None if it can."""
        return None

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of subwords as one normalised line; special ones say nothing, an unknown one ⁇; ids are < V."""
        kept = [self._checked(i) for i in ids if i not in (PAD, BOS, EOS)]
        text: str = self._processor.decode(kept)
        return normalise(text)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Return each subword as written in the vocabulary, `▁` where a word begins."""
        return [str(self._processor.id_to_piece(self._checked(i))) for i in ids]

    def word_of_piece(self, ids: Sequence[int]) -> list[int]:
        """Return for each subword the whitespace word it belongs to, counted from 0; -1 for pad, bos and eos."""
        words, word = [], -1
        for i in ids:
            if i in (PAD, BOS, EOS):
                words.append(-1)
                continue
            if self._starts_word[self._checked(i)] or word < 0:
                word += 1
            words.append(word)
        return words

    def columns(self, line: str, ids: Sequence[int], width: int | None = None) -> list[Column]:  # noqa: ARG002 (for pictures)
        """Return what the `width` columns of the attention over a source with these subwords stand for: these, and the end."""
        whole = [*ids, EOS]
        return [Column(*column) for column in zip(self.pieces(whole), self.word_of_piece(whole), strict=True)]

    def lengths_of(self, tokens: NDArray[Any], offsets: NDArray[np.int64], language: str) -> NDArray[np.int64]:
        """(N,) words or characters of sentences of a language, as `sentence_length` counts them.

        Sentences are laid end to end: sentence i is `tokens[offsets[i]:offsets[i + 1]]`. An unknown subword is one character.
        """
        pieces = self.pieces(range(self.vocabulary_size))
        units = self._starts_word if has_spaces(language) else [_characters(i, piece) for i, piece in enumerate(pieces)]
        before = np.concatenate([[0], np.cumsum(np.asarray(units, np.int64)[tokens])])
        counted: NDArray[np.int64] = np.diff(before[offsets])
        return counted

    def _checked(self, i: int) -> int:
        if not 0 <= i < self.vocabulary_size:
            raise ValueError(f"piece {i} is outside the vocabulary of {self.vocabulary_size}")
        return int(i)


def _characters(i: int, piece: str) -> int:
    """Count the characters that a subword adds; of the bytes of one character its first does."""
    if i in (PAD, BOS, EOS):
        return 0
    if byte := _BYTE.fullmatch(piece):
        return int(not 0x80 <= int(byte[1], 16) < 0xC0)
    return 1 if i == UNK else len(piece.replace(_SPACE_MARK, ""))


def auto_size(different: int, characters: int) -> int:
    """Return the subwords of `vocabulary_size: auto` for so many characters, `different` of them: each is seen often."""
    return 300 + different + min(characters // 300, 8000)


def _explain(message: str, size: int) -> str:
    if found := re.search(r"too high \(\d+\).* <= (\d+)", message):
        return f"tokenizer.vocabulary_size: {size} is more than the training text can fill; the largest possible is {found[1]}"
    if found := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        return (
            f"tokenizer.vocabulary_size: {size} is too small: characters, bytes and special subwords alone are {found[1]}; "
            "raise it, or lower tokenizer.character_coverage"
        )
    if "sentences_.empty()" in message:
        return "tokenizer: the training text is empty; there is nothing to learn subwords from"
    return f"tokenizer: sentencepiece could not learn a vocabulary of {size} ({message})"
