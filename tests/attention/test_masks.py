import torch

from seq2seq.attention.masks import attendable, block, length_mask, masked_softmax

T, F = True, False


def test_length_mask_marks_the_first_tokens():
    assert length_mask(torch.tensor([2, 0, 3]), 3).tolist() == [[T, T, F], [F, F, F], [T, T, T]]


def test_attendable_joins_sentence_and_query_masks():
    real = torch.tensor([[T, T, F]])
    assert attendable(real).shape == (1, 1, 1, 3)
    causal = torch.tensor([[T, F, F], [T, T, F], [T, T, T]])
    assert attendable(real, causal).tolist() == [[[[T, F, F], [T, T, F], [T, T, F]]]]
    assert torch.equal(attendable(real, causal[None]), attendable(real, causal))


def test_masked_softmax_by_hand():
    scores = torch.tensor([0.0, torch.log(torch.tensor(3.0)), 50.0])
    torch.testing.assert_close(masked_softmax(scores, torch.tensor([T, T, F])), torch.tensor([0.25, 0.75, 0.0]))
    torch.testing.assert_close(masked_softmax(scores, torch.tensor([T, T, T])), torch.softmax(scores, dim=-1))


def test_masked_softmax_forbids_exactly_even_next_to_very_low_scores():
    scores = torch.tensor([-1e30, 1e30, 0.0])
    assert masked_softmax(scores, torch.tensor([T, F, F])).tolist() == [1.0, 0.0, 0.0]


def test_a_row_with_nothing_allowed_gives_zeros_and_finite_gradients():
    scores = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    weights = masked_softmax(scores, torch.tensor([[F, F], [T, F]]))
    assert weights.tolist() == [[0.0, 0.0], [1.0, 0.0]]
    (weights * torch.tensor([5.0, 7.0])).sum().backward()
    assert scores.grad.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_masked_softmax_gradients():
    mask = torch.tensor([[T, F, T], [F, F, F]])
    scores = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: masked_softmax(s, mask), scores)


def test_block_stays_finite_in_half_precision():
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        blocked = block(torch.ones(2, dtype=dtype), torch.tensor([T, F]))
        assert torch.isfinite(blocked).all()
        assert blocked[0] < -60000
        assert blocked[1] == 1
