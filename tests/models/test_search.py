"""Search over a model whose probabilities are a known table, against exhaustive search."""

import itertools

import pytest
import torch

from seq2seq.config.errors import RunError
from seq2seq.config.training import SearchSettings
from seq2seq.corpus.tokenizer import BOS, EOS, PAD, UNK
from seq2seq.models.interface import DecoderOutput, Memory, Model, State, StepOutput
from seq2seq.models.search import length_penalty
from tests.models.hypotheses import search

VOCABULARY = 6


class TableModel(Model):
    """log p(next | previous token, position, sentence) from a random table: enough to fool any search that cheats."""

    def __init__(self, sentences, positions, seed, sharpness=1.5):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = sharpness * torch.randn(sentences, positions, VOCABULARY, VOCABULARY, generator=generator)
        self.calls = []

    def encode(self, source, mask):
        index = source[:, 0:1].float()  # the first token names the sentence
        return Memory(states=index.unsqueeze(1), mask=mask, summary=index)

    def start(self, memory):
        index = memory.summary[:, 0].long()
        return State(sentence=(memory.mask, index), hypothesis=(index,), position=0)

    def step(self, tokens, state, need_weights=False):
        (index,) = state.hypothesis
        self.calls.append(len(tokens))
        logits = self.table[index, min(state.position, self.table.shape[1] - 1), tokens].clone()
        mask, owner = state.sentence
        assert torch.equal(index, owner.repeat_interleave(len(index) // len(owner)))
        weights = torch.nn.functional.one_hot(tokens, mask.shape[1]).float() if need_weights else None
        following = State(sentence=state.sentence, hypothesis=state.hypothesis, position=state.position + 1)
        return StepOutput(logits=logits, state=following, weights=weights)

    def decode(self, memory, inputs, need_weights=False):
        return DecoderOutput(features=inputs, weights=None)

    def log_probability(self, sentence, tokens):
        """Of tokens, then the end."""
        total, previous = 0.0, BOS
        for position, token in enumerate((*tokens, EOS)):
            logits = self.table[sentence, position, previous].clone()
            logits[[PAD, BOS]] = float("-inf")
            total += float(torch.log_softmax(logits, dim=-1)[token])
            previous = token
        return total


def batch(sentences, length=7):
    source = torch.arange(sentences).unsqueeze(1).repeat(1, length)
    return source, torch.ones_like(source, dtype=torch.bool)


def exhaustive(model, sentence, limit, alpha):
    alphabet = [UNK, *range(EOS + 1, VOCABULARY)]
    best = None
    for length in range(limit + 1):
        for tokens in itertools.product(alphabet, repeat=length):
            score = model.log_probability(sentence, tokens) / length_penalty(length + 1, alpha)
            if best is None or score > best[0]:
                best = (score, tokens)
    return best


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_what_exhaustive_search_finds(alpha, seed):
    limit = 4
    model = TableModel(sentences=3, positions=limit + 1, seed=seed)
    settings = SearchSettings(beam=400, length_penalty=alpha, max_ratio=1e-9, max_extra=limit)
    found = search(model, *batch(3), settings)
    for sentence, hypothesis in enumerate(found):
        score, tokens = exhaustive(model, sentence, limit, alpha)
        assert hypothesis.tokens == tokens
        assert hypothesis.score == pytest.approx(score, abs=1e-4)
        assert not hypothesis.truncated


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_is_greedy(seed):
    model, limit = TableModel(sentences=4, positions=30, seed=seed), 15
    settings = SearchSettings(beam=1, length_penalty=0.0, max_ratio=2, max_extra=3)
    for sentence, hypothesis in enumerate(search(model, *batch(4), settings)):
        tokens, total, previous = [], 0.0, BOS
        while previous != EOS and len(tokens) <= limit:
            logits = model.table[sentence, len(tokens), previous].clone()
            logits[[PAD, BOS]] = float("-inf")
            chances = torch.log_softmax(logits, dim=-1)
            previous = int(chances.argmax())
            total += float(chances[previous])
            tokens.append(previous)
        assert hypothesis.tokens == tuple(tokens[:-1])
        assert hypothesis.truncated == (tokens[-1] != EOS)
        assert hypothesis.score == pytest.approx(total, abs=1e-5)


@pytest.mark.parametrize("beam", [1, 4])
def test_a_sentence_alone_equals_the_same_in_a_batch(beam):
    model = TableModel(sentences=5, positions=30, seed=9)
    source, mask = batch(5)
    settings = SearchSettings(beam=beam)
    together = search(model, source, mask, settings)
    for i in range(5):
        assert search(model, source[i : i + 1], mask[i : i + 1], settings)[0].tokens == together[i].tokens


@pytest.mark.parametrize("beam", [1, 3])
def test_finished_sentences_leave_the_batch(beam):
    model = TableModel(sentences=6, positions=40, seed=2)
    search(model, *batch(6), SearchSettings(beam=beam, max_extra=30))
    assert model.calls[0] == 6  # one hypothesis a sentence before the first step
    assert model.calls[-1] < max(model.calls) <= 6 * beam


@pytest.mark.parametrize("beam", [1, 3])
def test_the_limit_is_relative_to_the_source_and_marks_truncation(beam):
    model = TableModel(sentences=2, positions=60, seed=0)
    model.table[..., EOS] = -1e4  # never ends by itself
    source, mask = batch(2, length=11)
    mask[1, 6:] = False  # 5 pieces and the end
    found = search(model, source, mask, SearchSettings(beam=beam, max_ratio=2.0, max_extra=1))
    assert [len(h.tokens) for h in found] == [21, 11]
    assert all(h.truncated for h in found)


@pytest.mark.parametrize("beam", [1, 3])
def test_weights_are_those_of_the_returned_hypothesis(beam):
    model = TableModel(sentences=3, positions=30, seed=4)
    for hypothesis in search(model, *batch(3), SearchSettings(beam=beam), need_weights=True):
        fed = [BOS, *hypothesis.tokens][: len(hypothesis.tokens) + (not hypothesis.truncated)]
        assert hypothesis.weights.argmax(dim=-1).tolist() == fed


def test_an_empty_translation_is_possible():
    model = TableModel(sentences=1, positions=5, seed=0)
    model.table[..., EOS] = 1e3
    for beam in (1, 2):
        (hypothesis,) = search(model, *batch(1), SearchSettings(beam=beam))
        assert hypothesis.tokens == ()
        assert not hypothesis.truncated


def test_length_penalty_by_hand():
    assert length_penalty(1, 0.6) == 1.0
    assert length_penalty(7, 1.0) == 2.0
    assert length_penalty(7, 0.0) == 1.0


@pytest.mark.parametrize("beam", [1, 3])
def test_a_model_that_has_diverged_is_one_clear_line(beam):
    model = TableModel(sentences=2, positions=4, seed=1)
    model.table[1] = float("nan")
    with pytest.raises(RunError, match="not finite"):
        search(model, *batch(2), SearchSettings(beam=beam))
