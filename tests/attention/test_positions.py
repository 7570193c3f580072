import math

import pytest
import torch
from torch.autograd import gradcheck

from seq2seq.attention.positions import (
    AbsolutePositions,
    AlibiRelation,
    LearnedPositions,
    Relation,
    RelativeRelation,
    RotaryRelation,
    SinusoidalPositions,
    alibi_slopes,
)
from seq2seq.config.errors import UserError

B, H, Q, S, D = 2, 3, 5, 7, 4


def relations() -> list[Relation]:
    return [
        Relation(),
        RotaryRelation(head_size=D).double(),
        AlibiRelation(heads=H).double(),
        RelativeRelation(head_size=D, value_size=D, max_distance=2).double(),
    ]


def scores(relation: Relation, query, keys, query_positions, key_positions):
    """Scaled dot products under a relation, as attention computes them."""
    turned = relation.rotate(query, query_positions) @ relation.rotate(keys, key_positions).transpose(-1, -2)
    added = relation.scores(query, query_positions, key_positions)
    return turned / math.sqrt(D) + (0 if added is None else added)


def test_sinusoidal_by_hand():
    vectors = SinusoidalPositions(embedding_size=4)(torch.tensor([0, 3]))
    expected = torch.tensor([[0.0, 1.0, 0.0, 1.0], [math.sin(3), math.cos(3), math.sin(0.03), math.cos(0.03)]])
    torch.testing.assert_close(vectors, expected)


def test_sinusoidal_offset_is_a_rotation():
    """PE(p + k) is a linear function of PE(p): the product of two vectors depends on their distance alone."""
    vectors = SinusoidalPositions(embedding_size=6).double()(torch.arange(11))
    products = vectors @ vectors.t()
    torch.testing.assert_close(products[:-1, :-1], products[1:, 1:])


@pytest.mark.parametrize(
    "positions", [SinusoidalPositions(embedding_size=4), LearnedPositions(embedding_size=4, max_positions=9)]
)
def test_absolute_positions_of_rows_equal_those_of_each_row(positions: AbsolutePositions):
    rows = torch.tensor([[0, 1, 2], [4, 5, 6]])
    torch.testing.assert_close(positions(rows), torch.stack([positions(row) for row in rows]))


def test_odd_size_is_refused():
    with pytest.raises(ValueError, match="size 5 is odd"):
        SinusoidalPositions(embedding_size=5)


def test_learned_positions_look_up_and_refuse_what_is_too_long():
    positions = LearnedPositions(embedding_size=4, max_positions=3)
    torch.testing.assert_close(positions(torch.tensor([2, 0])), positions.table.weight[[2, 0]])
    with pytest.raises(UserError, match="4 tokens meets max_positions 3"):
        positions(torch.arange(4))


def test_rope_turns_the_unit_vector_by_its_position():
    turned = RotaryRelation(head_size=2).rotate(torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]]), torch.tensor([0, 2]))
    torch.testing.assert_close(turned, torch.tensor([[[[1.0, 0.0], [math.cos(2), math.sin(2)]]]]))


def test_rope_keeps_lengths():
    features = torch.randn(B, H, Q, D, dtype=torch.double)
    turned = RotaryRelation(head_size=D).double().rotate(features, torch.arange(Q))
    torch.testing.assert_close(turned.norm(dim=-1), features.norm(dim=-1))


@pytest.mark.parametrize("relation", relations(), ids=lambda relation: type(relation).__name__)
def test_relations_know_only_the_distance(relation: Relation):
    query, keys = torch.randn(B, H, Q, D, dtype=torch.double), torch.randn(B, H, S, D, dtype=torch.double)
    here = scores(relation, query, keys, torch.arange(Q), torch.arange(S))
    there = scores(relation, query, keys, torch.arange(Q) + 13, torch.arange(S) + 13)
    torch.testing.assert_close(here, there)


@pytest.mark.parametrize("relation", relations()[1:], ids=lambda relation: type(relation).__name__)
def test_relations_tell_positions_apart(relation: Relation):
    query, keys = torch.randn(B, H, Q, D, dtype=torch.double), torch.randn(B, H, S, D, dtype=torch.double)
    here = scores(relation, query, keys, torch.arange(Q), torch.arange(S))
    moved = scores(relation, query, keys, torch.arange(Q), torch.arange(S) + 1)
    assert not torch.allclose(here, moved)


