"""From a corpus to what is trained on: cleaned text, tokenizers, pieces; each cached under a hash of all that decides it."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.config.data import DataSettings, TokenizerSettings
from seq2seq.config.errors import UserError
from seq2seq.corpus.cache import Cache, default_cache, digest
from seq2seq.corpus.cleaning import CleaningCounts, clean_training, concatenate, normalise_evaluation
from seq2seq.corpus.encoded import EncodedSplit, PairTexts, TokenArrays, TokenWriter
from seq2seq.corpus.lookup import Corpus, open_corpus
from seq2seq.corpus.pairs import SentencePair
from seq2seq.corpus.tokenizer import Tokenizer

__all__ = ["EncodedSplit", "PreparedData", "prepare"]

_VERSION = 3
"""Counts up whenever the same corpus and settings would give other sentences or pieces; old entries are then left alone."""
_CLEANING = ("max_words", "max_tokens", "max_pairs", "max_ratio", "drop_duplicates")


@dataclass(frozen=True, kw_only=True)
class PreparedData:
    """A corpus ready to train on."""

    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer
    """The same object as `source_tokenizer` where the vocabulary is joint."""
    train: EncodedSplit
    valid: EncodedSplit
    tests: dict[str, EncodedSplit]
    """By split name."""
    counts: dict[str, CleaningCounts]
    """What became of the lines, by split name."""
    fingerprints: dict[str, str]
    """SHA-256 of the sentences of each split as used, by name, and of the tokenizers: source_tokenizer, target_tokenizer."""


@dataclass(frozen=True)
class _Text:
    """A split after cleaning."""

    texts: PairTexts
    counts: CleaningCounts
    sha256: str
    characters: dict[str, int]
    """Of each side: source, target."""


def prepare(
    settings: DataSettings,
    tokenizer_settings: TokenizerSettings,
    *,
    report: Callable[[str], None],
    cache: Path | None = None,
) -> PreparedData:
    """Clean, learn pieces and encode, or open what an earlier call left in the cache.

    Args:
        settings: which sentences.
        tokenizer_settings: how they become pieces.
        report: told in one line each where the corpus is and what was dropped.
        cache: folder, None for $SEQ2SEQ_CACHE or ~/.cache/seq2seq.

    Raises:
        UserError: the corpus cannot be had or used, or the vocabulary does not fit it.
    """
    store = Cache(cache or default_cache())
    corpus = open_corpus(settings, report=report, cache=store.root)
    names = (settings.train, settings.valid, *(name for name in settings.test if name != settings.valid))
    texts = {name: _text(corpus, name, settings, store) for name in names}
    source, target = _tokenizers(texts[settings.train], tokenizer_settings, store, report)
    splits: dict[str, EncodedSplit] = {}
    counts: dict[str, CleaningCounts] = {}
    for name in names:
        limit = settings.max_tokens if name == settings.train else None
        splits[name], counts[name] = _encode(texts[name], source, target, store, limit, settings)
        report(f"{name}: {counts[name].describe()}")
    if not len(splits[settings.train]):
        raise UserError(
            f"data.train: no pair of '{settings.train}' is left after cleaning ({counts[settings.train].describe()})"
        )
    return PreparedData(
        source_tokenizer=source,
        target_tokenizer=target,
        train=splits[settings.train],
        valid=splits[settings.valid],
        tests={name: splits[name] for name in settings.test},
        counts=counts,
        fingerprints={name: text.sha256 for name, text in texts.items()}
        | {"source_tokenizer": source.fingerprint, "target_tokenizer": target.fingerprint},
    )


def _text(corpus: Corpus, name: str, settings: DataSettings, store: Cache) -> _Text:
    training = name == settings.train
    joined = settings.concatenate if name in settings.test else 1
    rules = {rule: getattr(settings, rule) for rule in _CLEANING} if training else {"concatenate": joined}

    def pairs(counts: CleaningCounts) -> Iterator[SentencePair]:
        if training:
            return clean_training(corpus.pairs(name), settings, counts)
        lines = normalise_evaluation(corpus.pairs(name), settings, counts, f"{corpus.origin}, split '{name}'")
        return concatenate(lines, joined) if joined > 1 else lines

    def build(folder: Path) -> None:
        counts, sha256, characters = CleaningCounts(), hashlib.sha256(), {"source": 0, "target": 0}
        PairTexts.write(folder / "pairs.arrow", _observed(pairs(counts), sha256, characters))
        if not counts.kept:
            what = (
                f"no pair of split '{name}' is left after cleaning ({counts.describe()})"
                if counts.lines
                else f"split '{name}' is empty"
            )
            raise UserError(f"{corpus.origin}: {what}; check the files and data.source, data.target")
        summary = {"counts": counts.as_dict(), "sha256": sha256.hexdigest(), "characters": characters}
        (folder / "text.json").write_text(json.dumps(summary), encoding="utf-8")

    place = store.entry("text", digest(_VERSION, corpus.fingerprint(name), settings.source, settings.target, rules), build)
    known = json.loads((place / "text.json").read_text(encoding="utf-8"))
    counts = CleaningCounts.from_dict(known["counts"])
    return _Text(PairTexts(place / "pairs.arrow"), counts, known["sha256"], known["characters"])


def _observed(pairs: Iterable[SentencePair], sha256: Any, characters: dict[str, int]) -> Iterator[SentencePair]:
    """Pass pairs on, hashed and counted."""
    for pair in pairs:
        characters["source"] += len(pair.source)
        characters["target"] += len(pair.target)
        sha256.update(f"{pair.source}\n{pair.target}\n{pair.links or ''}\n".encode())
        yield pair


def _tokenizers(
    text: _Text, settings: TokenizerSettings, store: Cache, report: Callable[[str], None]
) -> tuple[Tokenizer, Tokenizer]:
    from importlib.metadata import version

    sides = {"joint": ("source", "target")} if settings.joint else {"source": ("source",), "target": ("target",)}

    def build(folder: Path) -> None:
        for name, languages in sides.items():
            share = settings.sample_characters / sum(text.characters[side] for side in languages)
            lines = (line for side in languages for line in _sample(text, side, share))
            Tokenizer.train(lines, settings).save(folder / f"{name}.model")

    place = store.entry("tokenizer", digest(_VERSION, text.sha256, settings.model_dump(), version("sentencepiece")), build)
    found = [Tokenizer.load(place / f"{name}.model") for name in sides]
    sizes = " and ".join(str(tokenizer.vocabulary_size) for tokenizer in found)
    report(f"tokenizer: {settings.kind}, {'joint' if settings.joint else 'separate'}, {sizes} pieces")
    return found[0], found[-1]


def _sample(text: _Text, side: str, share: float) -> Iterator[str]:
    """Yield about `share` of a side's sentences, evenly spaced, or all from 1 on."""
    position = 0
    for batch in text.texts.sentences(side):
        for line in batch:
            if share >= 1 or int((position + 1) * share) > int(position * share):
                yield line
            position += 1


