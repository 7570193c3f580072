"""Corpora as parallel text: `<split>.<language>` or `<split>.<language>.gz`, line n of one side translates line n of the other.

Only a line feed ends a line; U+2028 and the like are spaces inside one. Bytes that are not UTF-8 travel on as lone surrogates
(`surrogateescape`), so that cleaning can count them.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, cast

from seq2seq.config.errors import UserError
from seq2seq.corpus.cache import Cache, digest
from seq2seq.corpus.cards import Card, below
from seq2seq.corpus.pairs import SentencePair

_MAX_LINE_BYTES = 64 * 2**20
_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")


class FileCorpus:
    """Parallel text in a folder.

    Args:
        folder: where the files are; nothing outside it is read.
        source: language translated from.
        target: language translated to.
        card: what is known of the corpus, None for somebody's own.
        cache: remembers content hashes.
        report: is told of files that are not the ones the card describes.
    """

    def __init__(
        self, folder: Path, *, source: str, target: str, card: Card | None, cache: Cache, report: Callable[[str], None]
    ) -> None:
        self.folder, self.card = folder, card
        self.source, self.target = source, target
        self.origin = f"files in {folder}"
        self._cache, self._report = cache, report

    def splits(self) -> tuple[str, ...]:
        """Return the splits that have both languages."""
        names = {language: self._splits_of(language) for language in (self.source, self.target)}
        return tuple(sorted(names[self.source] & names[self.target]))

    def _splits_of(self, language: str) -> set[str]:
        files = (path.name.removesuffix(".gz") for path in self.folder.iterdir())
        return {name.removesuffix(f".{language}") for name in files if name.endswith(f".{language}")}

    def pairs(self, split: str) -> Iterator[SentencePair]:
        """Yield the raw lines of a split.

        Raises:
            UserError: a file is missing, unreadable or damaged, or the sides have different numbers of lines.
        """
        source, target = self.file(split, self.source), self.file(split, self.target)
        counts = [0, 0]
        for ours, theirs in zip_longest(read_lines(source), read_lines(target)):
            counts[0] += ours is not None
            counts[1] += theirs is not None
            if ours is not None and theirs is not None:
                yield SentencePair(ours, theirs)
        if counts[0] != counts[1]:
            raise UserError(
                f"{source} has {counts[0]:,} lines but {target} has {counts[1]:,}; lines must correspond one to one"
            )

    def fingerprint(self, split: str) -> str:
        """Return a hash of both files' bytes; a file that differs from the card's checksum is reported."""
        hashes = []
        for language in (self.source, self.target):
            path = self.file(split, language)
            try:
                hashes.append(self._cache.file_hash(path))
            except OSError as error:
                raise UserError(f"{path}: cannot be read ({error.strerror})") from None
            expected = self.card.sha256.get(path.name) if self.card else None
            if expected not in (None, hashes[-1]):
                self._report(f"{path}: not the file that the card of {self.card.name if self.card else ''} describes (SHA-256)")
        return digest("files", hashes)

    def file(self, split: str, language: str) -> Path:
        """Return the file of one side of a split.

        Raises:
            UserError: there is none, or two, or it leads out of the folder.
        """
        plain = below(self.folder, f"{split}.{language}")
        zipped = below(self.folder, f"{split}.{language}.gz")
        if plain.is_file() and zipped.is_file():
            raise UserError(f"{plain} and {zipped.name} are both there; remove one, so that it is clear which is meant")
        if zipped.is_file():
            return zipped
        if not plain.is_file():
            there = ", ".join(self.splits()) or f"none in {self.source} and {self.target}"
            raise UserError(f"{plain}[.gz]: no such file; splits of {self.source}-{self.target} there: {there}")
        return plain


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file without their ends (LF or CR LF) and without a byte order mark.

    Raises:
        UserError: unreadable, damaged gzip, UTF-16, or a line of more than 64 MiB.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from _lines(cast(BinaryIO, file), path)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path}: damaged or incomplete gzip file ({error}); fetch it again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None


def _lines(file: BinaryIO, path: Path) -> Iterator[str]:
    for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE_BYTES), b""), start=1):
        if number == 1:
            if line.startswith(_WIDE_BOMS):
                raise UserError(f"{path}: UTF-16 text; save it as UTF-8, for example with iconv -f UTF-16 -t UTF-8")
            line = line.removeprefix(_BOM)
        if len(line) == _MAX_LINE_BYTES and not line.endswith(b"\n"):
            raise UserError(
                f"{path}: line {number} is longer than {_MAX_LINE_BYTES // 2**20} MiB; is this a text with one sentence a line?"
            )
        yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")
