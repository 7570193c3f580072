"""The corpus: as many pairs as asked for, every length equally often, and no sentence in two splits."""

import hashlib
from collections.abc import Iterator
from random import Random

from seq2seq.config.errors import UserError
from seq2seq.config.grammar import GrammarSettings
from seq2seq.corpus.grammar.grammar import Grammar, load_grammar
from seq2seq.corpus.grammar.writing import link
from seq2seq.corpus.pairs import SentencePair
from seq2seq.corpus.seen import Seen

SPLITS = ("train", "valid", "test")
SHARES = ("train",) * 6 + ("valid", "test")
"""A sentence belongs to one of eight shares by the hash of its German side, whatever the seed and the size of the splits.
One English sentence has one translation, so no English sentence can be in two splits either."""
PATIENCE = 2_000
"""How many sentences of one length are drawn in search of a new one."""


def generate(settings: GrammarSettings, split: str) -> Iterator[SentencePair]:
    """Write one split of the embedded corpus: English source, German target, gold links.

    Lengths go through all of `min_words` to `max_words` in a new random order again and again, so their counts differ by one
    at most.

    Raises:
        ValueError: no such split.
        UserError: there are no more different sentences of a length that the settings ask for.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is none of {', '.join(SPLITS)}")
    pairs = {"train": settings.train_pairs, "valid": settings.valid_pairs, "test": settings.test_pairs}[split]
    grammar = load_grammar(settings.entries)
    rng = Random(int.from_bytes(hashlib.blake2b(f"{settings.seed} {split}".encode(), digest_size=16).digest(), "big"))
    seen = Seen()  # by hash: should two ever agree, another sentence of that length is drawn and nothing is said twice
    for _, words in zip(range(pairs), _lengths(settings, rng), strict=False):
        yield _new_pair(grammar, words, split, rng, seen)


def split_of(target: str) -> str:
    """The split that a German sentence belongs to."""
    return SHARES[hashlib.blake2b(target.encode(), digest_size=1).digest()[0] % len(SHARES)]


def _new_pair(grammar: Grammar, words: int, split: str, rng: Random, seen: Seen) -> SentencePair:
    for _ in range(PATIENCE):
        tree = grammar.tree(words, rng)
        target, target_owners = grammar.writer.target(tree)
        if split_of(target) != split:
            continue
        source, source_owners = grammar.writer.source(tree)
        if seen.add(source):
            return SentencePair(source, target, link(source_owners, target_owners))
    raise UserError(
        f"data: the grammar finds no more new {split} sentences of {words} words; "
        "raise data.grammar.min_words or entries, or ask for fewer pairs"
    )


def _lengths(settings: GrammarSettings, rng: Random) -> Iterator[int]:
    """Every length once in random order, and again (Fisher-Yates, written out since `Random.shuffle` may change)."""
    lengths = list(range(settings.min_words, settings.max_words + 1))
    while True:
        for last in range(len(lengths) - 1, 0, -1):
            other = int(rng.random() * (last + 1))
            lengths[last], lengths[other] = lengths[other], lengths[last]
        yield from lengths
