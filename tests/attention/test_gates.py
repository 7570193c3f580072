"""Heads that switch themselves off, and spans that are learned: by hand, what they cost, and that training uses it."""

import math

import pytest
import torch
from pydantic import ValidationError

from seq2seq.attention.build import build_attention
from seq2seq.attention.gates import PACE, HeadGates, penalty_of
from seq2seq.attention.mechanisms.span import SpanRelation
from seq2seq.attention.positions import Relation
from seq2seq.config.attention import AttentionSettings
from seq2seq.report.analysis.costs import share_used
from tests.attention.test_mechanisms import SMALL, build, states


def test_gates_by_hand():
    """sigmoid(a) = 0, 1/2 and 1 stretched to -0.1, 1/2 and 1.1 and cut."""
    gates = HeadGates(heads=3, penalty=0.1).eval()
    gates.paced_log_odds.data = torch.tensor([-20.0, 0.0, 20.0])
    torch.testing.assert_close(gates(torch.ones(1, 3, 1, 1)).flatten().detach(), torch.tensor([0.0, 0.5, 1.0]))
    half = 1 / (1 + (0.1 / 1.1) ** (2 / 3))
    torch.testing.assert_close(float(gates.penalty().detach()), 0.1 * (half + 1), atol=1e-6, rtol=0)
    assert gates.used() == pytest.approx(2 / 3)


def test_gates_open_as_often_as_they_say():
    gates = HeadGates(heads=1, penalty=1.0).train()
    gates.paced_log_odds.data.fill_(-1.0 / PACE)
    torch.manual_seed(1)
    draws = torch.stack([gates(torch.ones(1, 1, 1, 1)).detach() for _ in range(2000)]).flatten()
    assert ((draws >= 0) & (draws <= 1)).all()
    expected = float(gates.penalty().detach())
    assert abs(float((draws > 0).float().mean()) - expected) < 4 * math.sqrt(expected * (1 - expected) / 2000)


def test_a_closed_head_says_nothing():
    settings = AttentionSettings(score="scaled", heads=2, gates={})
    attention = build_attention(settings, query_size=4, memory_size=4, summary_size=4).eval()
    attention.gates.paced_log_odds.data = torch.tensor([20.0, -20.0])
    memory, query = torch.randn(1, 5, 4), torch.randn(1, 2, 4)
    keys = attention.project_keys(memory, torch.ones(1, 5, dtype=torch.bool))
    before = attention(query, keys).context
    changed = keys._replace(values=torch.cat([keys.values[:, :1], torch.randn(1, 1, 5, 2)], dim=1))
    torch.testing.assert_close(attention(query, changed).context, before)


def test_the_penalty_alone_closes_heads_and_shortens_spans():
    gates, span = HeadGates(heads=2, penalty=1.0), build(SMALL["adaptive_span"], causal=False)
    both = torch.nn.ModuleList([gates, span])
    assert penalty_of(torch.nn.Linear(1, 1)) == 0.0
    assert torch.equal(penalty_of(both), gates.penalty() + span.penalty())
    before = share_used(both, type(span))
    optimizer = torch.optim.SGD([gates.paced_log_odds, span.spanned.log_odds], lr=5.0)
    for _ in range(200):
        optimizer.zero_grad()
        penalty_of(both).backward()
        optimizer.step()
    assert (share_used(both, HeadGates), share_used(torch.nn.Linear(1, 1), HeadGates)) == (0.0, None)
    assert share_used(both, type(span)) < before / 2


def test_a_head_that_brings_nothing_closes_within_a_study():
    """500 updates of Adam at 0.002 move a parameter by one at most, which is less than the way from open to closed."""
    gates = HeadGates(heads=2, penalty=0.01)
    optimizer = torch.optim.Adam(gates.parameters(), lr=0.002)
    for _ in range(500):
        optimizer.zero_grad()
        gates.penalty().backward()
        optimizer.step()
    assert gates.used() == 0.0


def test_a_span_by_hand():
    """Two heads with z = 1 and z = 3 of 4, ramp 2: at distances 0, 1, 2, 3 the masks are 1, 1, 1/2, 0 and 1, 1, 1, 1."""
    relation = SpanRelation(within=Relation(), heads=2, max_span=4, ramp=2)
    relation.log_odds.data = torch.logit(torch.tensor([1 / 4, 3 / 4]))
    found = relation.scores(torch.zeros(1, 2, 1, 1), torch.tensor([3]), torch.tensor([3, 2, 1, 0])).exp()
    torch.testing.assert_close(found[:, 0].detach(), torch.tensor([[1.0, 1.0, 0.5, 0.0], [1.0, 1.0, 1.0, 1.0]]))


def test_no_score_sees_beyond_a_span():
    relation = SpanRelation(within=Relation(), heads=1, max_span=4, ramp=2)
    relation.log_odds.data = torch.logit(torch.tensor([1 / 4]))
    added = relation.scores(torch.zeros(1, 1, 1, 1), torch.tensor([3]), torch.tensor([3, 2, 1, 0]))
    assert torch.softmax(added + torch.tensor([0.0, 0.0, 0.0, 1000.0]), dim=-1)[0, 0, 3] == 0.0


def test_a_long_span_is_exact_for_queries_of_half_precision():
    """Bf16 knows multiples of 4 near 900, and a ramp is 8 wide."""
    relation = SpanRelation(within=Relation(), heads=1, max_span=1000, ramp=8)
    relation.log_odds.data = torch.logit(torch.tensor([0.9]))
    places = torch.arange(899, 909)
    found = relation.scores(torch.zeros(1, 1, 1, 1, dtype=torch.bfloat16), torch.tensor([0]), places).exp()[0, 0]
    torch.testing.assert_close(found.float(), ((908 - places) / 8).clamp(0, 1), rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("causal", [False, True])
def test_a_long_sequence_is_computed_within_the_widest_span(causal):
    span = build(SMALL["adaptive_span"] | {"penalty": 0.0}, causal=causal)
    span.spanned.log_odds.data = torch.logit(torch.tensor([0.1, 0.6]))
    inputs = states(2, 29)
    positions = torch.arange(29)
    whole = span.attend(inputs, span.project_keys(inputs), positions, positions).context
    torch.testing.assert_close(span(inputs), whole)
    assert span.width == 3  # ceil(0.6 x 3) and a ramp of 1


@pytest.mark.parametrize(
    ("attention", "message"),
    [
        ({"score": "scaled", "gates": {}}, "a single head cannot be switched off"),
        ({"score": "none", "gates": {}}, "gates does not apply to score: none"),
        ({"score": "scaled", "heads": 2, "gates": {"penalty": -1}}, "greater than or equal to 0"),
    ],
)
def test_gates_that_do_not_fit(attention, message):
    with pytest.raises(ValidationError, match=message):
        AttentionSettings(**attention)
