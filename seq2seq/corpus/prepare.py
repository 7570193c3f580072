"""From a corpus to what is trained on: cleaned text, tokenizers, subwords; each cached under a hash of all that decides it."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from seq2seq.config.data import DataSettings, JoinSettings, TokenizerSettings
from seq2seq.config.embedded import IMAGE
from seq2seq.config.errors import UserError
from seq2seq.config.languages import sentence_length
from seq2seq.corpus.cache import Cache, digest
from seq2seq.corpus.cleaning import CleaningCounts, clean_training, normalise_evaluation
from seq2seq.corpus.encoded import EncodedSplit, PairTexts, TokenArrays, token_writer
from seq2seq.corpus.images import ImageTokenizer
from seq2seq.corpus.join import TrainingJoins, balanced_groups, join_pairs
from seq2seq.corpus.lookup import Corpus, open_corpus
from seq2seq.corpus.pairs import SentencePair
from seq2seq.corpus.tokenizer import Tokenizer

__all__ = ["EncodedSplit", "EvaluationData", "PreparedData", "encode_tests", "prepare", "read_tests"]

_VERSION = 4
"""Counts up whenever the same corpus and settings would give other sentences or subwords; old entries are then left alone."""
_CLEANING = ("max_words", "max_tokens", "max_pairs", "max_ratio", "drop_duplicates")


@dataclass(frozen=True, kw_only=True)
class EvaluationData:
    """Splits to translate and score, as a run's own tokenizers cut them."""

    tests: dict[str, EncodedSplit]
    """By split name."""
    fingerprints: dict[str, str]
    """SHA-256 of the sentences of each split as used, by name; of a corpus to train on also those of the tokenizers:
    source_tokenizer, target_tokenizer."""


@dataclass(frozen=True, kw_only=True)
class PreparedData(EvaluationData):
    """A corpus ready to train on."""

    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer
    """The same object as `source_tokenizer` where the vocabulary is joint."""
    train: EncodedSplit
    valid: EncodedSplit
    counts: dict[str, CleaningCounts]
    """What became of the lines, by split name."""
    monolingual: EncodedSplit
    """All pairs of the training split; `train` is its beginning where `data.parallel_pairs` says so."""
    joins: TrainingJoins | None = None
    """Joins the pairs of `train` anew in every epoch; None where they stand alone."""
    seen: dict[str, dict[str, int]] = field(default_factory=dict)
    """Of each test split that has some: `sources` that stand in the training text too, and `pairs`, translation included."""


class SplitText(NamedTuple):
    """The sentences of a split, as they are translated and scored."""

    sources: list[str]
    references: list[str]
    fingerprint: str
    """SHA-256 of the sentences as used."""


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
    """Clean, learn subwords and encode, or open what an earlier call left in the cache.

    `report` is called with a line each for where the corpus is and what was dropped; `cache` is a folder, None for
    $SEQ2SEQ_CACHE or ~/.cache/seq2seq. A `UserError` if the corpus cannot be had or used, or the vocabulary does not fit it.
    """
    store = Cache(cache)
    names = (settings.train, settings.valid, *(name for name in settings.test if name != settings.valid))
    texts = _texts(settings, names, store, report)
    source, target = _tokenizers(texts[settings.train], settings, tokenizer_settings, store, report)
    splits: dict[str, EncodedSplit] = {}
    counts: dict[str, CleaningCounts] = {}
    for name in names:
        limit = settings.max_tokens if name == settings.train else None
        splits[name], counts[name] = _encode(texts[name], source, target, store, limit, settings)
        report(f"{name}: {counts[name].describe()}")
    train = whole = splits[settings.train]
    if not len(whole):
        raise UserError(
            f"data.train: no pair of '{settings.train}' is left after cleaning ({counts[settings.train].describe()})"
        )
    if settings.parallel_pairs is not None:
        train = whole.first(settings.parallel_pairs)
        report(f"{settings.train}: {len(train):,} parallel pairs; of the others each side is text on its own")
    joins = None
    if settings.join is not None:
        sides = ((source, settings.source), (target, settings.target))
        joins = TrainingJoins(train, settings.join, max_tokens=settings.max_tokens, max_words=settings.max_words, sides=sides)
    seen = {name: found for name in settings.test if (found := _seen(texts[name], texts[settings.train], store))["sources"]}
    for name, found in seen.items():
        report(
            f"{name}: {found['sources']:,} source sentences stand in the training text too, {found['pairs']:,} as whole pairs"
        )
    return PreparedData(
        source_tokenizer=source,
        target_tokenizer=target,
        train=train,
        monolingual=whole,
        valid=splits[settings.valid],
        tests={name: splits[name] for name in settings.test},
        counts=counts,
        seen=seen,
        fingerprints={name: text.sha256 for name, text in texts.items()}
        | {settings.train: _train_fingerprint(texts[settings.train].sha256, settings)}
        | {"source_tokenizer": source.fingerprint, "target_tokenizer": target.fingerprint},
        joins=joins,
    )