@pytest.mark.parametrize("relation", relations(), ids=lambda relation: type(relation).__name__)
def test_positions_of_rows_equal_those_of_each_row(relation: Relation):
    query, keys = torch.randn(B, H, Q, D, dtype=torch.double), torch.randn(B, H, S, D, dtype=torch.double)
    weights = torch.softmax(torch.randn(B, H, Q, S, dtype=torch.double), dim=-1)
    query_rows = torch.stack([torch.arange(Q) + offset for offset in (3, 8)])  # (B, Q)
    key_rows = torch.stack([torch.arange(S) + offset for offset in (0, 4)])  # (B, S)
    together = scores(relation, query, keys, query_rows, key_rows)
    values = relation.values(weights, query_rows, key_rows)
    for row in range(B):
        one = slice(row, row + 1)
        alone = scores(relation, query[one], keys[one], query_rows[row], key_rows[row])
        torch.testing.assert_close(together[one], alone)
        value = relation.values(weights[one], query_rows[row], key_rows[row])
        assert (value is None) == (values is None)
        if value is not None:
            torch.testing.assert_close(values[one], value)


@pytest.mark.parametrize("relation", relations(), ids=lambda relation: type(relation).__name__)
def test_gradcheck(relation: Relation):
    query = torch.randn(1, H, 2, D, dtype=torch.double, requires_grad=True)
    keys = torch.randn(1, H, 3, D, dtype=torch.double, requires_grad=True)
    assert gradcheck(lambda q, k: scores(relation, q, k, torch.arange(2), torch.arange(3)), (query, keys))


def test_alibi_slopes_are_those_of_the_paper():
    assert alibi_slopes(8) == [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]
    torch.testing.assert_close(torch.tensor(alibi_slopes(16)[:3]), torch.tensor([2**-0.5, 2**-1.0, 2**-1.5]))
    assert alibi_slopes(3) == [2**-4.0, 2**-8.0, 2**-2.0]  # two of H = 2, then the first of H = 4


def test_alibi_by_hand():
    added = AlibiRelation(heads=2).scores(torch.zeros(1, 2, 1, D), torch.tensor([2]), torch.arange(4))
    torch.testing.assert_close(added[0], torch.tensor([[-2.0, -1.0, 0.0, -1.0]]) / 16)
    torch.testing.assert_close(added[1], torch.tensor([[-2.0, -1.0, 0.0, -1.0]]) / 256)


def test_relative_by_hand():
    """Shaw equations 3 to 5 with k = 1: the clipped distance chooses among three vectors."""
    relation = RelativeRelation(head_size=2, value_size=2, max_distance=1)
    with torch.no_grad():
        relation.key_vectors.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]]))
        relation.value_vectors.copy_(torch.tensor([[10.0, 0.0], [0.0, 10.0], [1.0, 1.0]]))
    query = torch.tensor([[[[5.0, 7.0]]]])
    added = relation.scores(query, torch.tensor([2]), torch.arange(5))  # distances -2 -1 0 1 2, clipped -1 -1 0 1 1
    torch.testing.assert_close(added[0, 0, 0], torch.tensor([5.0, 5.0, 7.0, 31.0, 31.0]))
    weights = torch.tensor([[[[0.1, 0.2, 0.3, 0.0, 0.4]]]])
    values = relation.values(weights, torch.tensor([2]), torch.arange(5))
    torch.testing.assert_close(values[0, 0, 0], torch.tensor([3.0 + 0.4, 3.0 + 0.4]))


def test_relative_equals_the_sum_over_pairs():
    relation = RelativeRelation(head_size=D, value_size=D, max_distance=2).double()
    query = torch.randn(B, H, Q, D, dtype=torch.double)
    weights = torch.softmax(torch.randn(B, H, Q, S, dtype=torch.double), dim=-1)
    index = (torch.arange(S) - torch.arange(Q)[:, None]).clamp(-2, 2) + 2  # (Q, S)
    pair_keys, pair_values = relation.key_vectors[index], relation.value_vectors[index]  # (Q, S, D)
    expected = torch.einsum("bhqd,qsd->bhqs", query, pair_keys)
    torch.testing.assert_close(relation.scores(query, torch.arange(Q), torch.arange(S)), expected)
    expected = torch.einsum("bhqs,qsd->bhqd", weights, pair_values)
    torch.testing.assert_close(relation.values(weights, torch.arange(Q), torch.arange(S)), expected)
