from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.corpus.grammar.enumeration import Enumeration, pair_of

TABLE = YAML(typ="safe", pure=True).load(Path(__file__).with_name("by_hand.yaml").read_text(encoding="utf-8"))
PAIRS = [(english, german) for group in TABLE.values() for english, german in group.items()]


@pytest.mark.parametrize(("english", "german"), PAIRS)
def test_the_only_translation(grammar, english, german):
    assert {pair_of(grammar, tree).target for tree in Enumeration(grammar, english).trees()} == {german}


def test_the_table_is_large_enough():
    assert len(PAIRS) >= 60


@pytest.mark.parametrize(
    "english",
    [
        "You sleep.",  # du, ihr or Sie?
        "The men read a book.",  # lesen or lasen?
        "The man buy the bread.",
        "The bread buys the man.",
        "The man buys the bread in.",
    ],
)
def test_what_it_does_not_say(grammar, english):
    assert list(Enumeration(grammar, english).trees()) == []


LINKS = {
    "Anna has called the policeman.": "Anna-Anna has-hat called-angerufen the-den policeman-Polizisten",
    "The writer invites the singer.": "The-Der writer-Schriftsteller invites-lädt invites-ein the-die singer-Sängerin",
    "The teacher's daughter laughs.": "The-des teacher's-Lehrers daughter-Tochter laughs-lacht",
    "We went to the station.": "We-Wir went-gingen to-zum the-zum station-Bahnhof",
    "Yesterday the man bought bread.": "Yesterday-Gestern the-der man-Mann bought-kaufte bread-Brot",
    "She did not look for me.": "She-Sie did-suchte not-nicht look-suchte for-suchte me-mich",
    "The thief tried to throw away the key.": "The-Der thief-Dieb tried-versuchte throw-wegzuwerfen away-wegzuwerfen the-den key-Schlüssel",
    "The girl cried because her father was sick.": "The-Das girl-Mädchen cried-weinte because-weil her-ihr father-Vater was-war sick-krank",
    "I remember the journey.": "I-Ich remember-erinnere remember-mich remember-an the-die journey-Reise",
    "Does the boy need a coat?": "Does-Braucht the-der boy-Junge need-Braucht a-einen coat-Mantel",
    "On 3 May 1998 he slept.": "On-Am 3-3. May-Mai 1998-1998 he-er slept-schlief",
    "They begin to buy bread.": "They-Sie begin-beginnen to-zu buy-kaufen bread-Brot",
}


@pytest.mark.parametrize(("english", "links"), LINKS.items())
def test_gold_alignment(grammar, english, links):
    tree = next(Enumeration(grammar, english).trees())
    pair = pair_of(grammar, tree)
    source, target = (
        [word.rstrip(",.?") if word != "3." else word for word in line.split()] for line in (pair.source, pair.target)
    )
    assert " ".join(f"{source[start]}-{target[end]}" for start, end in pair.links) == links
