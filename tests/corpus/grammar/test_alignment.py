from seq2seq.corpus.grammar.derivation import Branch, Leaf
from tests.corpus.grammar.enumeration import pair_of

UNLINKED_ENGLISH = {"to"}  # "to call": anzurufen
UNLINKED_GERMAN = {"der", "die", "das", "dem", "den", "des"}  # "the teacher's dog": der Hund des Lehrers
SAME = ("Anna", "Peter", "Berlin", "Paris", "1975", "1998", "April", "250")


def words(line):
    return [word.strip(",.;?") for word in line.split()]


def test_links_are_in_range_sorted_and_different(samples):
    for pair in samples:
        rows, columns = len(pair.source.split()), len(pair.target.split())
        assert all(0 <= start < rows and 0 <= end < columns for start, end in pair.links)
        assert list(pair.links) == sorted(set(pair.links))


def test_every_content_word_is_linked(samples):
    for pair in samples:
        linked = {start for start, _ in pair.links}, {end for _, end in pair.links}
        free = {word.lower() for place, word in enumerate(words(pair.source)) if place not in linked[0]}
        assert free <= UNLINKED_ENGLISH, pair
        free = {word.lower() for place, word in enumerate(words(pair.target)) if place not in linked[1]}
        assert free <= UNLINKED_GERMAN, pair


def test_words_that_are_the_same_are_linked_to_each_other(samples, least):
    seen = 0
    for pair in samples:
        source, target = words(pair.source), words(pair.target)
        for word in SAME:
            if source.count(word) == target.count(word) == 1:
                seen += 1
                assert (source.index(word), target.index(word)) in pair.links
    assert seen > least(200)


def test_noun_phrases_are_monotone(grammar, trees):
    """Article, adjectives and noun stand in the same order: their links do not cross."""
    seen = 0
    for tree in trees[:2_000]:
        pair = pair_of(grammar, tree)
        source_owners, target_owners = grammar.writer.source(tree)[1], grammar.writer.target(tree)[1]
        for phrase in phrases(tree):
            leaves = {owner for leaf in leaves_of(phrase) for owner in leaf.owner}
            links = [(start, end) for start, end in pair.links if leaves & set(source_owners[start]) & set(target_owners[end])]
            ends = [end for _, end in links]
            assert ends == sorted(ends)
            seen += 1
    assert seen > 1_600


def phrases(tree):
    if isinstance(tree, Branch):
        if tree.rule.pattern.head[0] in ("one", "plain", "definite", "at"):
            yield tree
        for part in tree.parts:
            yield from phrases(part)


def leaves_of(tree):
    if isinstance(tree, Leaf):
        return [tree]
    return [leaf for part in tree.parts for leaf in leaves_of(part)]
