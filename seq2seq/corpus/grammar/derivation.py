"""Derivation trees: drawn for a given length, then told the features that their words are inflected for."""

from collections.abc import Mapping
from random import Random

from seq2seq.corpus.grammar.forms import Lexeme
from seq2seq.corpus.grammar.lengths import Lengths
from seq2seq.corpus.grammar.rules import Rule

Features = Mapping[str, str]
NOTHING: Features = {}


class Leaf:
    """An entry of the lexicon at its place in a sentence."""

    __slots__ = ("context", "given", "lexeme", "owner")

    def __init__(self, lexeme: Lexeme) -> None:
        self.lexeme = lexeme
        self.given = lexeme.features
        self.context = NOTHING
        self.owner: tuple[int, ...] = ()


class Branch:
    """A rule and its parts. `given` is what neighbours may ask of it, `context` what it was told."""

    __slots__ = ("context", "given", "parts", "rule")

    def __init__(self, rule: Rule, parts: list["Leaf | Branch"]) -> None:
        self.rule = rule
        self.parts = parts
        self.context = NOTHING
        self.given: Features = NOTHING
        if rule.pattern.gives:
            self.given = {name: value if part is None else parts[part].given[value] for name, value, part in rule.pattern.gives}


Tree = Leaf | Branch


def draw_tree(lengths: Lengths, symbol: str, words: int, rng: Random) -> Tree:
    """Draw a derivation of `symbol` with exactly so many English words."""
    content = lengths.draw(symbol, words, rng)
    if isinstance(content, Lexeme):
        return Leaf(content)
    symbols = content.symbols
    if len(symbols) == 1:
        return Branch(content, [draw_tree(lengths, symbols[0], words, rng)])
    shares = lengths.draw_split(content, words, rng) if symbols else ()
    return Branch(content, [draw_tree(lengths, part, share, rng) for part, share in zip(symbols, shares, strict=True)])


def tell_features(tree: Branch, context: Features = NOTHING, leaves: int = 0) -> int:
    """Hand the features down from the root, and number the leaves; returns how many there are so far."""
    tree.context = context
    parts = tree.parts
    for part, told in zip(parts, tree.rule.pattern.told, strict=True):
        features = NOTHING
        if told:
            features = {
                name: value if source is None else context[value] if source < 0 else parts[source].given[value]
                for name, value, source in told
            }
        if isinstance(part, Leaf):
            part.context, part.owner = features, (leaves,)
            leaves += 1
        else:
            leaves = tell_features(part, features, leaves)
    return leaves
