"""Beam search over any model, batched; a finished sentence leaves the batch. A beam of one is greedy search."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.config.errors import RunError
from seq2seq.config.training import SearchSettings
from seq2seq.corpus.tokenizer import BOS, EOS, PAD
from seq2seq.models.interface import Model, State
from seq2seq.models.limits import find_limits


@dataclass(frozen=True)
class Hypothesis:
    """A translation of one sentence."""

    tokens: tuple[int, ...]
    """Target subwords, without begin and end."""
    score: float
    """Log-probability in nats, divided by the length penalty."""
    truncated: bool
    """Whether the search ran into the length limit before the end of the sentence."""
    weights: Tensor | None = None
    """(tokens + 1, S), attention when each token and the end was predicted (no end row if truncated); None if not asked for."""


def length_penalty(length: int, alpha: float) -> float:
    """((5 + length) / 6) ** alpha, Wu et al. 2016 (arXiv:1609.08144), equation 14; the end of sentence counts."""
    return math.pow((5 + length) / 6, alpha)


def length_limits(mask: Tensor, settings: SearchSettings, model: Model) -> Tensor:
    """Return the most target subwords (B,) for source masks (B, S): what the settings allow, and the model's positions."""
    words = mask.sum(dim=1) - 1  # end of sentence is not counted
    return find_limits(model).can_write((words * settings.max_ratio).long() + settings.max_extra, mask)


class _Beams(NamedTuple):
    """The live hypotheses of A sentences, K each (one before the first step)."""

    alive: Tensor
    """(A,) original index of each sentence."""
    scores: Tensor
    """(A, K) log-probabilities, best first; -inf where there are fewer than K."""
    history: Tensor
    """(A, K, t) tokens so far."""
    seen: Tensor | None
    """(A, K, t, S) attention so far; None if it is not asked for."""


@torch.inference_mode()
def search_n_best(
    model: Model, source: Tensor, mask: Tensor, settings: SearchSettings, need_weights: bool = False, n_best: int = 1
) -> list[list[Hypothesis]]:
    """Translate a batch.

    Args:
        model: in eval mode.
        source: (B, S) tokens with end of sentence.
        mask: (B, S), True at real tokens.
        settings: beam 1 is greedy search.
        need_weights: keep the attention of the hypotheses that are returned.
        n_best: how many a sentence, 1 to the beam; it goes on until none can overtake them, or a beam of them has ended.

    Returns:
        The best hypotheses of each sentence, best first; complete ones before truncated ones, fewer where fewer were found.

    Raises:
        RunError: the model gives logits that are not finite.
    """
    count, device = source.shape[0], source.device
    limits = length_limits(mask, settings, model)
    memory = model.encode(source, mask)
    state = model.start(memory)  # one hypothesis a sentence; the first step makes them K
    beams = _Beams(
        alive=torch.arange(count, device=device),
        scores=torch.zeros(count, 1, device=device),
        history=torch.empty(count, 1, 0, dtype=torch.long, device=device),
        seen=torch.empty(count, 1, 0, memory.mask.shape[1], device=device) if need_weights else None,
    )
    tokens = torch.full((count,), BOS, device=device)
    finished: list[list[Hypothesis]] = [[] for _ in range(count)]
    while len(beams.alive):
        output = model.step(tokens, state, need_weights)
        beams, parents = _extend(beams, output.logits, output.weights, finished, settings)
        keep = _unfinished(beams, finished, limits, settings, n_best)
        tokens, state, beams = _keep(beams, parents, output.state, keep)
    found = [sorted(hypotheses, key=lambda h: (h.truncated, -h.score))[:n_best] for hypotheses in finished]
    if not all(best and math.isfinite(best[0].score) for best in found):
        raise RunError(
            "the model's logits are not finite, so it has diverged: nothing can be translated with it; "
            "train it in a new place (--out DIR) with a lower training.learning_rate"
        )
    return found


