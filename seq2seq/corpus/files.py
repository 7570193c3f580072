"""Corpora as parallel text: `<split>.<language>`, line by line, or `<split>.<a>-<b>.tsv`; plain, .gz, .xz or .zst.

Line n of one side translates line n of the other; of a table the first two columns are languages a and b.
Only a line feed ends a line; U+2028 and the like are spaces inside one. Bytes that are not UTF-8 travel on as lone surrogates
(`surrogateescape`), so that cleaning can count them.
"""

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO

from seq2seq.config.errors import UserError, counted
from seq2seq.corpus.cache import Cache, digest
from seq2seq.corpus.cards import Card, below
from seq2seq.corpus.pairs import SentencePair

_NAMES = {"": "text", ".gz": "gzip", ".xz": "xz", ".zst": "zstd"}
PACKED = tuple(_NAMES)
"""Endings of a file's name that say how it is compressed."""
_MAX_LINE_BYTES = 64 * 2**20
_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")


class FileCorpus:
    """Parallel text in a folder, outside which nothing is read; `report` hears of files that are not those of the card."""

    def __init__(
        self, folder: Path, *, source: str, target: str, card: Card | None, cache: Cache, report: Callable[[str], None]
    ) -> None:
        self.folder, self.card = folder, card
        self.source, self.target = source, target
        self.origin = f"files in {folder}"
        self._cache, self._report = cache, report

    def splits(self) -> tuple[str, ...]:
        """Return the splits that have both languages."""
        names = {path.name.removesuffix(ending) for path in self.folder.iterdir() for ending in PACKED}

        def with_ending(ending: str) -> set[str]:
            return {name.removesuffix(ending) for name in names if name.endswith(ending)}

        sides = with_ending(f".{self.source}") & with_ending(f".{self.target}")
        return tuple(sorted(sides.union(*map(with_ending, self._tables()))))

    def _tables(self) -> tuple[str, str]:
        """Endings of a split that is one table."""
        return f".{self.source}-{self.target}.tsv", f".{self.target}-{self.source}.tsv"

    def pairs(self, split: str) -> Iterator[SentencePair]:
        """Yield the raw lines of a split; a `UserError` for a file missing or damaged, or sides of different lengths."""
        files = self.files(split)
        if len(files) == 1:
            yield from self._rows(files[0])
            return
        source, target = files
        counts = [0, 0]
        for ours, theirs in zip_longest(read_lines(source), read_lines(target)):
            counts[0] += ours is not None
            counts[1] += theirs is not None
            if ours is not None and theirs is not None:
                yield SentencePair(ours, theirs)
        if counts[0] != counts[1]:
            raise UserError(
                f"{source} has {counted(counts[0], 'line')} but {target} has {counts[1]:,}; lines must correspond one to one"
            )

    def _rows(self, table: Path) -> Iterator[SentencePair]:
        reverse, wide = self._tables()[1] in table.name, 0
        for number, line in enumerate(read_lines(table), start=1):
            first, tab, rest = line.partition("\t")
            if not tab and line.strip():
                raise UserError(f"{table}: line {number} has no tab; each line holds a sentence, a tab and its translation")
            second, more, _ = rest.partition("\t")
            wide += bool(more)
            yield SentencePair(second, first) if reverse else SentencePair(first, second)
        if wide:
            self._report(f"{table}: what follows the second column is not read (lines: {wide:,})")

    def fingerprint(self, split: str) -> str:
        """Return a hash of the files' bytes and endings; a file that differs from the card's checksum is reported."""
        files, hashes = self.files(split), []
        for path in files:
            try:
                hashes.append(self._cache.file_hash(path))
            except OSError as error:
                raise UserError(f"{path}: cannot be read ({error.strerror})") from None
            expected = self.card.sha256.get(path.name) if self.card else None
            if expected not in (None, hashes[-1]):
                self._report(f"{path}: not the file that the card of {self.card.name if self.card else ''} describes (SHA-256)")
        return digest("files", hashes, [path.name.removeprefix(split) for path in files])  # an ending says how bytes are read

    def files(self, split: str) -> tuple[Path, ...]:
        """Return the table of a split, or its two sides; a `UserError` for none, or two, or a link out of the folder."""
        sides = [self._found(f"{split}.{language}") for language in (self.source, self.target)]
        tables = [path for ending in self._tables() for path in self._found(split + ending)]
        for some in (*sides, tables, [*tables, *sides[0]] if tables and all(sides) else []):
            if len(some) > 1:
                raise UserError(f"{some[0]} and {some[1].name} are both there; remove one, so that it is clear which is meant")
        if tables:
            return tuple(tables)
        for language, some in zip((self.source, self.target), sides, strict=True):
            if not some:
                there = ", ".join(self.splits()) or "none"
                table = f"{split}{self._tables()[0]}"
                raise UserError(
                    f"{self.folder / split}.{language}[.gz]: no such file, nor {table}; "
                    f"splits of {self.source}-{self.target} there: {there}"
                )
        return sides[0][0], sides[1][0]

    def _found(self, name: str) -> list[Path]:
        return [path for ending in PACKED if (path := below(self.folder, name + ending)).is_file()]


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file without their ends (LF or CR LF) and without a byte order mark.

    A `UserError` for a file that is unreadable, damaged where it is compressed, UTF-16, has lines ended by CR alone, or has a
    line of more than 64 MiB.
    """
    opened: Any = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    damaged: tuple[type[Exception], ...] = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)
    if path.suffix == ".zst":
        zstd = _zstd(path)
        opened, damaged = zstd.open, (*damaged, zstd.ZstdError)
    try:
        with opened(path, "rb") as file:
            yield from _lines(file, path)
    except damaged as error:
        raise UserError(
            f"{path}: damaged or incomplete {_NAMES.get(path.suffix, path.suffix)} file ({error}); fetch it again"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None


def _zstd(path: Path) -> Any:
    """Return the module that reads .zst: Python's own from 3.14 on, else its backport."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    raise UserError(f"{path}: reading .zst needs a package; pip install 'seq2seq[zstd]', or unpack the file with zstd -d")


def _lines(file: BinaryIO, path: Path) -> Iterator[str]:
    for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE_BYTES), b""), start=1):
        if number == 1:
            if line.startswith(_WIDE_BOMS):
                raise UserError(f"{path}: UTF-16 text; save it as UTF-8, for example with iconv -f UTF-16 -t UTF-8")
            line = line.removeprefix(_BOM)
            if b"\r" in line and not line.endswith(b"\n"):  # no line feed in the whole file
                raise UserError(f"{path}: lines end in CR alone; save it with LF, for example with tr '\\r' '\\n'")
        if len(line) == _MAX_LINE_BYTES and not line.endswith(b"\n"):
            raise UserError(
                f"{path}: line {number} is longer than {_MAX_LINE_BYTES // 2**20} MiB; is this a text with one sentence a line?"
            )
        yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")