def read_tests(settings: DataSettings, names: Sequence[str]) -> dict[str, SplitText]:
    """Return the sentences of some splits without reading the training text; a `UserError` if one cannot be had."""
    texts = _texts(settings, names, Cache(), lambda _: None)
    return {
        name: SplitText(list(_lines(text, "source")), list(_lines(text, "target")), text.sha256) for name, text in texts.items()
    }


def encode_tests(settings: DataSettings, names: Sequence[str], source: Tokenizer, target: Tokenizer) -> EvaluationData:
    """Return some splits as the given tokenizers cut them, without reading the training text; errors as of `read_tests`."""
    store = Cache()
    texts = _texts(settings, names, store, lambda _: None)
    return EvaluationData(
        tests={name: _encode(text, source, target, store, None, settings)[0] for name, text in texts.items()},
        fingerprints={name: text.sha256 for name, text in texts.items()},
    )


def _texts(settings: DataSettings, names: Sequence[str], store: Cache, report: Callable[[str], None]) -> dict[str, _Text]:
    corpus = open_corpus(settings, report=report, cache=store.root)
    return {name: _text(corpus, name, settings, store) for name in names}


def _seen(test: _Text, train: _Text, store: Cache) -> dict[str, int]:
    """Count the test sentences that stand in the training text too."""

    def build(folder: Path) -> None:
        pairs = list(_pairs(test))
        sources = {source for source, _ in pairs}
        trained = {pair for pair in _pairs(train) if pair[0] in sources}
        known = {source for source, _ in trained}
        counts = {"sources": sum(source in known for source, _ in pairs), "pairs": sum(pair in trained for pair in pairs)}
        (folder / "seen.json").write_text(json.dumps(counts), encoding="utf-8")

    place = store.entry("seen", digest(_VERSION, test.sha256, train.sha256), build)
    found: dict[str, int] = json.loads((place / "seen.json").read_text(encoding="utf-8"))
    return found


def _lines(text: _Text, side: str) -> Iterator[str]:
    return chain.from_iterable(text.texts.sentences(side))


def _pairs(text: _Text) -> Iterator[tuple[str, str]]:
    return zip(_lines(text, "source"), _lines(text, "target"), strict=True)


def _train_fingerprint(sha256: str, settings: DataSettings) -> str:
    if settings.join is None and settings.parallel_pairs is None:
        return sha256
    join = settings.join and settings.join.model_dump(mode="json", exclude_none=True)
    limits = [settings.max_tokens, settings.max_words]
    rules = json.dumps([join, *limits, *([] if settings.parallel_pairs is None else [settings.parallel_pairs])])
    return hashlib.sha256(f"{sha256} {rules}".encode()).hexdigest()


def _text(corpus: Corpus, name: str, settings: DataSettings, store: Cache) -> _Text:
    training, join = name == settings.train, settings.join
    rules: dict[str, Any] = {rule: getattr(settings, rule) for rule in _CLEANING} if training else {}
    kept_apart = dict.fromkeys((settings.valid, *settings.test)) if training and join is not None else {}
    if kept_apart:
        rules["held_out"] = [corpus.fingerprint(other) for other in kept_apart]
    elif join is not None:
        rules["join"] = join.model_dump(mode="json", exclude={"single_share"}, exclude_none=True)

    def lines(split: str, counts: CleaningCounts) -> Iterator[SentencePair]:
        return normalise_evaluation(corpus.pairs(split), settings, counts, f"{corpus.origin}, split '{split}'")

    def pairs(counts: CleaningCounts) -> Iterable[SentencePair]:
        if training:
            held_out = {(pair.source, pair.target) for other in kept_apart for pair in lines(other, CleaningCounts())}
            return clean_training(corpus.pairs(name), settings, counts, held_out)
        return lines(name, counts) if join is None else _joined(list(lines(name, counts)), join, settings.source, counts)

    def build(folder: Path) -> None:
        counts, sha256, characters = CleaningCounts(), hashlib.sha256(), {"source": 0, "target": 0}
        PairTexts.write(folder / "pairs.arrow", _observed(pairs(counts), sha256, characters))
        if not counts.kept:
            left = f"no pair of split '{name}' is left after cleaning ({counts.describe()})"
            problem = left if counts.lines else f"split '{name}' is empty"
            raise UserError(f"{corpus.origin}: {problem}; check the files and data.source, data.target")
        summary = {"counts": vars(counts), "sha256": sha256.hexdigest(), "characters": characters}
        (folder / "text.json").write_text(json.dumps(summary), encoding="utf-8")

    place = store.entry("text", digest(_VERSION, corpus.fingerprint(name), settings.source, settings.target, rules), build)
    known = json.loads((place / "text.json").read_text(encoding="utf-8"))
    counts = TypeAdapter(CleaningCounts).validate_python(known["counts"])
    return _Text(PairTexts(place / "pairs.arrow"), counts, known["sha256"], known["characters"])


