import numpy as np
import pytest
import torch
from torch import nn

from seq2seq.corpus.batching import collate
from seq2seq.corpus.encoded import EncodedSplit, TokenArrays
from seq2seq.corpus.pairs import SentencePair
from seq2seq.models.budget import flops_per_token
from seq2seq.report.analysis.costs import LiveBytes, decode_forced, measure_costs, of_length, peak_bytes


def test_live_bytes_by_hand():
    weights = nn.Linear(4, 4, bias=False)
    with torch.no_grad(), LiveBytes(weights) as live:
        first = torch.zeros(10, dtype=torch.float32)  # 40 bytes
        second = first + 1  # 80 together
        first.add_(second)  # in place: nothing new
        view = second[2:5]
        weights.weight.t()  # was there before
        assert live.live == 80
        del first
        assert live.live == 40
        third = torch.zeros(5)
        assert (live.live, live.peak) == (60, 80)
        del second
        assert live.live == 60  # the view holds it
        del view, third
        assert live.live == 0


@pytest.mark.parametrize("name", ["additive", "before", "none", "transformer", "decoder_only"])
def test_forced_steps_cost_memory_that_grows_with_length(make_run, data, name):
    run, split = make_run(name), data.tests["test"]
    order = np.argsort(split.source_lengths)
    short, long = (collate(split, order[chosen]) for chosen in (slice(0, 4), slice(-4, None)))
    decode_forced(run.model, short)
    assert 0 < peak_bytes(run, short) < peak_bytes(run, long)


def split_of(*words):
    pairs = [SentencePair(" ".join("w" * n), "x") for n in words]
    return EncodedSplit(TokenArrays.from_lists([[4]] * len(words)), TokenArrays.from_lists([[4]] * len(words)), pairs)


def test_sentences_of_a_length_are_near_it_or_it_is_left_out():
    split = split_of(*[10] * 7, 11, *[21] * 8, *[30] * 4)
    assert of_length(split) == {10: [0, 1, 2, 3, 4, 5, 6, 7], 20: list(range(8, 16))}


def test_a_run_is_measured_once(make_run, data, monkeypatch):
    run = make_run("additive")
    monkeypatch.setattr("seq2seq.report.analysis.costs.LENGTHS", (10,))
    result = measure_costs(run, data)
    assert result["training_tokens_per_second"] == 1234.0
    assert "ms_per_sentence" not in result  # one figure of decoding time, not two that contradict each other
    assert result["flops_per_token"] == 3 * flops_per_token(run.settings, 25, 25)
    (point,) = result["by_length"]
    assert (point["length"], point["sentences"]) == (10, 8)
    assert point["ms_per_sentence"] > 0
    assert point["peak_bytes"] > 0
    monkeypatch.setattr("seq2seq.report.analysis.costs.cost_at", None)
    assert measure_costs(run, data) == result
    assert measure_costs(run, data, decoding=False)["by_length"] == []
