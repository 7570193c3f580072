import random
from collections import Counter

import pytest

from seq2seq.corpus.grammar.derivation import Branch, Leaf, draw_tree, tell_features
from seq2seq.corpus.grammar.forms import Lexeme, fixed
from seq2seq.corpus.grammar.grammar import RULE_FILES, read_data
from seq2seq.corpus.grammar.lengths import Lengths
from seq2seq.corpus.grammar.rules import Rules


def word(name, weight=1.0):
    return Lexeme(name, {"gender": name}, {"text": fixed(name)}, {"text": fixed(name)}, words=len(name.split()), weight=weight)


LEXICON = {"a": [word("a")], "b<x>": [word("b"), word("b b")], "b<y>": [word("c", 3.0), word("d", 1.0)]}
RULES = {
    "start": {
        "end": {"weight": 1, "parts": {"a": "a"}, "both": "a"},
        "more": {"weight": 3, "parts": {"a": "a", "rest": "start"}, "both": "a rest"},
    },
    "either": {"some": {"per": "b<K>", "parts": {"b": "b<K>"}, "both": "b"}},
    "told": {"one": {"parts": {"b": "b<y>", "a": "a gender=b.gender number=plural case"}, "both": "b a"}},
    "outer": {"one": {"parts": {"told": "told case=dative"}, "both": "told"}},
}


def rules(data=RULES):
    return Rules(data, {"K": ("x", "y", "z")}, LEXICON)


def test_the_mass_of_a_length_is_its_probability():
    lengths = Lengths(rules(), LEXICON, "start")
    assert [lengths.mass("start", words) for words in range(4)] == [0, 1 / 4, 3 / 4 * 1 / 4, 3 / 4 * 3 / 4 * 1 / 4]


def test_a_tree_has_the_length_it_was_drawn_for():
    lengths = Lengths(rules(), LEXICON, "start")
    for words in (1, 2, 7):
        assert leaves(draw_tree(lengths, "start", words, random.Random(1))) == words


def leaves(tree):
    return 1 if isinstance(tree, Leaf) else sum(leaves(part) for part in tree.parts)


def test_a_rule_counts_once_for_each_entry_and_not_where_there_is_none():
    assert [(rule.symbols, rule.weight) for rule in rules().of("either")] == [(("b<x>",), 0.5), (("b<y>",), 0.5)]


def test_words_are_drawn_by_weight():
    lengths, rng = Lengths(rules(), LEXICON, "either"), random.Random(3)
    drawn = Counter(draw_tree(lengths, "either", 1, rng).parts[0].lexeme.name for _ in range(4_000))
    # one word: b (1/2 of the first half), c and d (3/4 and 1/4 of the second)
    assert drawn["b"] / 4_000 == pytest.approx(1 / 3, abs=0.03)
    assert drawn["c"] / drawn["d"] == pytest.approx(3, rel=0.2)


def test_features_are_told_from_neighbours_constants_and_above():
    tree = draw_tree(Lengths(rules(), LEXICON, "outer"), "outer", 2, random.Random(0))
    assert tell_features(tree) == 2
    b, a = tree.parts[0].parts
    assert a.context == {"gender": b.lexeme.name, "number": "plural", "case": "dative"}
    assert (b.owner, a.owner) == ((0,), (1,))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"s": {"r": {"parts": {"a": "a"}, "both": "b"}}}, "s / r: no part is called 'b'"),
        ({"s": {"r": {"parts": {"a": "a case=b.case"}, "both": "a"}}}, "s / r: no part is called 'b'"),
        ({"s": {"r": {"part": {}}}}, "s / r: unknown key 'part'"),
    ],
)
def test_a_mistake_in_the_data_names_the_rule(data, message):
    with pytest.raises(ValueError, match=message):
        rules(data)


def test_a_symbol_without_rules_is_named():
    with pytest.raises(ValueError, match="neither rules nor words for nobody"):
        Lengths(rules({"s": {"r": {"parts": {"x": "nobody"}, "both": "x"}}}), LEXICON, "s")


def test_every_rule_of_the_data_is_used(trees):
    written = {
        (symbol, name)
        for file in RULE_FILES
        for symbol, rules in read_data(file).items()
        for name, body in rules.items()
        if not (isinstance(body, str) or "include" in body)
    }
    used = {key for tree in trees for key in rule_names(tree)}
    assert written - used == set()


def rule_names(tree):
    if isinstance(tree, Branch):
        name, *parameters = tree.rule.pattern.head
        yield f"{name}<{','.join(parameters)}>" if parameters else name, tree.rule.pattern.name
        for part in tree.parts:
            yield from rule_names(part)
