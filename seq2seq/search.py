"""Greedy and beam search over any model, batched; a finished sentence leaves the batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.config.training import SearchSettings
from seq2seq.models.interface import Model, State, expand
from seq2seq.tokenizer import BOS, EOS, PAD


@dataclass(frozen=True)
class Hypothesis:
    """A translation of one sentence."""

    tokens: tuple[int, ...]
    """Target pieces, without begin and end."""
    score: float
    """Log-probability in nats, divided by the length penalty."""
    truncated: bool
    """Whether the search ran into the length limit before the end of the sentence."""
    weights: Tensor | None = None
    """(tokens + 1, S), attention when each token and the end was predicted (no end row if truncated); None if not asked for."""


def length_penalty(length: int | Tensor, alpha: float) -> float | Tensor:
    """((5 + length) / 6) ** alpha, Wu et al. 2016 (arXiv:1609.08144), equation 14; the end of sentence counts."""
    return ((5 + length) / 6) ** alpha  # type: ignore[no-any-return]


def length_limits(mask: Tensor, settings: SearchSettings) -> Tensor:
    """Return the most target pieces (B,) for source masks (B, S), whose end of sentence is not counted."""
    words = mask.sum(dim=1) - 1
    return (words * settings.max_ratio).long() + settings.max_extra


@torch.inference_mode()
def search(
    model: Model, source: Tensor, mask: Tensor, settings: SearchSettings, need_weights: bool = False
) -> list[Hypothesis]:
    """Translate a batch.

    Args:
        model: in eval mode.
        source: (B, S) tokens with end of sentence.
        mask: (B, S), True at real tokens.
        settings: beam 1 is greedy search.
        need_weights: keep the attention of the hypothesis that is returned.

    Returns:
        The best hypothesis of each sentence, in order.
    """
    run: Callable[..., list[Hypothesis]] = _greedy if settings.beam == 1 else _beam
    return run(model, source, mask, settings, need_weights)


def _allowed_logits(logits: Tensor) -> Tensor:
    """Padding and begin of sentence are never predicted."""
    logits = logits.float()
    logits[:, PAD] = float("-inf")
    logits[:, BOS] = float("-inf")
    return logits


def _greedy(model: Model, source: Tensor, mask: Tensor, settings: SearchSettings, need_weights: bool) -> list[Hypothesis]:
    state = model.start(model.encode(source, mask))
    limits = length_limits(mask, settings)
    results: dict[int, Hypothesis] = {}
    alive = torch.arange(source.shape[0], device=source.device)  # original index of each row
    tokens = torch.full_like(alive, BOS)
    scores = torch.zeros(len(alive), device=source.device)
    history = torch.empty(len(alive), 0, dtype=torch.long, device=source.device)  # (B, t)
    seen = _no_weights(source, len(alive), need_weights)
    while len(alive):
        output = model.step(tokens, state, need_weights)
        logits = _allowed_logits(output.logits)
        best, tokens = logits.max(dim=-1)
        scores = scores + best - logits.logsumexp(dim=-1)
        history = torch.cat([history, tokens.unsqueeze(1)], dim=1)
        seen = _append(seen, output.weights)
        ended = tokens == EOS
        done = ended | (history.shape[1] > limits[alive])
        state = output.state
        if not bool(done.any()):
            continue
        for row in done.nonzero().flatten().tolist():
            results[int(alive[row])] = _finish(history[row], scores[row], bool(ended[row]), settings, seen, row)
        keep = (~done).nonzero().flatten()
        alive, tokens, scores, history = alive[keep], tokens[keep], scores[keep], history[keep]
        seen = None if seen is None else seen[keep]
        state = state.select(keep, keep)
    return [results[index] for index in range(source.shape[0])]


def _no_weights(source: Tensor, rows: int, need_weights: bool) -> Tensor | None:
    return torch.empty(rows, 0, source.shape[1], device=source.device) if need_weights else None


def _append(seen: Tensor | None, weights: Tensor | None) -> Tensor | None:
    if seen is None or weights is None:
        return None
    return torch.cat([seen, weights.float().unsqueeze(-2)], dim=-2)


def _finish(
    history: Tensor, score: Tensor, ended: bool, settings: SearchSettings, seen: Tensor | None, row: int | tuple[int, int]
) -> Hypothesis:
    """Close a hypothesis: its last token is the end of sentence, or one too many where the limit was met."""
    tokens = tuple(history.tolist()[:-1])
    penalty = length_penalty(len(tokens) + 1, settings.length_penalty)
    weights = None if seen is None else seen[row][: len(tokens) + int(ended)].cpu()
    return Hypothesis(tokens=tokens, score=float(score) / float(penalty), truncated=not ended, weights=weights)


class _Beams(NamedTuple):
    """The live hypotheses of A sentences, K each."""

    alive: Tensor
    """(A,) original index of each sentence."""
    scores: Tensor
    """(A, K) log-probabilities, best first; -inf where there is no hypothesis yet."""
    history: Tensor
    """(A, K, t) tokens so far."""
    seen: Tensor | None
    """(A, K, t, S) attention so far."""


def _beam(model: Model, source: Tensor, mask: Tensor, settings: SearchSettings, need_weights: bool) -> list[Hypothesis]:
    beam, count, device = settings.beam, source.shape[0], source.device
    limits = length_limits(mask, settings)
    state = expand(model.start(model.encode(source, mask)), beam)
    scores = torch.full((count, beam), float("-inf"), device=device)
    scores[:, 0] = 0.0  # all K rows are equal at first: let one of them speak
    seen = _no_weights(source, count * beam, need_weights)
    beams = _Beams(
        alive=torch.arange(count, device=device),
        scores=scores,
        history=torch.empty(count, beam, 0, dtype=torch.long, device=device),
        seen=None if seen is None else seen.view(count, beam, 0, source.shape[1]),
    )
    tokens = torch.full((count * beam,), BOS, device=device)
    finished: list[list[Hypothesis]] = [[] for _ in range(count)]
    while len(beams.alive):
        output = model.step(tokens, state, need_weights)
        beams, parents = _extend(beams, output.logits, output.weights, finished, settings)
        keep = _unfinished(beams, finished, limits, settings)
        tokens, state, beams = _keep(beams, parents, output.state, keep)
    return [max(candidates, key=lambda h: (not h.truncated, h.score)) for candidates in finished]


def _extend(
    beams: _Beams, logits: Tensor, weights: Tensor | None, finished: list[list[Hypothesis]], settings: SearchSettings
) -> tuple[_Beams, Tensor]:
    """Continue every hypothesis by one token; return the K best that go on and their parents (A, K)."""
    sentences, beam = beams.scores.shape
    logits = _allowed_logits(logits)  # (A * K, V)
    width = min(2 * beam, logits.shape[-1] - 2)  # of 2 K candidates at most K end, so K go on
    values, choices = logits.topk(width, dim=-1)
    values = values - logits.logsumexp(dim=-1, keepdim=True)
    totals = (beams.scores.view(-1, 1) + values).view(sentences, beam * width)
    totals, picks = totals.topk(min(2 * beam, beam * width), dim=-1)  # (A, 2K), best first
    parents = picks // width
    tokens = choices.view(sentences, beam * width).gather(1, picks)
    ends = tokens == EOS
    _collect(beams, totals, parents, ends & torch.isfinite(totals), weights, finished, settings)
    totals = totals.masked_fill(ends, float("-inf"))
    scores, order = totals.topk(beam, dim=-1)
    parents, tokens = parents.gather(1, order), tokens.gather(1, order)
    rows = torch.arange(sentences, device=parents.device).unsqueeze(1)
    history = torch.cat([beams.history[rows, parents], tokens.unsqueeze(-1)], dim=-1)
    seen = beams.seen
    if seen is not None and weights is not None:
        seen = _append(seen, weights.view(sentences, beam, -1))
        seen = None if seen is None else seen[rows, parents]
    return _Beams(alive=beams.alive, scores=scores, history=history, seen=seen), parents


def _collect(
    beams: _Beams,
    totals: Tensor,
    parents: Tensor,
    ends: Tensor,
    weights: Tensor | None,
    finished: list[list[Hypothesis]],
    settings: SearchSettings,
) -> None:
    """Move the ended among the first K candidates of each sentence to its finished hypotheses."""
    beam = beams.scores.shape[1]
    ended = ends[:, :beam].nonzero()
    if not len(ended):
        return
    seen = None if weights is None else _append(beams.seen, weights.view(len(beams.alive), beam, -1))
    for sentence, place in ended.tolist():
        parent = int(parents[sentence, place])
        history = torch.cat([beams.history[sentence, parent], beams.history.new_tensor([EOS])])
        hypothesis = _finish(history, totals[sentence, place], True, settings, seen, (sentence, parent))
        finished[int(beams.alive[sentence])].append(hypothesis)


def _unfinished(beams: _Beams, finished: list[list[Hypothesis]], limits: Tensor, settings: SearchSettings) -> list[int]:
    """Say which sentences go on: neither K hypotheses ended, nor one that no live one can overtake, nor the limit met."""
    keep = []
    length = beams.history.shape[-1]
    best_live = beams.scores[:, 0].tolist()
    allowed = limits[beams.alive].tolist()
    for row, sentence in enumerate(beams.alive.tolist()):
        done = finished[sentence]
        if length > allowed[row]:
            if not done:
                done.append(_finish(beams.history[row, 0], beams.scores[row, 0], False, settings, beams.seen, (row, 0)))
            continue
        bound = best_live[row] / float(length_penalty(allowed[row] + 1, settings.length_penalty))
        if len(done) < settings.beam and not (done and max(h.score for h in done) >= bound):
            keep.append(row)
    return keep


def _keep(beams: _Beams, parents: Tensor, state: State, keep: list[int]) -> tuple[Tensor, State, _Beams]:
    """Re-index the state to the parents of the hypotheses that go on, and drop the sentences that are done."""
    beam = beams.scores.shape[1]
    kept = torch.tensor(keep, dtype=torch.long, device=parents.device)
    gone = len(keep) < len(beams.alive)
    rows = (kept.unsqueeze(1) * beam + parents[kept]).flatten()
    state = state.select(rows, kept if gone else None)
    if gone:
        beams = _Beams(*(None if value is None else value[kept] for value in beams))  # type: ignore[arg-type]
    return beams.history[..., -1].flatten(), state, beams