def _encode(
    text: _Text, source: Tokenizer, target: Tokenizer, store: Cache, limit: int | None, settings: DataSettings
) -> tuple[EncodedSplit, CleaningCounts]:
    tokenizers = {"source": source, "target": target}

    def build(folder: Path) -> None:
        rows: list[NDArray[np.int64]] = []
        first = 0
        with ExitStack() as open_files:
            writers = [open_files.enter_context(TokenWriter(folder, side, t.vocabulary_size)) for side, t in tokenizers.items()]
            for lines in zip(text.texts.sentences("source"), text.texts.sentences("target"), strict=True):
                encoded = [tokenizer.encode_batch(side) for tokenizer, side in zip(tokenizers.values(), lines, strict=True)]
                longest = np.array([[len(ids) for ids in side] for side in encoded]).max(axis=0)
                kept = np.flatnonzero(longest <= limit) if limit is not None else np.arange(len(longest))
                for side, writer in zip(encoded, writers, strict=True):
                    writer.write([side[i] for i in kept])
                rows.append(kept + first)
                first += len(longest)
        np.save(folder / "rows.npy", np.concatenate(rows).astype(np.int64))

    key = digest(_VERSION, text.sha256, source.fingerprint, target.fingerprint, limit)
    place = store.entry("pieces", key, build)
    arrays = {side: TokenArrays.open(place, side, tokenizer.vocabulary_size) for side, tokenizer in tokenizers.items()}
    rows = np.load(place / "rows.npy", mmap_mode="r")
    split = EncodedSplit(
        arrays["source"],
        arrays["target"],
        text.texts,
        rows=rows,
        reverse_source=settings.reverse_source,
        source_language=settings.source,
    )
    counts = CleaningCounts.from_dict(text.counts.as_dict())
    if limit is not None:
        counts.dropped["too_many_pieces"] += counts.kept - len(split)
    return split, counts
