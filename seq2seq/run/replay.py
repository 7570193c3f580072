"""Look again at an update whose loss or gradient was not finite: `python -m seq2seq.run.replay RUN`.

The trainer keeps the weights before such an update and the place of its batches. Here they are computed once more, sentence
by sentence, and the first module whose output is not finite is named.
"""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from seq2seq.config.errors import RunError, UserError
from seq2seq.corpus.batching import Batches, collate
from seq2seq.corpus.prepare import EncodedSplit, prepare
from seq2seq.models.build import build_model
from seq2seq.models.interface import Model
from seq2seq.models.kernels.cross_entropy import linear_cross_entropy, real_positions
from seq2seq.run.checkpoint import DamagedError, load_checkpoint, load_weights
from seq2seq.run.folder import RunFolder
from seq2seq.run.trained import check_code, read_settings


class Sentence(NamedTuple):
    """One pair of the update, computed alone and without dropout."""

    split: EncodedSplit
    """Where it is: the training split, or what was joined from it in that epoch."""
    row: int
    """Its number there, from 0."""
    source_tokens: int
    target_tokens: int
    loss: float
    """Nats a token."""
    gradient: float
    """Norm of the gradient of its summed nats."""
    culprit: str | None
    """The first module whose output was not finite."""

    @property
    def finite(self) -> bool:
        """Whether all is well with it."""
        return math.isfinite(self.loss) and math.isfinite(self.gradient)


def replay(run: Path, *, allow_code: bool = False) -> tuple[dict[str, Any], list[Sentence]]:
    """Compute the sentences of a run's last update that was not finite.

    Returns:
        What the trainer noted, and the sentences.

    Raises:
        UserError: the run has no such update, or the model imports somebody's own class and `allow_code` is not given.
    """
    folder = RunFolder(run)
    settings = read_settings(folder)
    check_code([folder], allow_code=allow_code)
    try:
        kept = load_checkpoint(folder.accident)
        state = {key: int(kept.state[key]) for key in ("step", "epoch", "batch", "batches", "seed")}
    except (DamagedError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{run}: no update to replay; losses and gradients were finite ({error})") from None
    data = prepare(settings.data, settings.tokenizer, report=lambda text: print(text, file=sys.stderr))
    folder.check_fingerprints({name: data.fingerprints[name] for name in (settings.data.train, "target_tokenizer")})
    model = build_model(
        settings.model,
        source_vocabulary=data.source_tokenizer.vocabulary_size,
        target_vocabulary=data.target_tokenizer.vocabulary_size,
    )
    load_weights(model, kept.model, str(folder.accident))
    batches = Batches(data.train, batch_tokens=settings.training.batch_tokens, seed=state["seed"], joins=data.joins)
    rows = rows_of(batches, state["epoch"], state["batch"], state["batches"])
    return kept.state, [_look(model.eval(), split, row) for split, row in rows]


def rows_of(batches: Batches, epoch: int, used: int, count: int) -> list[tuple[EncodedSplit, int]]:
    """Return the sentences of the `count` batches that end with batch `used` (from 1) of an epoch, the first may lie before."""
    plan = [(epoch, rows) for rows in batches.plan(epoch)[:used]]
    while len(plan) < count and epoch > 0:
        epoch -= 1
        plan = [(epoch, rows) for rows in batches.plan(epoch)] + plan
    return [(batches.examples(epoch), int(row)) for epoch, batch in plan[-count:] for row in batch]


def _look(model: Model, split: EncodedSplit, row: int) -> Sentence:
    batch = collate(split, np.array([row]))
    model.zero_grad(set_to_none=True)
    with _watched(model) as bad:
        features = model(batch.source, batch.source_mask, batch.inputs).features
        loss = linear_cross_entropy(*real_positions(features, batch.targets, batch.target_mask), model.output, 0.0)
    loss.smoothed.backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad.norm() for p in model.parameters() if p.grad is not None]
    return Sentence(
        split=split,
        row=row,
        source_tokens=batch.source_tokens,
        target_tokens=batch.target_tokens,
        loss=float(loss.nats) / batch.target_tokens,
        gradient=float(torch.stack(gradients).norm()),
        culprit=bad[0] if bad else None,
    )


@contextmanager
def _watched(model: nn.Module) -> Iterator[list[str]]:
    """Collect the names of modules whose output is not finite, in the order of computation."""
    bad: list[str] = []

    def watch(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if not all(bool(torch.isfinite(tensor).all()) for tensor in _floats(output)):
                bad.append(name)

        return hook

    handles = [module.register_forward_hook(watch(name)) for name, module in model.named_modules() if name]
    try:
        yield bad
    finally:
        for handle in handles:
            handle.remove()


def _floats(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        if output.is_floating_point():
            yield output
    elif isinstance(output, list | tuple):
        for item in output:
            yield from _floats(item)


def main(arguments: list[str]) -> int:
    """Print the sentences of the update, the bad ones first with their text."""
    paths = [Path(argument) for argument in arguments if argument != "--allow-code"]
    if len(paths) != 1:
        print("usage: python -m seq2seq.run.replay RUN [--allow-code]", file=sys.stderr)
        return 2
    try:
        state, sentences = replay(paths[0], allow_code="--allow-code" in arguments)
    except (UserError, RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{state['what']}: {len(sentences)} training pairs, each alone and without dropout")
    for sentence in sorted(sentences, key=lambda s: (s.finite, -s.loss)):
        where = f", first not finite: {sentence.culprit}" if sentence.culprit else ""
        sizes = f"{sentence.source_tokens} -> {sentence.target_tokens} tokens"
        print(f"pair {sentence.row}: {sizes}, loss {sentence.loss:.3f}, gradient norm {sentence.gradient:.3g}{where}")
        if not sentence.finite:
            print(f"  {sentence.split.source(sentence.row)}\n  {sentence.split.target(sentence.row)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
