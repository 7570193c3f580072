"""From a derivation to a sentence pair: words in the order of each language, punctuation, contractions and links."""

from seq2seq.corpus.grammar.derivation import Branch, Leaf, Tree
from seq2seq.corpus.grammar.english import English
from seq2seq.corpus.grammar.german import German
from seq2seq.corpus.grammar.rules import MARK, Item

Owners = tuple[int, ...]
"""The leaves that a word is made of: one in English; two where German writes two words as one ("im")."""


class Line:
    """The words of one side while they are being written."""

    def __init__(self, language: str, contractions: dict[tuple[str, str], str]) -> None:
        self.words: list[str] = []
        self.owners: list[Owners] = []
        self._language = language
        self._contractions = contractions

    def add(self, tree: Branch, field: str = "text") -> None:
        """Write one field of a tree."""
        self._add(tree.parts, tree.rule.pattern.orders[self._language][field], None)

    def _add(self, parts: list[Tree], order: tuple[Item, ...], owner: Owners | None) -> None:
        """Write parts in an order; with an `owner` their words are linked as the words of that leaf."""
        language, words = self._language, self.words
        for part, field, linked_as, contracted in order:
            if part == MARK:
                self.add_mark(field)
                continue
            child = parts[part]
            linked = owner if part == linked_as else first_leaf(parts[linked_as]).owner
            start = len(words)
            if isinstance(child, Leaf):
                lexeme = child.lexeme
                key, table = (lexeme.english if language == "en" else lexeme.german)[field]
                written = table[None if key is None else key(child.context)]
                words += written
                self.owners += (linked or child.owner,) * len(written)
            elif inner := child.rule.pattern.orders[language].get(field):  # a phrase without this field writes nothing
                self._add(child.parts, inner, linked)
            if contracted:
                self._contract(start)

    def add_mark(self, mark: str) -> None:
        """A mark attaches to the word before it; a comma gives way to whatever mark follows."""
        if self.words:
            self.words[-1] = self.words[-1].removesuffix(",") + mark

    def finish(self) -> str:
        """The line, with a capital first letter."""
        self.words[0] = self.words[0][0].upper() + self.words[0][1:]
        return " ".join(self.words)

    def _contract(self, start: int) -> None:
        """Melt the word at `start` into the one before where German does so."""
        if not 0 < start < len(self.words):
            return
        joined = self._contractions.get((self.words[start - 1], self.words[start]))
        if joined:
            self.words[start - 1 : start + 1] = [joined]
            self.owners[start - 1 : start + 1] = [self.owners[start - 1] + self.owners[start]]


class Writer:
    """Writes derivations as sentence pairs."""

    def __init__(self, english: English, german: German) -> None:
        self.contractions = german.contractions
        self._english = english

    def target(self, tree: Branch) -> tuple[str, list[Owners]]:
        """The German sentence, and the leaves that each word is made of."""
        line = Line("de", self.contractions)
        line.add(tree)
        return line.finish(), line.owners

    def source(self, tree: Branch) -> tuple[str, list[Owners]]:
        """The English sentence, and the leaf that each word is made of."""
        line = Line("en", {})
        line.add(tree)
        for place, word in enumerate(line.words[:-1]):
            if word == "a":
                line.words[place] = self._english.article_before(line.words[place + 1])
        return line.finish(), line.owners


def first_leaf(tree: Tree) -> Leaf:
    """The first leaf in the order of the parts."""
    return tree if isinstance(tree, Leaf) else first_leaf(tree.parts[0])


def link(source: list[Owners], target: list[Owners]) -> tuple[tuple[int, int], ...]:
    """Links between words that are made of the same leaf, in the order of the source."""
    places: dict[int, list[int]] = {}
    for place, owners in enumerate(target):
        for owner in owners:
            places.setdefault(owner, []).append(place)
    return tuple((start, end) for start, (owner,) in enumerate(source) for end in places.get(owner, ()))
