"""Thousands of samples against a checker that shares only the raw lexicon with the package."""

import re

import pytest

from seq2seq.corpus.grammar.derivation import Branch
from seq2seq.corpus.grammar.writing import Line
from tests.corpus.grammar.german_checker import CLOSING, FINITE, HELPERS, PLURAL_VERBS, SINGULAR_VERBS, agrees, noun_phrases

FIRST = {"bin", "habe", "werde", "muss", "kann", "sollte", "will", "war", "musste", "konnte", "wollte"}


def branches(tree):
    if isinstance(tree, Branch):
        yield tree
        for part in tree.parts:
            yield from branches(part)


def written(grammar, tree, field="text", language="de"):
    line = Line(language, grammar.writer.contractions)
    if field in tree.rule.pattern.orders[language]:
        line.add(tree, field)
    return " ".join(line.words)


def names(tree):
    return {branch.rule.pattern.name for branch in branches(tree)}


def clauses(trees):
    """(clause, subject, predicate, whether it is fronted) of clauses with one predicate."""
    for tree in trees:
        for branch in branches(tree):
            if branch.rule.pattern.head[0] in ("clause", "short_clause") and branch.rule.pattern.name == "one":
                yield branch, *branch.parts


def test_articles_adjectives_and_nouns(samples, least):
    seen = 0
    for pair in samples:
        for phrase in noun_phrases(pair.target):
            seen += 1
            assert agrees(*phrase), f"{phrase} in: {pair.target}"
    assert seen > least(10_000)


def test_the_checker_sees_mistakes():
    wrong = [
        "Der Frau lacht mit dem Mann.".replace("Der Frau", "Das Frau"),
        "Er sieht der alte Hund.".replace("der", "den"),
        "Mit das Kind.",
        "Ein alte Mann.",
        "Er hilft zwei alte Hunden.",
        "Die Student lacht.",
    ]
    for sentence in wrong:
        assert not all(agrees(*phrase) for phrase in noun_phrases(sentence)), sentence


def test_the_verb_agrees_with_its_subject(grammar, trees, least):
    checked = {"1s": 0, "3s": 0, "p": 0}
    for _, subject, predicate in clauses(trees):
        english = written(grammar, subject, language="en")
        finite = written(grammar, predicate, "finite")
        if english == "I":
            checked["1s"] += 1
            assert finite in FIRST or finite.endswith("e") or finite in SINGULAR_VERBS, finite
            assert finite not in {"ist", "hat", "wird", "sind"}
        elif is_plural(english):
            checked["p"] += 1
            assert finite in PLURAL_VERBS, f"{english}: {finite}"
        else:
            checked["3s"] += 1
            assert finite in SINGULAR_VERBS, f"{english}: {finite}"
    assert min(checked.values()) > least(80)


def is_plural(english):
    """Read from the English subject: a pronoun, a coordination, or a determiner and the ending of the head noun."""
    head = re.split(r" (?:who|which|that|whom|of|for (?:whom|which)|(?:about|with|of|in) (?:whom|which)) ", english)[0]
    if head in ("we", "they") or " and " in head:
        return True
    word = head.split()[-1]
    return word in IRREGULAR_PLURALS or (word.endswith("s") and word not in SINGULARS_IN_S)


IRREGULAR_PLURALS = {"men", "women", "children", "mice", "policemen", "thieves", "wolves", "knives", "scarves"}
SINGULARS_IN_S = {"bus", "boss", "glass", "dress", "Thomas", "Jonas"}


def test_the_verb_is_second_in_main_clauses(grammar, trees, least):
    seen = {"plain": 0, "fronted": 0}
    for tree in trees:
        for branch in branches(tree):
            name, clause = branch.rule.pattern.name, branch.parts[-1] if branch.parts else None
            if branch.rule.pattern.head[0] != "statement" or name not in seen or clause.rule.pattern.name != "one":
                continue
            seen[name] += 1
            subject = written(grammar, clause.parts[0], "weak") or written(grammar, clause.parts[0], "full")
            first = subject if name == "plain" else written(grammar, branch.parts[0])
            text = written(grammar, branch)
            assert text.startswith(first)
            second = text[len(first) :].split()[0].strip(",")
            assert second in FINITE or subject == "ich", text
            assert name == "plain" or subject in text[len(first) :]
    assert seen["plain"] > least(800)
    assert seen["fronted"] > least(400)


def test_the_verb_is_last_in_subordinate_clauses(trees, samples, least):
    conjunction = re.compile(r"(?:^|, )(?:[Ww]eil|[Oo]bwohl|dass|ob|[Bb]evor|[Ss]obald|[Ww]enn|[Bb]is|damit) ([^,;.?]*)")
    seen = 0
    for tree, pair in zip(trees, samples, strict=True):
        if "three" in names(tree):
            continue  # a list has commas of its own
        for clause in conjunction.findall(re.sub(r"(?<=\d)\.", "", pair.target)):
            seen += 1
            last = clause.split()[-1]
            assert last in FINITE or " ich " in f" {clause} ", pair.target
    assert seen > least(600)


def test_relative_clauses_are_verb_final_between_commas(grammar, trees, least):
    seen = 0
    for tree in trees:
        for branch in branches(tree):
            if branch.rule.pattern.head[0] == "relative" and "three" not in names(branch):
                seen += 1
                text = written(grammar, branch)
                assert text.endswith(",")
                last = text.rstrip(",").split()[-1]
                assert last in FINITE or "ich" in text.split(), text
    assert seen > least(320)


def test_infinitives_and_participles_close_the_main_clause(grammar, trees, least):
    seen = 0
    for clause, _, predicate in clauses(trees):
        finite, right = written(grammar, predicate, "finite"), written(grammar, predicate, "right")
        if finite in HELPERS:
            seen += 1
            assert right in CLOSING | {"sein", "gewesen", "gewusst"}, f"{finite} ... {right}"
            if "main" in clause.rule.pattern.orders["de"]:
                text, tail = written(grammar, clause, "main"), written(grammar, predicate, "tail")
                assert text.removesuffix(tail).rstrip(", ").endswith(right)
    assert seen > least(600)


@pytest.mark.parametrize(
    ("english", "german"), [("who", 60), ("not", 200), ("because", 40), ("whether", 8), ("in order to", 20)]
)
def test_samples_show_the_constructions(samples, english, german, least):
    assert sum(f" {english} " in pair.source for pair in samples) > least(german)
