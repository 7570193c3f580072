"""Splits as they are trained on: flat arrays of subwords, memory-mapped, beside the raw text in Arrow."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from seq2seq.config.languages import sentence_length
from seq2seq.corpus.pairs import SentencePair
from seq2seq.corpus.tokenizer import EOS, Tokenizer

_SMALL = 1 << 16
_ROWS = 10_000
_SLICE = 1 << 20
"""Tokens looked at together."""


class TokenArrays(NamedTuple):
    """One side of a split: all sentences in one array."""

    tokens: NDArray[Any]
    """(sum of lengths,) uint16 or int32, without bos and eos."""
    offsets: NDArray[np.int64]
    """(N + 1,); sentence i is `tokens[offsets[i]:offsets[i + 1]]`."""

    @property
    def lengths(self) -> NDArray[np.int32]:
        """(N,) subwords of each sentence."""
        return np.diff(self.offsets).astype(np.int32)

    def sentence(self, i: int) -> list[int]:
        """Return the subwords of sentence i."""
        subwords: list[int] = self.tokens[self.offsets[i] : self.offsets[i + 1]].tolist()
        return subwords

    def slices(self) -> Iterator[NDArray[Any]]:
        """Yield all tokens, some at a time; read where they are on disk, not mapped, so that no page stays behind in memory."""
        for start in range(0, len(self.tokens), _SLICE):
            if isinstance(self.tokens, np.memmap):
                size = self.tokens.itemsize
                count = min(_SLICE, len(self.tokens) - start)
                yield np.fromfile(str(self.tokens.filename), self.tokens.dtype, count, offset=start * size)
            else:
                yield self.tokens[start : start + _SLICE]

    def first(self, count: int) -> Self:
        """Return the first sentences; nothing is copied."""
        return type(self)(self.tokens[: int(self.offsets[count])], self.offsets[: count + 1])

    @classmethod
    def from_lists(cls, sentences: Iterable[Sequence[int]]) -> Self:
        """Lay sentences end to end in memory."""
        lists = list(sentences)
        offsets = np.cumsum([0, *map(len, lists)], dtype=np.int64)
        return cls(np.fromiter(chain.from_iterable(lists), np.int32, count=int(offsets[-1])), offsets)

    @classmethod
    def open(cls, folder: Path, side: str, vocabulary_size: int) -> Self:
        """Map what `token_writer` wrote; nothing is read until it is used."""
        path = folder / f"{side}.tokens"
        kind = token_type(vocabulary_size)
        empty = path.stat().st_size == 0  # an empty file cannot be mapped
        tokens = np.empty(0, kind) if empty else np.memmap(path, kind, mode="r")
        return cls(tokens, np.load(folder / f"{side}.offsets.npy", mmap_mode="r"))


def token_type(vocabulary_size: int) -> type[Any]:
    """Return the smallest integer type that holds every subword: half the disk and page cache for most vocabularies."""
    return np.uint16 if vocabulary_size <= _SMALL else np.int32


@contextmanager
def token_writer(folder: Path, side: str, vocabulary_size: int) -> Iterator[Callable[[Sequence[Sequence[int]]], None]]:
    """Write one side of a split, batch after batch, holding eight bytes a sentence in memory: yields what appends sentences."""
    kind, offsets = token_type(vocabulary_size), array("q", [0])
    with (folder / f"{side}.tokens").open("wb") as file:

        def write(sentences: Sequence[Sequence[int]]) -> None:
            before = offsets[-1]
            offsets.extend(before + end for end in accumulate(map(len, sentences)))
            file.write(np.fromiter(chain.from_iterable(sentences), kind, count=offsets[-1] - before).tobytes())

        yield write
    np.save(folder / f"{side}.offsets.npy", np.frombuffer(offsets, np.int64))


class PairTexts:
    """The normalised sentences of a split in an Arrow stream file, the form that `datasets` keeps; opened when first asked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def write(path: Path, pairs: Iterable[SentencePair]) -> None:
        """Write pairs in batches, so that memory does not grow with their number."""
        import pyarrow as pa

        schema = pa.schema({"source": pa.string(), "target": pa.string(), "links": pa.list_(pa.int32())})
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
            for batch in batched(pairs, _ROWS):
                columns = {
                    "source": [pair.source for pair in batch],
                    "target": [pair.target for pair in batch],
                    "links": [None if p.links is None else [i for link in p.links for i in link] for p in batch],
                }
                writer.write_table(pa.table(columns, schema=schema))

    def __getitem__(self, row: int) -> SentencePair:
        found = self._table.slice(row, 1).to_pylist()[0]
        links = None if found["links"] is None else tuple(zip(found["links"][::2], found["links"][1::2], strict=True))
        return SentencePair(found["source"], found["target"], links)

    def sentences(self, side: str) -> Iterator[list[str]]:
        """Yield the sentences of a side in batches, in order; read, not mapped, so that no page stays behind in memory."""
        import pyarrow as pa

        with pa.OSFile(str(self.path)) as file, pa.ipc.open_stream(file) as batches:
            for batch in batches:
                yield batch.column(side).to_pylist()

    @cached_property
    def _table(self) -> Any:
        import pyarrow as pa

        return pa.ipc.open_stream(pa.memory_map(str(self.path))).read_all()


