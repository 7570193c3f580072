"""transformers' Marian model of the shape of A2 in the loop that its documentation suggests."""

import json
from collections.abc import Iterator
from random import Random

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.peers.job import Job, Saw

_PAD, _UNK, _BOS, _EOS = 0, 1, 2, 3
_IGNORED = -100


def train(job: Job, saw: Saw) -> None:
    """Train until `saw`'s clock ends the process."""
    from transformers import MarianConfig, MarianMTModel

    numbers = json.loads((job.pieces / "ids.json").read_text(encoding="utf-8"))
    torch.manual_seed(1)
    settings = MarianConfig(
        vocab_size=len(numbers),
        decoder_vocab_size=len(numbers),
        d_model=256,
        encoder_layers=3,
        decoder_layers=3,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=1024,
        decoder_ffn_dim=1024,
        dropout=0.1,
        attention_dropout=0.1,
        activation_dropout=0.1,
        activation_function="relu",
        scale_embedding=True,
        max_position_embeddings=512,
        pad_token_id=_PAD,
        bos_token_id=_BOS,
        eos_token_id=_EOS,
        forced_eos_token_id=None,
        decoder_start_token_id=_BOS,
    )
    model = MarianMTModel(settings).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98))
    pairs = list(zip(*(_read(job, language, numbers) for language in ("de", "en")), strict=True))
    for source, target in _batches(pairs, job.batch_tokens):
        saw(source != _PAD, target != _PAD)
        inputs = torch.cat([torch.full((len(target), 1), _BOS), target[:, :-1]], dim=1)
        logits = model(input_ids=source, attention_mask=source != _PAD, decoder_input_ids=inputs, use_cache=False).logits
        wanted = target.masked_fill(target == _PAD, _IGNORED).flatten()
        loss = functional.cross_entropy(logits.flatten(0, 1), wanted, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def _read(job: Job, language: str, numbers: dict[str, int]) -> list[list[int]]:
    lines = (job.pieces / f"train.{language}").read_text(encoding="utf-8").split("\n")[:-1]
    return [[numbers.get(piece, _UNK) for piece in line.split()] + [_EOS] for line in lines]


def _batches(pairs: list[tuple[list[int], list[int]]], tokens: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Endlessly, sorted by length, at most `tokens` padded positions on the longer side, shuffled."""
    random = Random(1)
    ordered = sorted(pairs, key=lambda pair: (max(map(len, pair)), len(pair[0])))
    batches, rows = [], ordered[:0]
    for pair in ordered:  # sorted: the last is the longest
        if rows and (len(rows) + 1) * max(map(len, pair)) > tokens:
            batches.append(rows)
            rows = []
        rows.append(pair)
    batches.append(rows)
    while True:
        random.shuffle(batches)
        for batch in batches:
            yield _padded([source for source, _ in batch]), _padded([target for _, target in batch])


def _padded(rows: list[list[int]]) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [_PAD] * (width - len(row)) for row in rows])
