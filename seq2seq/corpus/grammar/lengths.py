"""Probability of the grammar on each number of English words: sentences are drawn *given* their length.

With mass(A, n) the probability that symbol A writes n English words,

    mass(A, n) = sum over rules A -> B C ... of P(rule) * sum over i + j + ... = n of mass(B, i) mass(C, j) ...

(the inside recursion, Lari and Young 1990, over lengths instead of spans). Drawing top-down in proportion to these terms draws
from the grammar's own distribution conditioned on the length, without rejection. Only + and * of floats in a fixed order are
used: every machine gets the same numbers.
"""

from bisect import bisect
from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import inf
from random import Random
from typing import Generic, NamedTuple, TypeVar

from seq2seq.corpus.grammar.forms import Lexeme
from seq2seq.corpus.grammar.rules import Rule, Rules, added

T = TypeVar("T")


class Choice(NamedTuple, Generic[T]):
    """Alternatives with the thresholds in [0, 1) that separate them."""

    thresholds: list[float]
    options: Sequence[T]

    def draw(self, rng: Random) -> T:
        """One of them; `Random.random` is used alone, for the reason that `draw_below` gives."""
        return self.options[bisect(self.thresholds, rng.random()) if self.thresholds else 0]


def choice_of(weighted: Sequence[tuple[float, T]]) -> Choice[T]:
    """Prepare alternatives, dropping those of weight zero."""
    kept = [(weight, option) for weight, option in weighted if weight > 0]
    totals = list(accumulate(weight for weight, _ in kept))
    return Choice([total / totals[-1] for total in totals[:-1]], [option for _, option in kept])


class Lengths:
    """The masses of every symbol that can be reached from `start`."""

    def __init__(self, rules: Rules, lexicon: Mapping[str, Sequence[Lexeme]], start: str) -> None:
        self._lexicon = lexicon
        self.rules = _reachable(rules, lexicon, start)
        self._shortest = self._fixpoint_of_shortest()
        self.rules = {symbol: tuple(r for r in known if self._least(r, 0) < inf) for symbol, known in self.rules.items()}
        self._longest: dict[str, float] = {}
        self._limits: dict[tuple[Rule, int], tuple[float, float, float, float]] = {}
        self._masses: dict[tuple[str, int], float] = {}
        self._tails: dict[tuple[Rule, int, int], float] = {}
        self._choices: dict[tuple[str, int], Choice[Lexeme | Rule]] = {}
        self._splits: dict[tuple[Rule, int, int], Choice[int]] = {}

    def mass(self, symbol: str, words: int) -> float:
        """Probability that the symbol writes exactly so many English words."""
        key = (symbol, words)
        if key not in self._masses:
            self._masses[key] = added(weight for weight, _ in self._weighted(symbol, words))
        return self._masses[key]

    def draw(self, symbol: str, words: int, rng: Random) -> Lexeme | Rule:
        """Rule or entry of a symbol, given its length."""
        key = (symbol, words)
        if key not in self._choices:
            self._choices[key] = choice_of(self._weighted(symbol, words))
        return self._choices[key].draw(rng)

    def draw_split(self, rule: Rule, words: int, rng: Random) -> list[int]:
        """Split of the words over the parts of a rule."""
        drawn = []
        for place in range(len(rule.symbols) - 1):
            key = (rule, place, words)
            if key not in self._splits:
                self._splits[key] = choice_of(self._terms(*key))
            drawn.append(self._splits[key].draw(rng))
            words -= drawn[-1]
        drawn.append(words)
        return drawn

    def _weighted(self, symbol: str, words: int) -> list[tuple[float, Lexeme | Rule]]:
        if symbol in self._lexicon:
            entries = self._lexicon[symbol]
            total = added(entry.weight for entry in entries)
            return [(entry.weight / total, entry) for entry in entries if entry.words == words]
        return [(rule.weight * self._tail(rule, 0, words), rule) for rule in self.rules[symbol]]

    def _tail(self, rule: Rule, place: int, words: int) -> float:
        """Probability that the parts from `place` on write so many words together."""
        if place == len(rule.symbols):
            return float(words == 0)
        if place == len(rule.symbols) - 1:
            return self.mass(rule.symbols[place], words)
        key = (rule, place, words)
        if key not in self._tails:
            self._tails[key] = added(weight for weight, _ in self._terms(*key))
        return self._tails[key]

    def _terms(self, rule: Rule, place: int, words: int) -> list[tuple[float, int]]:
        """The lengths of part `place`, each with the probability that it and those behind it write so many words together."""
        found = []  # by no generator, whose frames would make the recursion nearly as deep as Python allows
        for first in self._range(rule, place, words):
            rest = self._tail(rule, place + 1, words - first)
            found.append((rest and rest * self.mass(rule.symbols[place], first), first))
        return found

    def _range(self, rule: Rule, place: int, words: int) -> range:
        """The lengths that part `place` can have if the rest is to fit."""
        key = (rule, place)
        if key not in self._limits:
            symbol = rule.symbols[place]
            most = sum(self._bound(later, set()) for later in rule.symbols[place + 1 :])
            self._limits[key] = (self._shortest[symbol], self._bound(symbol, set()), self._least(rule, place + 1), most)
        low, high, least_after, most_after = self._limits[key]
        return range(int(max(low, words - most_after)), int(min(high, words - least_after)) + 1)

    def _least(self, rule: Rule, place: int) -> float:
        return sum(self._shortest[symbol] for symbol in rule.symbols[place:])

    def _fixpoint_of_shortest(self) -> dict[str, float]:
        shortest = dict.fromkeys(self.rules, inf)
        shortest |= {symbol: min(entry.words for entry in entries) for symbol, entries in self._lexicon.items()}
        changed = True
        while changed:
            changed = False
            for symbol, rules in self.rules.items():
                least = min((sum(shortest[part] for part in rule.symbols) for rule in rules), default=inf)
                if least < shortest[symbol]:
                    shortest[symbol] = least
                    changed = True
        return shortest

    def _bound(self, symbol: str, above: set[str]) -> float:
        """Most words that a symbol can write; infinite if it can contain itself."""
        if symbol in self._longest:
            return self._longest[symbol]
        if symbol in above:
            return inf
        if symbol in self._lexicon:
            bound: float = max(entry.words for entry in self._lexicon[symbol])
        else:
            inside = above | {symbol}
            bound = max((sum(self._bound(part, inside) for part in rule.symbols) for rule in self.rules[symbol]), default=0)
        self._longest[symbol] = bound
        return bound


def _reachable(rules: Rules, lexicon: Mapping[str, Sequence[Lexeme]], start: str) -> dict[str, tuple[Rule, ...]]:
    found: dict[str, tuple[Rule, ...]] = {}
    waiting = [start]
    while waiting:
        symbol = waiting.pop()
        if symbol in found or symbol in lexicon:
            continue
        found[symbol] = rules.of(symbol)
        waiting.extend(part for rule in found[symbol] for part in rule.symbols)
    return found
