import random

import pytest

from seq2seq.corpus.grammar.grammar import load_grammar
from tests.corpus.grammar.enumeration import pair_of


@pytest.fixture(scope="session")
def grammar():
    return load_grammar()


@pytest.fixture(scope="session")
def trees(grammar, pytestconfig):
    """2,000 derivations, of the slow tests 4,000; short ones, so that every construction is seen many times."""
    rng = random.Random(7)
    return [grammar.tree(4 + number % 22, rng) for number in range(4_000 if pytestconfig.getoption("--slow") else 2_000)]


@pytest.fixture(scope="session")
def least(trees):
    """How often something has to be seen among the derivations at hand, given how often among 4,000."""
    return lambda count: count * len(trees) // 4_000


@pytest.fixture(scope="session")
def samples(grammar, trees):
    """The same as (English, German, links)."""
    return [pair_of(grammar, tree) for tree in trees]