def _joined(pairs: Sequence[SentencePair], settings: JoinSettings, language: str, counts: CleaningCounts) -> list[SentencePair]:
    """Join a validation or test split, in an order that has nothing to do with length; its first lines are a sample of all."""
    found = balanced_groups([sentence_length(pair.source, language) for pair in pairs], settings)
    counts.joined = {name: len(groups) for name, groups in found.items()}
    groups = [group for bucket in found.values() for group in bucket]
    order = np.random.default_rng(settings.seed).permutation(len(groups))
    return [join_pairs([pairs[i] for i in groups[place]], settings.between) for place in order]


def _observed(pairs: Iterable[SentencePair], sha256: Any, characters: dict[str, int]) -> Iterator[SentencePair]:
    """Pass pairs on, hashed and counted."""
    for pair in pairs:
        characters["source"] += len(pair.source)
        characters["target"] += len(pair.target)
        sha256.update(f"{pair.source}\n{pair.target}\n{pair.links or ''}\n".encode())
        yield pair


def _tokenizers(
    text: _Text, data: DataSettings, settings: TokenizerSettings, store: Cache, report: Callable[[str], None]
) -> tuple[Tokenizer, Tokenizer]:
    sides = {"joint": ("source", "target")} if settings.joint else {"source": ("source",), "target": ("target",)}
    if data.source == IMAGE:
        del sides["source"]

    def build(folder: Path) -> None:
        for name, languages in sides.items():
            characters = sum(text.characters[side] for side in languages)
            share = settings.sample_characters / characters
            lines = (line for side in languages for line in _sample(text, side, share))
            Tokenizer.train(lines, settings, characters).save(folder / f"{name}.model")

    place = store.entry("tokenizer", digest(_VERSION, text.sha256, settings.model_dump(), version("sentencepiece")), build)
    found = [Tokenizer.load(place / f"{name}.model") for name in sides]
    if data.source == IMAGE:
        found.insert(0, ImageTokenizer())
    sizes = " and ".join(str(tokenizer.vocabulary_size) for tokenizer in found)
    auto = " (auto: 300, its characters, and one for each 300 characters of text)" if settings.vocabulary_size == "auto" else ""
    report(f"tokenizer: {settings.kind}, {'joint' if settings.joint else 'separate'}, {sizes} subwords{auto}")
    return found[0], found[-1]


def _sample(text: _Text, side: str, share: float) -> Iterator[str]:
    """Yield about `share` of a side's sentences, evenly spaced, or all from 1 on."""
    for position, line in enumerate(_lines(text, side)):
        if share >= 1 or int((position + 1) * share) > int(position * share):
            yield line


def _encode(
    text: _Text, source: Tokenizer, target: Tokenizer, store: Cache, limit: int | None, settings: DataSettings
) -> tuple[EncodedSplit, CleaningCounts]:
    tokenizers = {"source": source, "target": target}

    def build(folder: Path) -> None:
        rows: list[NDArray[np.int64]] = []
        first = 0
        with ExitStack() as files:
            writers = [files.enter_context(token_writer(folder, side, t.vocabulary_size)) for side, t in tokenizers.items()]
            for lines in zip(text.texts.sentences("source"), text.texts.sentences("target"), strict=True):
                encoded = [tokenizer.encode_batch(side) for tokenizer, side in zip(tokenizers.values(), lines, strict=True)]
                longest = np.array([[len(ids) for ids in side] for side in encoded]).max(axis=0)
                kept = np.flatnonzero(longest <= limit) if limit is not None else np.arange(len(longest))
                for side, write in zip(encoded, writers, strict=True):
                    write([side[i] for i in kept])
                rows.append(kept + first)
                first += len(longest)
        np.save(folder / "rows.npy", np.concatenate(rows).astype(np.int64))

    key = digest(_VERSION, text.sha256, source.fingerprint, target.fingerprint, limit)
    place = store.entry("pieces", key, build)
    read, said = (TokenArrays.open(place, side, tokenizer.vocabulary_size) for side, tokenizer in tokenizers.items())
    rows = np.load(place / "rows.npy", mmap_mode="r")
    turned, language = settings.reverse_source, settings.source
    split = EncodedSplit(read, said, text.texts, rows=rows, reverse_source=turned, source_language=language)
    counts = deepcopy(text.counts)
    if limit is not None:
        counts.dropped["too_many_pieces"] += counts.kept - len(split)
    return split, counts