class Texts(Protocol):
    """Pairs by row."""

    def __getitem__(self, row: int, /) -> SentencePair: ...


@dataclass(eq=False)
class EncodedSplit:
    """Sentence pairs as text and as subwords, in reading order on both sides; with `reverse_source` batching turns sources."""

    source_arrays: TokenArrays
    target_arrays: TokenArrays
    texts: Texts
    """A list of pairs, or whatever gives one when asked."""
    _: KW_ONLY
    rows: NDArray[np.int64] | None = None
    """(N,), the row of each sentence in `texts`; None where they agree."""
    reverse_source: bool = False
    source_language: str = "en"
    """What the length of a source is counted in follows from it."""
    predictions: NDArray[np.int64] | None = None
    """(N,), how many of a sentence's target tokens, end of sentence counted, are to be predicted, where padding stands in place
    of the others; None for all of them."""

    def __post_init__(self) -> None:
        self.source_lengths, self.target_lengths = self.source_arrays.lengths, self.target_arrays.lengths

    def first(self, count: int) -> Self:
        """Return a split of the first sentences, all where there are no more than that."""
        count = min(count, len(self))
        return replace(self, source_arrays=self.source_arrays.first(count), target_arrays=self.target_arrays.first(count))

    def __len__(self) -> int:
        return len(self.source_lengths)

    def pair(self, i: int) -> SentencePair:
        """Return the text of pair i, 0 <= i < len."""
        if not 0 <= i < len(self):
            raise IndexError(f"pair {i} of {len(self)}")
        return self.texts[i if self.rows is None else int(self.rows[i])]

    def source(self, i: int) -> str:
        """Return source sentence i."""
        return self.pair(i).source

    def length(self, i: int) -> int:
        """Return the words of source sentence i (characters in a language without spaces)."""
        return sentence_length(self.source(i), self.source_language)

    def target(self, i: int) -> str:
        """Return target sentence i."""
        return self.pair(i).target

    def source_tokens(self, i: int) -> list[int]:
        """Return the subwords of source sentence i in reading order (even with `reverse_source`), without eos."""
        return self.source_arrays.sentence(i)

    def target_counts(self, vocabulary_size: int) -> NDArray[np.int64]:
        """(V,) occurrences of each target token, one end of sentence for each sentence."""
        counts = np.zeros(vocabulary_size, np.int64)
        for tokens in self.target_arrays.slices():  # bincount makes 8 bytes of each token
            counts += np.bincount(tokens, minlength=vocabulary_size)
        counts[EOS] += len(self)
        return counts

    def target_tokens(self, i: int) -> list[int]:
        """Return the subwords of target sentence i, without bos and eos."""
        return self.target_arrays.sentence(i)


def encode_lines(
    lines: Sequence[str],
    source: Tokenizer,
    target: Tokenizer,
    *,
    targets: Sequence[str] | None = None,
    reverse_source: bool = False,
) -> EncodedSplit:
    """Make a split of sentences to translate; its targets are empty unless `targets` gives one for each line."""
    texts = [""] * len(lines) if targets is None else targets
    read, said = (TokenArrays.from_lists(each) for each in (source.encode_batch(lines), target.encode_batch(texts)))
    pairs = [SentencePair(*pair) for pair in zip(lines, texts, strict=True)]
    return EncodedSplit(read, said, pairs, reverse_source=reverse_source)


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of `size` items, the last shorter (itertools has it from Python 3.12)."""
    source = iter(items)
    return iter(lambda: list(islice(source, size)), [])