def _best_continuations(scores: Tensor, logits: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Find the C best continuations (all if there are fewer) given scores (A, K) and logits (A * K, V), overwritten.

    Returns:
        Log-probabilities of whole hypotheses, best first; which of a sentence's hypotheses continues; tokens: (A, C) each.
    """
    # without a sort of all: the C largest numbers lie in the C groups with the largest maxima
    sentences, beam = scores.shape
    vocabulary = logits.shape[-1]
    members = _group_size(vocabulary)
    groups = vocabulary // members
    chances = torch.softmax(logits, dim=-1, out=logits)
    if beam == count == 1:
        best, tokens = chances.max(dim=-1, keepdim=True)
        return best.log_() + scores, torch.zeros_like(tokens), tokens
    maxima = chances.view(-1, members, groups).amax(dim=1)  # (A * K, G); group g is g, g + G, g + 2 G ...
    bounds = (maxima.log_().view(sentences, beam, groups) + scores.unsqueeze(-1)).flatten(1)  # (A, K * G)
    picked = bounds.topk(min(count, bounds.shape[1]), dim=-1, sorted=False).indices
    first = picked // groups * vocabulary + picked % groups  # place of a group's first member among K * V
    places = (first.unsqueeze(-1) + torch.arange(0, vocabulary, groups, device=first.device)).flatten(1)
    parents = places // vocabulary
    values = chances.view(sentences, -1).gather(1, places).log_() + scores.gather(1, parents)
    best, order = values.topk(min(count, values.shape[1]), dim=-1)
    return best, parents.gather(1, order), places.gather(1, order) % vocabulary


@lru_cache
def _group_size(vocabulary: int) -> int:
    """A divisor of the vocabulary near 40, where finding groups takes as long as looking into them; 1 if there is none."""
    return min((size for size in range(1, 65) if vocabulary % size == 0), key=lambda size: abs(size - 40))


def _extend(
    beams: _Beams, logits: Tensor, weights: Tensor | None, finished: list[list[Hypothesis]], settings: SearchSettings
) -> tuple[_Beams, Tensor]:
    """Continue every hypothesis by one token; return the K best that go on and the rows (A, K) of their parents.

    The ended among the first K candidates of each sentence move to its finished hypotheses.
    """
    sentences, live = beams.scores.shape
    logits = logits.float()
    logits[:, PAD] = logits[:, BOS] = float("-inf")  # never predicted
    # of 2 K candidates at most K end, so K go on; where one is kept, its end is that of the search
    candidates = 2 * settings.beam if settings.beam > 1 else 1
    totals, parents, tokens = _best_continuations(beams.scores, logits, candidates)
    ends, seen = tokens == EOS, None
    if beams.seen is not None and weights is not None:
        seen = torch.cat([beams.seen, weights.float().view(sentences, live, 1, -1)], dim=2)
    for row, place in (ends & torch.isfinite(totals))[:, : settings.beam].nonzero().tolist():
        at = row, int(parents[row, place])
        hypothesis = _close(beams.history[at], totals[row, place], None if seen is None else seen[at], settings)
        finished[int(beams.alive[row])].append(hypothesis)
    scores, history = totals.masked_fill(ends, float("-inf")), beams.history
    rows = torch.arange(sentences, device=parents.device).unsqueeze(1)
    if candidates > 1:
        scores, order = scores.topk(min(settings.beam, totals.shape[1]), dim=-1)
        parents, tokens = parents.gather(1, order), tokens.gather(1, order)
        history, seen = history[rows, parents], None if seen is None else seen[rows, parents]
    history = torch.cat([history, tokens.unsqueeze(-1)], dim=-1)
    return _Beams(alive=beams.alive, scores=scores, history=history, seen=seen), rows * live + parents


def _close(
    tokens: Tensor, score: Tensor, weights: Tensor | None, settings: SearchSettings, truncated: bool = False
) -> Hypothesis:
    """Make a hypothesis of tokens (t,), their log-probability and that of the token that ended them, and their attention."""
    normalised = float(score) / length_penalty(len(tokens) + 1, settings.length_penalty)
    return Hypothesis(tuple(tokens.tolist()), normalised, truncated, None if weights is None else weights.cpu())


def _unfinished(
    beams: _Beams, finished: list[list[Hypothesis]], limits: Tensor, settings: SearchSettings, n_best: int
) -> list[int]:
    """Return which sentences go on: neither K hypotheses ended, nor n that no live one can overtake, nor the limit met."""
    keep, length = [], beams.history.shape[-1]
    live, allowed = beams.scores.tolist(), limits[beams.alive].tolist()
    for row, sentence in enumerate(beams.alive.tolist()):
        done = finished[sentence]
        if not done and length <= allowed[row]:
            keep.append(row)
            continue
        if length > allowed[row]:  # the last token is one too many
            for at in [(row, place) for place, score in enumerate(live[row]) if score > float("-inf")]:
                weights = None if beams.seen is None else beams.seen[at][:-1]
                cut = _close(beams.history[at][:-1], beams.scores[at], weights, settings, truncated=True)
                if len(done) < n_best and cut.tokens not in {h.tokens for h in done if h.truncated}:
                    done.append(cut)
            continue
        bound = live[row][0] / length_penalty(allowed[row] + 1, settings.length_penalty)
        surely_best = len(done) >= n_best and sorted(h.score for h in done)[-n_best] >= bound
        if len(done) < settings.beam and not surely_best:
            keep.append(row)
    return keep


def _keep(beams: _Beams, parents: Tensor, state: State, keep: list[int]) -> tuple[Tensor, State, _Beams]:
    """Re-index the state to the rows `parents` (A, K) of the hypotheses that go on, and drop the sentences that are done."""
    kept = torch.tensor(keep, dtype=torch.long, device=parents.device)
    gone = len(keep) < len(beams.alive)
    if gone or parents.shape[1] > 1:  # else each hypothesis goes on in its own row
        state = state.select(parents[kept].flatten(), kept if gone else None)
    if gone:
        beams = _Beams(*(None if value is None else value[kept] for value in beams))  # type: ignore[arg-type]
    return beams.history[..., -1].flatten(), state, beams
