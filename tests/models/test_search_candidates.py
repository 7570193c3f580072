"""The best continuations are those of a full sort of all log-probabilities."""

import pytest
import torch

from seq2seq.models.search import _best_continuations


@pytest.mark.parametrize("vocabulary", [7, 41, 60, 128, 1009])
@pytest.mark.parametrize("beam", [1, 4])
def test_equals_a_sort_of_everything(vocabulary, beam):
    scores, logits = -3 * torch.rand(3, beam), 4 * torch.randn(3 * beam, vocabulary)
    logits[:, 2] = float("-inf")
    if beam > 1:
        scores[1, 1:] = float("-inf")
    count = min(2 * beam, vocabulary - 1)
    totals, parents, tokens = _best_continuations(scores, logits.clone(), count)
    every = (scores.view(-1, 1) + logits.log_softmax(dim=-1)).view(3, -1)
    expected, places = every.topk(count)
    torch.testing.assert_close(totals, expected)
    assert torch.equal(parents, places // vocabulary)
    assert torch.equal(tokens, places % vocabulary)
