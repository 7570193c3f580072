"""The corpus: as many pairs as asked for, every length equally often, and no sentence in two splits."""

from collections.abc import Iterator, Mapping
from math import inf

from seq2seq.config.embedded import GrammarSettings
from seq2seq.config.errors import UserError
from seq2seq.corpus.embedded import draw_below, split_of, stream
from seq2seq.corpus.grammar.grammar import Grammar, load_grammar
from seq2seq.corpus.grammar.writing import link
from seq2seq.corpus.pairs import SentencePair
from seq2seq.corpus.seen import Seen

PATIENCE = 2_000
"""How many sentences of one length are drawn in search of a new one."""


Spare = dict[tuple[str, int], list[SentencePair]]
"""Sentences that were met while another split was written: (split, words) -> the first of them."""


def generate(settings: GrammarSettings, split: str, spare: Spare | None = None) -> Iterator[SentencePair]:
    """Write one split of the embedded corpus: English source, German target, gold links.

    Lengths go through all of `min_words` to `max_words` in a new random order again and again, so their counts differ by one
    at most. In a training split balanced by words a length n is there max_words / n times (rounded) each time. The sentences of
    a length come from one stream for all splits.

    The training split fills `spare` with the valid and test sentences that it meets; those splits are then taken from it where
    it has enough, which changes the time only. A `UserError` if there are no more different sentences of a length.
    """
    spare = {} if spare is None else spare
    if split == "train":
        spare.clear()
    sizes = {"train": settings.train_pairs, "valid": settings.valid_pairs, "test": settings.test_pairs}
    rounds = settings.max_words - settings.min_words + 1
    wanted = {other: -(-sizes[other] // rounds) for other in ("valid", "test")}  # of each length
    grammar, streams = load_grammar(settings.entries), dict[int, Iterator[SentencePair]]()
    for _, words in zip(range(sizes[split]), _lengths(settings, split), strict=False):
        if words not in streams:
            known = spare.get((split, words), [])
            drawn = _sentences(grammar, words, split, settings.seed, spare, wanted if split == "train" else {})
            streams[words] = iter(known) if len(known) >= wanted.get(split, inf) else drawn
        yield next(streams[words])


def _sentences(
    grammar: Grammar, words: int, split: str, seed: int, spare: Spare, wanted: Mapping[str, int]
) -> Iterator[SentencePair]:
    """Yield the different sentences of one length and split, and put those of other splits that are `wanted` aside.

    The German side decides the split. One English sentence has one translation, so none can be in two splits either.
    """
    seen = Seen()  # by hash: should two ever agree, another sentence of that length is drawn and nothing is said twice
    rng, misses = stream(seed, words, size=16), 0
    while misses < PATIENCE:
        tree = grammar.tree(words, rng)
        target, target_owners = grammar.writer.target(tree)
        found = split_of(target)
        aside = spare.setdefault((found, words), []) if found in wanted else []
        misses += 1
        if found == split or len(aside) < wanted.get(found, 0):
            source, source_owners = grammar.writer.source(tree)
            if seen.add(source):
                pair = SentencePair(source, target, link(source_owners, target_owners))
                if found == split:
                    misses = 0
                    yield pair
                else:
                    aside.append(pair)
    raise UserError(
        f"data: the grammar finds no more new {split} sentences of {words} words; "
        "raise data.grammar.min_words or entries, or ask for fewer pairs"
    )


def _lengths(settings: GrammarSettings, split: str) -> Iterator[int]:
    """Every length in random order, and again (Fisher-Yates, written out since `Random.shuffle` may change)."""
    every = range(settings.min_words, settings.max_words + 1)
    by_words = settings.balance == "words" and split == "train"
    lengths = [n for n in every for _ in range(round(settings.max_words / n) if by_words else 1)]
    rng = stream(settings.seed, split, size=16)
    while True:
        for last in range(len(lengths) - 1, 0, -1):
            other = draw_below(rng, last + 1)
            lengths[last], lengths[other] = lengths[other], lengths[last]
        yield from lengths
