"""Scenes: captions and links by hand, pictures that show what their line says, and the way through the corpus to a batch."""

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from seq2seq.config.data import DataSettings, TokenizerSettings
from seq2seq.config.embedded import SceneSettings
from seq2seq.config.errors import UserError
from seq2seq.config.languages import length_unit
from seq2seq.corpus.embedded import split_of
from seq2seq.corpus.images import COLOURS, SIDE, ImageTokenizer, draw, picture
from seq2seq.corpus.lookup import open_corpus, publishable
from seq2seq.corpus.prepare import prepare
from seq2seq.corpus.scenes import SceneCorpus, caption
from seq2seq.corpus.tokenizer import EOS, Tokenizer

SMALL = {"train_pairs": 60, "valid_pairs": 5, "test_pairs": 30, "max_objects": 4}
SCENE = ["small_red_circle_4_4", "large_black_square_12_28", "large_white_diamond_20_4"]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("en", "a small red circle , beside it a large white diamond , below a large black square"),
        ("de", "ein kleiner roter Kreis , daneben eine große weiße Raute , darunter ein großes schwarzes Quadrat"),
    ],
)
def test_a_caption_by_hand(target, said):
    pair = caption(SCENE, target)
    assert pair.target == said
    words, spoken = pair.source.split(), pair.target.split()
    of = {t: s for s, t in pair.links}
    assert [of.get(t) for t in range(len(spoken))] == [
        None if word == "," else (0, 2, 1)[sum(other == "," for other in spoken[:t])] for t, word in enumerate(spoken)
    ]
    assert len(words) == 3


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("small_red_circle_2_2", [".###.", "#####", "#####", "#####", ".###."]),
        ("small_red_ring_2_2", [".###.", "##.##", "#...#", "##.##", ".###."]),
        ("small_red_square_2_2", ["#####"] * 5),
        ("small_red_diamond_2_2", ["..#..", ".###.", "#####", ".###.", "..#.."]),
        ("small_red_triangle_2_2", ["..#..", "..#..", ".###.", ".###.", "#####"]),
        ("small_red_cross_2_2", ["..#..", "..#..", "#####", "..#..", "..#.."]),
    ],
)
def test_shapes_by_hand(word, shown):
    pixels = draw(word)
    assert ["".join(".#"[int(p == 1)] for p in row[:5]) for row in pixels[:5]] == shown
    assert pixels.sum() == "".join(shown).count("#")


def test_an_object_at_the_edge_is_cut_and_what_is_no_object_is_named():
    assert draw("large_blue_square_0_31").sum() == 3 * 4 * 4
    for word in ("cat", "small_grey_circle_1_1", f"small_red_circle_{SIDE}_1"):
        with pytest.raises(UserError, match="is no object of a scene; write size"):
            draw(f"small_red_circle_1_1 {word}")


def test_the_file_of_a_picture_holds_its_pixels_and_colours():
    file = base64.b64decode(picture(" ".join(SCENE), scale=2).removeprefix("data:image/png;base64,"))
    shown = np.asarray(Image.open(BytesIO(file)).convert("RGB"))
    assert shown.shape == (2 * SIDE, 2 * SIDE, 3)
    assert (shown[::2, 1::2] == np.array(list(COLOURS.values()))[draw(" ".join(SCENE))]).all()


@pytest.mark.parametrize("target", ["en", "de"])
def test_splits_are_apart_and_what_is_said_is_seen(target):
    corpus = SceneCorpus(SceneSettings(**SMALL), target=target)
    for split, count in (("train", 60), ("valid", 5), ("test", 30)):
        pairs = list(corpus.pairs(split))
        assert pairs == list(corpus.pairs(split))
        assert len(pairs) == count
        for pair in pairs:
            words = pair.source.split()
            assert split_of(pair.source) == split
            assert len(set(draw(pair.source).ravel()) - {0}) == len({word.split("_")[1] for word in words})
    assert {len(pair.source.split()) for pair in pairs} == {1, 2, 3, 4}
    assert corpus.fingerprint("test") != corpus.fingerprint("train")
    with pytest.raises(UserError, match="no split 'dev'"):
        corpus.fingerprint("dev")


def test_from_settings_to_pixels(tmp_path):
    settings = DataSettings(corpus="scenes", scenes=SMALL)
    assert (settings.source, settings.target, length_unit(settings.source)) == ("image", "de", "objects")
    assert publishable(settings)
    assert open_corpus(settings, report=lambda _: None).origin == "the embedded scenes"
    tokenizer = TokenizerSettings(kind="bpe", vocabulary_size="auto", joint=False, byte_fallback=False)
    data = prepare(settings, tokenizer, report=lambda _: None, cache=tmp_path)
    split = data.tests["test"]
    assert set(split.source_lengths) == {SIDE * SIDE}
    assert split.source_tokens(3) == (draw(split.source(3)).ravel() + EOS + 1).tolist()
    assert data.source_tokenizer.vocabulary_size == EOS + 1 + len(COLOURS)


def test_the_tokenizer_knows_what_its_cells_show(tmp_path):
    tokenizer = ImageTokenizer()
    columns = tokenizer.columns(" ".join(SCENE), (), 16)
    assert [column.word for column in columns] == [0, -1, 2, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, -1, -1]
    assert columns[2].name == "▁large_white_diamond_20_4"
    assert sum(column.word == 2 for column in tokenizer.columns(" ".join(SCENE), (), 64)) == 4
    assert tokenizer.columns(" ".join(SCENE), ()) == columns
    tokenizer.save(tmp_path / "image.model")
    assert ImageTokenizer.load(tmp_path / "image.model", tokenizer.fingerprint).vocabulary_size == tokenizer.vocabulary_size
    (tmp_path / "other.model").write_bytes(b"x")
    for kind, message in ((ImageTokenizer, "not pictures of this version"), (Tokenizer, "not a usable")):
        with pytest.raises(UserError, match=message):
            kind.load(tmp_path / "other.model")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"source": "en"}, "corpus 'scenes' has source image and target en or de, not en and de"),
        ({"target": "fr"}, "source image and target en or de"),
        ({"join": {}}, "whose pictures cannot be joined"),
        ({"reverse_source": True}, "reverse_source: does not apply"),
        ({"path": "x"}, "path: does not apply to corpus 'scenes', which is embedded"),
        ({"scenes": {"min_objects": 4, "max_objects": 3}}, "min_objects 4 is greater than max_objects 3"),
        ({"corpus": "grammar", "scenes": {}}, "scenes: applies to corpus 'scenes' only, not to 'grammar'"),
    ],
)
def test_settings_that_do_not_fit(data, message):
    with pytest.raises(ValidationError, match=message):
        DataSettings(**{"corpus": "scenes", **data})
