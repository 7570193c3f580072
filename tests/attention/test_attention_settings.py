"""What a study may say of attention, and what it is told when it may not."""

import pytest
from pydantic import ValidationError

from seq2seq.attention.fixed import FIXED
from seq2seq.attention.normalisers import NORMALISERS
from seq2seq.attention.scales import SCALES
from seq2seq.attention.scores import SCORES, AdditiveScore, DotScore, ScaledDotScore
from seq2seq.attention.windows import WINDOWS
from seq2seq.config import attention as settings
from seq2seq.config.attention import AttentionSettings
from seq2seq.config.base import members, tags
from seq2seq.config.errors import UserError
from seq2seq.config.model import EncoderDecoderSettings
from seq2seq.config.transformer import SelfAttentionSettings
from tests.attention.conftest import CASES, CONTEXT, HEADS, MEMORY, build


def kinds(union):
    return {name for member in members(union) for name in tags(member)}


def test_every_line_of_a_table_can_be_chosen_and_nothing_else():
    assert kinds(settings.ScoreSettings) == {*SCORES, *FIXED, "custom"}
    assert kinds(settings.MemberSettings) == {*SCORES, "custom"} - {"gated"}
    assert kinds(settings.ScaleSettings) == {*SCALES}
    assert kinds(settings.NormaliserSettings) == {*NORMALISERS}
    assert kinds(settings.WindowSettings) == {*WINDOWS}


@pytest.mark.parametrize("case", CASES)
def test_resolved_settings_can_be_read_again(case):
    first = AttentionSettings(**CASES[case])
    assert AttentionSettings.model_validate(first.model_dump()) == first
    assert AttentionSettings.model_validate_json(first.model_dump_json()) == first


def test_short_and_long_names_are_the_same():
    assert AttentionSettings(score="dot") == AttentionSettings(score={"kind": "dot"})
    assert AttentionSettings(score="a.b:C").score.path == "a.b:C"
    assert AttentionSettings().score.kind == "additive"


def test_scaled_is_a_short_name():
    short = AttentionSettings(score="scaled")
    assert short.scale.kind == "sqrt"
    assert short == AttentionSettings(score={"kind": "scaled"}, scale="sqrt")
    assert AttentionSettings(score=settings.PlainScoreSettings(kind="scaled")) == short
    assert isinstance(build({"score": "scaled"}).score, ScaledDotScore)
    assert type(build({"score": "dot", "scale": "sqrt"}).score) is DotScore


def test_none_input_is_none():
    assert AttentionSettings(score="none-input") == AttentionSettings(score="none")
    assert AttentionSettings(score={"kind": "none-input"}) == AttentionSettings(score="none")


def test_concat_is_the_old_name_of_sum_tanh():
    assert AttentionSettings(score="concat") == AttentionSettings(score="sum_tanh")
    mixed = AttentionSettings(score={"kind": "gated", "members": ["concat", {"kind": "concat"}]})
    assert [member.kind for member in mixed.score.members] == ["sum_tanh", "sum_tanh"]


def test_none_state_needs_a_first_state():
    assert EncoderDecoderSettings.model_validate({"attention": {"score": "none-state"}}).decoder.kind == "rnn"
    with pytest.raises(
        ValidationError, match=r"none-state gives the source to the decoder's first state, and a Transformer has"
    ):
        EncoderDecoderSettings.model_validate({"attention": {"score": "none-state"}, "decoder": {"kind": "transformer"}})


