"""The grammar as a whole, read from `data/grammar/`."""

from functools import cache
from random import Random
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from seq2seq.config.data_files import data_path
from seq2seq.corpus.grammar.derivation import Branch, draw_tree, tell_features
from seq2seq.corpus.grammar.lengths import Lengths
from seq2seq.corpus.grammar.lexicon import Lexicon
from seq2seq.corpus.grammar.rules import Rules
from seq2seq.corpus.grammar.writing import Writer

LEXICON_FILES = ("nouns", "adjectives", "verbs", "words", "english", "german")
RULE_FILES = ("sentences", "predicates", "verb_groups", "phrases", "time")
START = "sentence"
CLASSES = ("person", "animal", "food", "drink", "text", "clothes", "vehicle", "thing", "furniture", "place", "event")
VARIABLES = {"O": CLASSES, "G": ("action", "state", "dative")}
"""What the variables of a rule that its head does not bind range over."""


class Grammar(NamedTuple):
    """Everything needed to write sentence pairs."""

    lexicon: Lexicon
    lengths: Lengths
    writer: Writer

    def tree(self, words: int, rng: Random) -> Branch:
        """Draw a derivation with exactly so many English words, its features told."""
        tree = draw_tree(self.lengths, START, words, rng)
        assert isinstance(tree, Branch)
        tell_features(tree)
        return tree


def read_data(name: str) -> Any:
    """Read one file of `data/grammar/`; YAML 1.2, a repeated key is an error."""
    return YAML(typ="safe", pure=True).load(data_path("grammar", f"{name}.yaml").read_text(encoding="utf-8"))


@cache
def load_grammar(entries: int | None = None) -> Grammar:
    """Read, inflect and count; about a second, once per process and lexicon size (`Lexicon`)."""
    lexicon = Lexicon({name: read_data(name) for name in LEXICON_FILES}, entries)
    rules: dict[str, Any] = {}
    for name in RULE_FILES:
        rules |= read_data(name)
    lengths = Lengths(Rules(rules, VARIABLES, lexicon), lexicon, START)
    return Grammar(lexicon, lengths, Writer(lexicon.english, lexicon.german))
