"""Every derivation of an English sentence, by trying all rules and checking the words: a slow parser, independent of the sampler."""

from collections import Counter
from collections.abc import Iterator

from seq2seq.corpus.grammar.derivation import Branch, Leaf, Tree, tell_features
from seq2seq.corpus.grammar.forms import Lexeme
from seq2seq.corpus.grammar.grammar import START, Grammar
from seq2seq.corpus.grammar.rules import MARK
from seq2seq.corpus.grammar.writing import link
from seq2seq.corpus.pairs import SentencePair

Bag = Counter[str]


def pair_of(grammar: Grammar, tree: Branch) -> SentencePair:
    """Both sides of a derivation, with the gold alignment."""
    (source, source_owners), (target, target_owners) = grammar.writer.source(tree), grammar.writer.target(tree)
    return SentencePair(source, target, link(source_owners, target_owners))


class ReadLeaf(Leaf):
    """A leaf that remembers which words of the sentence it stands for."""

    __slots__ = ("tokens",)

    def __init__(self, lexeme: Lexeme, tokens: tuple[str, ...]) -> None:
        super().__init__(lexeme)
        self.tokens = tokens


class Enumeration:
    """Derivations that use exactly the words of one English sentence."""

    def __init__(self, grammar: Grammar, english: str) -> None:
        self.grammar = grammar
        self.english = english
        words = [word.strip(",.;?").lower() for word in english.split()]
        words = ["a" if word == "an" else word for word in words]
        self.line = f" {' '.join(words)} "
        self.bag: Bag = Counter(words)
        self.known: dict[tuple[str | tuple[str, ...], int], bool] = {}
        self.entries: dict[str, list[tuple[Lexeme, tuple[str, ...]]]] = {}

    def trees(self) -> Iterator[Branch]:
        """Every derivation whose English side is the sentence."""
        for tree, _ in self.derivations(START, self.bag.total(), self.bag):
            assert isinstance(tree, Branch)
            tell_features(tree)
            if self.grammar.writer.source(tree)[0] == self.english:
                yield tree

    def words(self, symbol: str) -> list[tuple[Lexeme, tuple[str, ...]]]:
        """Entries of a lexical symbol with the words of the sentence that they may stand for."""
        if symbol not in self.entries:
            self.entries[symbol] = [
                (lexeme, tokens)
                for lexeme in self.grammar.lexicon[symbol]
                for tokens in sorted({tuple(word.lower() for word in form) for form in _forms(lexeme)})
                if f" {' '.join(tokens)} ".replace("  ", " ") in self.line
            ]
        return self.entries[symbol]

    def possible(self, symbol: str, words: int) -> bool:
        """Whether a symbol can be written with so many words of the sentence, not minding whether one is used twice."""
        key = (symbol, words)
        if key not in self.known:
            if symbol in self.grammar.lexicon:
                self.known[key] = any(lexeme.words == words for lexeme, _ in self.words(symbol))
            else:
                rules = self.grammar.lengths.rules[symbol]
                self.known[key] = any(self.possible_parts(rule.symbols, words) for rule in rules)
        return self.known[key]

    def possible_parts(self, symbols: tuple[str, ...], words: int) -> bool:
        if not symbols:
            return words == 0
        if (symbols, words) not in self.known:
            first, rest = symbols[0], symbols[1:]
            found = any(self.possible(first, n) and self.possible_parts(rest, words - n) for n in range(words + 1))
            self.known[symbols, words] = found
        return self.known[symbols, words]

    def derivations(self, symbol: str, words: int, bag: Bag) -> Iterator[tuple[Tree, Bag]]:
        if symbol in self.grammar.lexicon:
            for lexeme, tokens in self.words(symbol):
                if lexeme.words == words and Counter(tokens) <= bag:
                    yield ReadLeaf(lexeme, tokens), bag - Counter(tokens)
            return
        for rule in self.grammar.lengths.rules[symbol]:
            if self.possible_parts(rule.symbols, words):
                for parts, left in self.parts(rule.symbols, words, bag):
                    tree = Branch(rule, parts)
                    if all(f" {' '.join(tokens)} " in self.line for tokens in _fields(tree) if tokens):
                        yield tree, left

    def parts(self, symbols: tuple[str, ...], words: int, bag: Bag) -> Iterator[tuple[list[Tree], Bag]]:
        if not symbols:
            yield [], bag
            return
        for n in range(words + 1):
            if self.possible(symbols[0], n) and self.possible_parts(symbols[1:], words - n):
                for tree, left in self.derivations(symbols[0], n, bag):
                    for rest, last in self.parts(symbols[1:], words - n, left):
                        yield [tree, *rest], last


def _forms(lexeme: Lexeme) -> Iterator[tuple[str, ...]]:
    for form in lexeme.english.values():
        yield from (tokens for tokens in form.table.values() if len(tokens) == lexeme.words)


def _fields(tree: Branch) -> Iterator[list[str]]:
    """The words of every English field of a tree: each is written in one piece."""
    for field in tree.rule.pattern.orders["en"]:
        yield list(_written(tree, field))


def _written(tree: Branch, field: str) -> Iterator[str]:
    for part, inner, *_ in tree.rule.pattern.orders["en"].get(field, ()):
        if part == MARK:
            continue
        child = tree.parts[part]
        yield from child.tokens if isinstance(child, ReadLeaf) else _written(child, inner)
