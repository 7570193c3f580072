"""Cards are data, complete and confined."""

import pytest

from seq2seq.config.errors import UserError
from seq2seq.corpus.cards import below, known_cards, read_card

MINIMAL = "name: c\ndescription: d\nlanguages: [en, xx]\nsource: s\nlicence: l\n"


def read(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return read_card(path)


@pytest.mark.parametrize("name", sorted(known_cards()))
def test_every_card_of_the_project_is_complete(name):
    card = read_card(known_cards()[name])
    assert card.name == name
    assert card.licence
    assert card.source
    files = {f"{split}.{language}.gz" for split in card.splits for language in card.languages}
    assert set(card.sha256) == files
    if card.hub:
        assert set(card.hub.columns) <= set(card.languages)
        assert set(card.hub.splits) <= set(card.splits)


def test_the_cards_are_those_of_the_readme():
    assert {"grammar", "multi30k", "europarl-en-fr", "canada-laws-en-fr", "tatoeba-en-fr", "tatoeba-en-de"} <= set(
        known_cards()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINIMAL + "folder: ../elsewhere\n", "folder: '../elsewhere' leaves the card's folder"),
        (MINIMAL + "folder: /etc\n", "folder: '/etc' leaves the card's folder"),
        (MINIMAL + "foldr: x\n", "foldr: unknown key"),
        (MINIMAL + "splits: {../../etc/passwd: 3}\n", "splits"),
        (MINIMAL + "hub: {id: ../../secret, columns: {en: a, xx: b}}\n", "hub.id"),
        (MINIMAL + "hub: {id: a/b, config: ../c, columns: {en: a, xx: b}}\n", "hub.config"),
        (MINIMAL + "hub: {id: a/b, columns: {en: a, xx: b}, splits: {train: ../x}}\n", "hub.splits.train"),
        (MINIMAL.replace("name: c", "name: ../c"), "name"),
        (MINIMAL.replace("[en, xx]", "[en]"), "languages"),
        (MINIMAL.replace("[en, xx]", "[en, ../x]"), "languages.1"),
        ("- just\n- a list\n", "expected a mapping of settings"),
        ("name: [unclosed\n", "not valid YAML"),
        ("name: !!python/object/apply:os.system [id]\n", "c.yaml"),
    ],
)
def test_a_card_that_is_wrong_or_reaches_out_is_refused(tmp_path, text, message):
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_paths_stay_below_their_folder(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "door").symlink_to(tmp_path)
    assert below(tmp_path / "inner", "a/b") == tmp_path / "inner" / "a" / "b"
    for name in ("../x", "/etc/passwd", "door/x", "a/../../x"):
        with pytest.raises(UserError, match="leads out of"):
            below(tmp_path / "inner", name)
