"""Synthetic probes: what a model can learn about places and contents, on sequences longer than those it was trained on.

    copy     a b c        -> a b c          (Graves et al. 2014, arXiv:1410.5401, section 4.1)
    reverse  a b c        -> c b a          (Grefenstette et al. 2015, arXiv:1506.02516, section 5.1)
    sort     b c a        -> a b c
    recall   a 1 b 2 b    -> 2              (Ba et al. 2016, arXiv:1610.06258, section 4.1: associative retrieval)
             a 1 b 2 b a  -> 2 1            (with `questions: 2`; Arora et al. 2023, arXiv:2312.04927, section 3: multi-query)
             . b 2 . a 1  -> a 1 b 2        (with `questions: 0`, `pairs: 2` and `say_keys`)
             . bC . aB    -> a B b C        (and with `one_word`)
    first    a b c        -> a
    last     a b c        -> c

Links are known: a target word is linked to the source word that it comes from. No source is in two splits.
"""

import string
from collections.abc import Callable, Iterator
from itertools import accumulate, chain, pairwise
from random import Random

from seq2seq.config.embedded import PROBE, ProbeSettings
from seq2seq.config.errors import UserError
from seq2seq.corpus.embedded import EmbeddedCorpus, draw_below, split_of, stream
from seq2seq.corpus.pairs import SentencePair

_PATIENCE = 10_000
_SYMBOLS = string.ascii_lowercase + string.ascii_uppercase
_FILLER = "."

Answer = Callable[[list[str]], list[int]]
"""Source words to the places, in order, of the words that are the target."""

ANSWERS: dict[str, Answer] = {
    "copy": lambda words: list(range(len(words))),
    "reverse": lambda words: list(range(len(words)))[::-1],
    "sort": lambda words: sorted(range(len(words)), key=lambda place: (_SYMBOLS.index(words[place]), place)),
    "recall": lambda words: [words.index(key) + 1 for key in _asked(words)],
    "recall-keys": lambda words: [place for key in _asked(words) for place in (words.index(key), words.index(key) + 1)],
    "first": lambda words: [0],  # noqa: ARG005 (the same for all)
    "last": lambda words: [len(words) - 1],
}


def _asked(words: list[str]) -> list[str]:
    """The keys behind the pairs, or all in the order of the alphabet where none stands there."""
    keys = [word for word, following in pairwise(words) if following.isdigit()]
    letters = [word for word in words if word in _SYMBOLS]
    return letters[len(keys) :] or sorted(keys, key=_SYMBOLS.index)


class ProbeCorpus(EmbeddedCorpus):
    """Pairs that a rule, one of `config.embedded.TASKS`, makes."""

    settings: ProbeSettings

    def __init__(self, task: str, settings: ProbeSettings) -> None:
        super().__init__(PROBE + task, settings, "", __file__)
        self.task, self.origin = task, f"the synthetic probe '{task}'"

    def pairs(self, split: str) -> Iterator[SentencePair]:
        """Yield the pairs of a split; a `UserError` if there is no such split, or no source of some length for it."""
        settings, count = self.settings, self.size(split)
        longest = settings.longest_test if split == "test" else settings.max_length
        rng = stream(settings.seed, self.task, split)
        for _ in range(count):
            words = self._draw(self._length(longest, rng), split, rng)
            places = ANSWERS[self.task + "-keys" * settings.say_keys](words)
            begins = [not (settings.one_word and word.isdigit()) for word in words]  # whether a word of the source begins here
            if settings.one_word:
                words = [_SYMBOLS[26 + int(word)] if word.isdigit() else word for word in words]
            target = " ".join(words[place] for place in places)
            begun = list(accumulate(begins))
            links = tuple(sorted((begun[place] - 1, answer) for answer, place in enumerate(places)))
            source = "".join(" " * begins[place] + word for place, word in enumerate(words))
            yield SentencePair(source.lstrip(), target, links)

    def _length(self, longest: int, rng: Random) -> int:
        shortest = self.settings.min_length
        if self.settings.lengths == "octaves":
            shortest <<= draw_below(rng, (longest // shortest).bit_length())
            longest = min(longest, 2 * shortest - 1)
        return shortest + draw_below(rng, longest - shortest + 1)

    def _draw(self, length: int, split: str, rng: Random) -> list[str]:
        """Draw sources of a length until one belongs to the split."""
        for _ in range(_PATIENCE):
            words = self._recall(length, rng) if self.task == "recall" else [self._symbol(rng) for _ in range(length)]
            if split_of(" ".join(words)) == split:
                return words
        raise UserError(f"data.probe: no {split} source of {length} words; raise min_length or symbols")

    def _symbol(self, rng: Random) -> str:
        return _SYMBOLS[draw_below(rng, self.settings.symbols)]

    def _recall(self, length: int, rng: Random) -> list[str]:
        """Different keys, each with its value, and some of the keys again; a word or two less where no pair fits.

        Where `pairs` leaves room, dots stand before, between and behind the pairs, wherever chance puts them.
        """
        settings = self.settings
        pairs = settings.pairs_in(length)
        keys = list(_SYMBOLS[: settings.symbols if settings.questions else pairs])
        values = []
        for place in range(pairs):
            _swap(keys, place, rng)
            values.append(string.digits[draw_below(rng, 10)])
        keys = keys[:pairs]
        asked = min(settings.questions, len(keys))
        words = list(chain.from_iterable(zip(keys, values, strict=True)))
        if settings.pairs:
            room = pairs if settings.one_word else 2 * pairs
            words = _among_dots(words, length - asked - room, rng)
        for place in range(asked):
            _swap(keys, place, rng)
        return words + keys[:asked]


def _among_dots(words: list[str], dots: int, rng: Random) -> list[str]:
    """Put dots among pairs of words, every arrangement alike likely."""
    slots = [""] * dots + ["pair"] * (len(words) // 2)
    for place in range(len(slots)):
        _swap(slots, place, rng)
    following = iter(words)
    return [word for slot in slots for word in ((next(following), next(following)) if slot else (_FILLER,))]


def _swap(items: list[str], place: int, rng: Random) -> None:
    """One step of Fisher-Yates: draw what stands at a place from what stands there or later."""
    other = place + draw_below(rng, len(items) - place)
    items[place], items[other] = items[other], items[place]