@pytest.mark.parametrize(
    ("attention", "part"),
    [
        ({"score": "coverage"}, "score: coverage"),
        ({"score": {"kind": "gated", "members": ["dot", "location_aware"]}}, "score: location_aware"),
        ({"score": "dot", "normaliser": "monotonic"}, "normaliser: monotonic"),
    ],
)
def test_what_reads_its_past_is_not_for_a_transformer(attention, part):
    assert EncoderDecoderSettings.model_validate({"attention": attention}).attention.reads_past == part
    with pytest.raises(ValidationError, match=rf"attention\.{part} needs the weights of the step before, and a Transformer"):
        EncoderDecoderSettings.model_validate({"attention": attention, "decoder": {"kind": "transformer"}})
    with pytest.raises(
        ValidationError, match=rf"{part} needs the weights of the step before; self-attention answers all at once"
    ):
        SelfAttentionSettings.model_validate(attention)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"score": "scaled", "scale": "learned"}, "score: scaled is dot with scale: sqrt, and cannot have scale: learned"),
        ({"score": "scaled", "scale": {"kind": "none"}}, "cannot have scale: none; leave scale out, or write score: dot"),
        ({"score": "none", "heads": 2}, "heads does not apply to score: none, which compares nothing; leave it out"),
        ({"score": "none-state", "heads": 2}, "heads does not apply to score: none-state, which compares nothing"),
        ({"score": "mean", "window": "local_m"}, "window does not apply to score: mean"),
        ({"score": "uniform", "normaliser": "sparsemax"}, "normaliser does not apply to score: uniform"),
        ({"score": "diagonal", "scale": "sqrt"}, "scale does not apply to score: diagonal"),
        ({"score": "random_frozen", "attention_size": 5}, "attention_size does not apply to score: random_frozen"),
        ({"score": "dott"}, "dott"),
        ({"score": 3}, "score"),
        ({"score": "none", "scor": 1}, "scor"),
        ({"score": {"kind": "dot", "rank": 3}}, "rank"),
        ({"score": {"kind": "bilinear", "rank": 0}}, "greater than or equal to 1"),
        ({"score": {"kind": "mlp", "layers": 1}}, "greater than or equal to 2"),
        ({"score": {"kind": "cosine", "temperature": 0}}, "greater than or equal to 0.0001"),
        ({"score": {"kind": "location", "longer": "truncate"}}, "'refuse' or 'ignore'"),
        ({"score": {"kind": "gated", "members": ["dot"]}}, "at least 2 items"),
        ({"score": {"kind": "gated", "members": ["dot", "none"]}}, "none"),
        ({"score": {"kind": "gated", "members": ["dot", {"kind": "gated", "members": ["dot", "dot"]}]}}, "gated"),
        ({"score": "my_module:"}, "'my_module:' does not name a class; write module:Class"),
        ({"score": ":MyScore"}, "does not name a class"),
        ({"score": "my module:MyScore"}, "does not name a class"),
        ({"score": "my_module:My:Score"}, "does not name a class"),
        ({"score": {"kind": "custom", "path": "a:B", "options": {"list": [1]}}}, "options"),
        ({"normaliser": {"kind": "top_k", "k": 0}}, "greater than or equal to 1"),
        ({"normaliser": {"kind": "softmax", "k": 3}}, "k"),
        ({"window": {"kind": "local_m", "width": 0}}, "greater than or equal to 1"),
        ({"window": {"kind": "local_m", "edges": "soft"}}, "soft edges without the Gaussian are no window at all"),
        ({"window": {"kind": "global", "width": 3}}, "width"),
        ({"heads": 0}, "greater than or equal to 1"),
        ({"dropout": 1.0}, "less than 1"),
    ],
)
def test_mistakes(given, message):
    with pytest.raises(ValidationError) as caught:
        AttentionSettings(**given)
    assert message in str(caught.value)


def test_a_study_may_write_out_what_a_fixed_context_has_anyway():
    assert AttentionSettings(score="none", heads=1, window="global", dropout=0.1).score.kind == "none"


def test_heads_must_divide_the_features():
    with pytest.raises(UserError, match=r"model.attention.heads: 3 heads cannot share out the 11 features of the comparison"):
        build({"score": "dot", "heads": HEADS}, context_size=CONTEXT)
    with pytest.raises(UserError, match=r"heads: 3 heads cannot share out the 13 features of the context.* that divides 13"):
        build({"score": "dot", "heads": HEADS, "attention_size": 6}, context_size=MEMORY)


def test_gated_members_have_their_own_options():
    members = build({"score": {"kind": "gated", "members": [{"kind": "additive", "weight_norm": True}, "dot"]}}).score.members
    assert isinstance(members[0], AdditiveScore)
    assert members[0].gain is not None
    assert build({"score": {"kind": "gated", "members": ["dot", "additive"]}}).query_proj.weight.shape[0] == MEMORY
