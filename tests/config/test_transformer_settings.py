import pytest
from pydantic import ValidationError

from seq2seq.config.transformer import (
    DecoderOnlySettings,
    StackSettings,
    TransformerDecoderSettings,
    TransformerEncoderSettings,
)


def test_self_attention_is_scaled_dot_with_four_heads_unless_said_otherwise():
    attention = StackSettings().self_attention
    assert (attention.score.kind, attention.scale.kind, attention.heads, attention.mechanism.kind) == (
        "scaled",
        "sqrt",
        4,
        "full",
    )
    assert StackSettings(self_attention={"score": "dot"}).self_attention.scale.kind == "none"


def test_parts_are_named_by_a_word_or_with_options():
    settings = TransformerEncoderSettings(positions="rope", self_attention={"mechanism": {"kind": "window", "width": 3}})
    assert settings.positions.kind == "rope"
    assert settings.self_attention.mechanism.width == 3
    assert settings.embedding_size == settings.hidden_size


def test_settings_survive_saving():
    settings = DecoderOnlySettings(positions={"kind": "relative", "max_distance": 5}, self_attention={"mechanism": "strided"})
    assert DecoderOnlySettings(**settings.model_dump()) == settings


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (StackSettings, {"hidden_size": 30}, "hidden_size 30 is not divisible by self_attention.heads 4"),
        (StackSettings, {"self_attention": {"attention_size": 30}}, "attention_size 30 is not divisible"),
        (StackSettings, {"hidden_size": 15, "self_attention": {"heads": 3}}, "hidden_size 15 is odd"),
        (StackSettings, {"hidden_size": 12, "positions": "rope"}, "a head of 3 features has an odd one"),
        (StackSettings, {"positions": "rope", "self_attention": {"score": "additive"}}, "score: additive has none; use dot"),
        (StackSettings, {"positions": "alibi", "self_attention": {"mechanism": "linear"}}, "mechanism: linear replaces"),
        (StackSettings, {"positions": "relative", "self_attention": {"mechanism": "lsh"}}, "mechanism: lsh replaces"),
        (StackSettings, {"self_attention": {"score": "mean"}}, "mean is a bridge from the source"),
        (StackSettings, {"self_attention": {"window": "local_p"}}, "in self-attention write mechanism: window"),
        (StackSettings, {"self_attention": {"mechanism": "linear", "score": "dot"}}, "leave out score: dot"),
        (StackSettings, {"self_attention": {"mechanism": "lsh", "normaliser": "sparsemax"}}, "leave out normaliser: sparsemax"),
        (StackSettings, {"self_attention": {"mechanism": "adaptive_span", "normaliser": "sigmoid"}}, "sees keys in part"),
        (StackSettings, {"self_attention": {"mechanism": "lsh", "attention_size": 64}}, "leave out attention_size: 64"),
        (StackSettings, {"self_attention": {"mechanism": "linear", "dropout": 0.1}}, "no weights that could be dropped"),
        (StackSettings, {"self_attention": {"mechanism": {"kind": "lsh", "buckets": 3}}}, "buckets 3: .* 1 or even"),
        (StackSettings, {"self_attention": {"mechanism": {"kind": "full", "width": 3}}}, "Extra inputs are not permitted"),
        (StackSettings, {"positions": {"kind": "rope", "max_positions": 9}}, "Extra inputs are not permitted"),
        (
            TransformerDecoderSettings,
            {"self_attention": {"mechanism": "linformer"}},
            "linformer mixes all positions, later ones too",
        ),
        (DecoderOnlySettings, {"self_attention": {"mechanism": "linformer"}}, "use full, .* linear or lsh"),
        (DecoderOnlySettings, {"self_attention": {"score": "location"}}, "location counts places in the padded row"),
        (
            DecoderOnlySettings,
            {"self_attention": {"score": {"kind": "gated", "members": ["dot", "concat_linear"]}}},
            "concat_linear counts places",
        ),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_with_a_sentence(kind, settings, message):
    with pytest.raises(ValidationError, match=message):
        kind(**settings)
