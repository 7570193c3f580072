"""The sentences that this project trains on, written out as pieces for others to read."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.corpus import prepared
from seq2seq.corpus.encoded import EncodedSplit, TokenArrays
from seq2seq.corpus.tokenizer import EOS, Tokenizer

SPECIALS = ("<pad>", "<unk>", "<s>", "</s>")


def write_pieces(corpus: str, folder: Path) -> None:
    """Write {train,valid,test}.{de,en}, a sentence a line, pieces apart, and the vocabulary in the forms that peers read.

    `pieces.txt` has a piece a line behind unk, pad, bos, eos; `counts.tsv` piece and count without specials, most frequent
    first; `ids.json` numbers, pad 0, unk 1, bos 2, eos 3.
    """
    data = prepared(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    for name, split in {"train": data.train, "valid": data.valid, "test": next(iter(data.tests.values()))}.items():
        for language, side, tokenizer in _sides(split, data.source_tokenizer, data.target_tokenizer):
            sentences = _sentences(side, tokenizer)
            (folder / f"{name}.{language}").write_text("".join(f"{line}\n" for line in sentences), encoding="utf-8")
            if name == "train":
                counts.update(piece for line in sentences for piece in line.split(" "))
    size = data.source_tokenizer.vocabulary_size
    pieces = sorted(data.source_tokenizer.pieces(range(EOS + 1, size)), key=lambda piece: -counts[piece])
    unk_first = ("<unk>", "<pad>", "<s>", "</s>")
    (folder / "pieces.txt").write_text("".join(f"{piece}\n" for piece in (*unk_first, *pieces)), encoding="utf-8")
    table = "".join(f"{piece}\t{max(1, counts[piece])}\n" for piece in pieces)
    (folder / "counts.tsv").write_text(table, encoding="utf-8")
    numbers = {piece: number for number, piece in enumerate((*SPECIALS, *pieces))}
    (folder / "ids.json").write_text(json.dumps(numbers, ensure_ascii=False), encoding="utf-8")


def _sides(split: EncodedSplit, source: Tokenizer, target: Tokenizer) -> list[tuple[str, TokenArrays, Tokenizer]]:
    return [("de", split.source_arrays, source), ("en", split.target_arrays, target)]


def _sentences(side: TokenArrays, tokenizer: Tokenizer) -> list[str]:
    table: Sequence[str] = tokenizer.pieces(range(tokenizer.vocabulary_size))
    tokens = side.tokens.tolist()
    starts, ends = side.offsets[:-1].tolist(), side.offsets[1:].tolist()
    return [" ".join(table[i] for i in tokens[first:last]) for first, last in zip(starts, ends, strict=True)]
