"""The encoder of pictures: a convolution by hand, places that know what is near them, under every bridge, and its costs."""

import pytest
import torch
from pydantic import ValidationError

from seq2seq.config.errors import UserError
from seq2seq.config.model import EncoderDecoderSettings
from seq2seq.config.study import RunSettings
from seq2seq.corpus.images import SIDE, ImageTokenizer
from seq2seq.models.budget import flops_per_token, meta_model
from seq2seq.models.build import build_model
from seq2seq.models.image import ImageEncoder
from seq2seq.models.interface import count_parameters
from seq2seq.models.limits import Limit, find_limits
from tests.models.test_rnn import BRIDGES, stepped

LINES = ["small_red_circle_4_4 large_blue_ring_27_28", "large_green_square_12_12"]
TARGET = 9
DATA = {"corpus": "scenes"}
TOKENIZER = {"joint": False, "vocabulary_size": 40}


def pictures(lines=LINES):
    source = torch.tensor([[*ids, 3] for ids in ImageTokenizer().encode_batch(lines)])
    return source, torch.ones_like(source, dtype=torch.bool)


def build(bridge="additive", decoder=None, **encoder):
    torch.manual_seed(1)
    attention = bridge if isinstance(bridge, dict) else {"score": bridge}
    settings = EncoderDecoderSettings(
        encoder={"kind": "image", "hidden_size": 8, "embedding_size": 3, "dropout": 0.0, **encoder},
        decoder=decoder or {"hidden_size": 13, "embedding_size": 11, "dropout": 0.0},
        attention=attention,
    )
    model = build_model(settings, source_vocabulary=ImageTokenizer().vocabulary_size, target_vocabulary=TARGET)
    return model.double().eval()


def test_one_convolution_by_hand():
    """A picture of 2 x 2 pixels with one feature, colours 1 to 4; all factors 1: the one cell is the sum before the norm."""
    embedding = torch.nn.Embedding(5, 1)
    encoder = ImageEncoder(embedding=embedding, side=2, hidden_size=8, layers=1)
    encoder.norm = torch.nn.Identity()
    with torch.no_grad():
        embedding.weight.copy_(torch.arange(5.0)[:, None])
        encoder.convolutions[0].weight.fill_(1.0)
        encoder.convolutions[0].bias.zero_()
        encoder.places.copy_(torch.arange(8.0)[None])
    found = encoder(torch.tensor([[1, 2, 3, 4, 0]]), torch.ones(1, 5, dtype=torch.bool))
    torch.testing.assert_close(found.states.detach(), (10 + torch.arange(8.0))[None, None])


@pytest.mark.parametrize(("layers", "cells"), [(2, 64), (3, 16), (5, 1)])
def test_cells_see_what_is_near_them(layers, cells):
    """Changing the object in one corner leaves the cells of the opposite corner alone."""
    encoder = build(layers=layers).encoder
    before = encoder(*pictures())
    after = encoder(*pictures([LINES[0].replace("red", "white"), LINES[1]]))
    assert before.states.shape == (2, cells, 8)
    assert before.mask.shape == (2, cells)
    assert before.mask.all()
    torch.testing.assert_close(before.states[1], after.states[1])
    changed = (before.states[0] != after.states[0]).any(dim=-1)
    assert changed[0]
    assert cells == 1 or not changed[-1]
    torch.testing.assert_close(before.summary, before.states.mean(dim=1))


@pytest.mark.parametrize("bridge", BRIDGES, ids=str)
def test_under_every_bridge_steps_equal_teacher_forcing(bridge):
    model = build(bridge)
    source, mask = pictures()
    inputs = torch.tensor([[2, 5, 6, 7], [2, 8, 4, 4]])
    output = model(source, mask, inputs, need_weights=True)
    logits, weights = stepped(model, source, mask, inputs)
    torch.testing.assert_close(model.logits(output.features), logits)
    assert output.weights.shape == (2, 4, 16)
    torch.testing.assert_close(output.weights, weights)


def test_costs_are_those_of_a_picture():
    study = RunSettings(
        data=DATA, tokenizer=TOKENIZER, model={"encoder": {"kind": "image"}, "attention": {"score": "dot", "attention_size": 4}}
    )
    blocks = count_parameters(meta_model(study))
    assert blocks["encoder.embedding"] == 8 * ImageTokenizer().vocabulary_size
    assert blocks["encoder.places"] == 16 * 128
    assert flops_per_token(study, 25, 25) == flops_per_token(study, 4, 25) > flops_per_token(study, 4, 50)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {"corpus": "grammar"}, "tokenizer": {}}, "model.encoder: image reads pictures"),
        ({"tokenizer": {}}, "tokenizer.joint: a picture is made of pixels"),
        ({"model": {"encoder": {"kind": "image", "layers": 6}}}, "less than or equal to 5"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        RunSettings(**{"data": DATA, "tokenizer": TOKENIZER, "model": {"encoder": {"kind": "image"}}, **changes})


def test_the_picture_is_as_large_as_the_encoder_expects():
    assert build().encoder.source_size == SIDE * SIDE + 1


@pytest.mark.parametrize("kind", ["location", "concat_linear"])
def test_a_bridge_has_to_read_the_cells_not_the_pixels(kind):
    source, mask = pictures()
    inputs = torch.tensor([[2, 5], [2, 8]])
    for settings in ({"max_source": 16}, {"max_source": 200}, {"max_source": 15, "longer": "ignore"}):
        model = build({"score": {"kind": kind, **settings}})
        assert find_limits(model) == (None, None, None)
        model(source, mask, inputs)
    with pytest.raises(UserError, match="max_source 15 is too small for the 16 cells of a picture; raise max_source to 16"):
        build({"score": {"kind": kind, "max_source": 15}})
    build({"score": {"kind": kind, "max_source": 15}}, layers=4)


def test_a_decoder_over_pictures_keeps_its_limit_on_captions():
    positions = {"kind": "learned", "max_positions": 7}
    model = build(decoder={"kind": "transformer", "hidden_size": 8, "feedforward_size": 8, "layers": 1, "positions": positions})
    assert find_limits(model) == (None, Limit(7, "max_positions"), None)
