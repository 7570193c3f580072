"""Loss curves of the plain path, the fast path and the fast path in bf16, on the same batches: `python -m benchmarks.curves`.

The plain path is the formulas as they stand (`plain_path.py`), in fp32. Same seed, same batches, same dropout masks.
"""

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.__main__ import find_corpus
from benchmarks.cells import ROOT
from benchmarks.plain_path import plain_path, same_masks
from benchmarks.systems import VOCABULARIES, study
from seq2seq.config.study import RunSettings
from seq2seq.corpus.batching import Batch
from seq2seq.corpus.prepare import prepare
from seq2seq.run.decision import decide_arithmetic
from seq2seq.run.folder import RunFolder
from seq2seq.run.loop import Trainer
from seq2seq.run.machine import prepare_machine
from seq2seq.run.progress import Progress
from seq2seq.run.schedule import learning_rate

PATHS = ("fp32 plain", "fp32 fast", "bf16 fast")
WINDOW = 20
"""Updates over which losses are averaged before they are compared."""


def main() -> int:
    """Train, store CSV and picture, print differences."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curves", description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--models", nargs="+", default=["A1", "A2"], choices=["A1", "A2"])
    parser.add_argument("--corpus", default="multi30k", choices=sorted(VOCABULARIES))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", metavar="DIR")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    corpus = find_corpus(arguments.corpus)
    for model in arguments.models:
        place = arguments.out / f"curves-{model}-{date.today():%Y-%m-%d}"
        curves: dict[str, list[float]] = {}
        for path in PATHS:
            precision = path.partition(" ")[0]
            base = study(model, corpus=corpus, precision=precision, steps=arguments.steps)["base"]
            curves[path] = losses(base, path, arguments.steps)
            place.with_suffix(".csv").write_text(table(curves), encoding="utf-8")
            print(f"{model} {path}: {np.mean(curves[path][-WINDOW:]):.4f} nats a token at the end", file=sys.stderr, flush=True)
        draw(curves, model, place.with_suffix(".png"))
        print("\n".join(differences(curves, model)))
    return 0


def losses(base: dict[str, Any], path: str, steps: int) -> list[float]:
    """Train for `steps` updates; returns the loss of each, nats per target token, without smoothing."""
    names = ("data", "tokenizer", "model", "training")
    settings = RunSettings.model_validate({name: base[name] for name in names})
    data = prepare(settings.data, settings.tokenizer, report=lambda _: None)
    with ExitStack() as held:
        folder = RunFolder(Path(held.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-"))) / "curves" / "seed-1")
        arithmetic = decide_arithmetic(folder, settings, data, threads=torch.get_num_threads(), device="cpu")
        machine = prepare_machine(arithmetic, device="cpu")
        held.enter_context(plain_path() if path == "fp32 plain" else same_masks())
        progress = Progress(total=steps, run="", screen=None)
        trainer = Trainer(settings=settings, seed=1, data=data, machine=machine, folder=folder, progress=progress)
        found = []
        for step, batch in zip(range(1, steps + 1), _batches(trainer), strict=False):
            rate = learning_rate(step, settings.training)
            update = trainer.update(step, [batch], rate=rate, stop=False, seconds=lambda: 0.0)
            found.append(update.nats / update.tokens)
        return found


def _batches(trainer: Trainer) -> Iterator[Batch]:
    for epoch in count():
        yield from trainer.batches.epoch(epoch)


def smoothed(curve: Sequence[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Means over windows of `WINDOW` updates."""
    window = min(WINDOW, len(curve))
    return np.convolve(curve, np.full(window, 1 / window), mode="valid")


def differences(curves: dict[str, list[float]], model: str) -> list[str]:
    """The largest and the mean difference of smoothed curves from the plain path's, a line each."""
    plain = smoothed(curves[PATHS[0]])
    lines = []
    for path in PATHS[1:]:
        apart = np.abs(smoothed(curves[path]) - plain)
        ahead = float(np.mean(smoothed(curves[path]) - plain))
        lines.append(
            f"{model} {path} against {PATHS[0]}, smoothed over {WINDOW} updates: largest difference {apart.max():.4f}, "
            f"mean difference {apart.mean():.4f} (signed {ahead:+.4f}) nats a token"
        )
    return lines


def table(curves: dict[str, list[float]]) -> str:
    """CSV: an update a line."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", *curves])
    for step, row in enumerate(zip(*curves.values(), strict=True), start=1):
        writer.writerow([step, *(f"{loss:.6f}" for loss in row)])
    return text.getvalue()


def draw(curves: dict[str, list[float]], model: str, place: Path) -> None:
    """Curves above, differences from the plain path below."""
    import altair as alt

    plain = smoothed(curves[PATHS[0]])
    first = len(curves[PATHS[0]]) - len(plain) + 1
    rows = [
        {"path": path, "update": first + i, "loss": float(loss), "difference": float(loss - plain[i])}
        for path in PATHS
        for i, loss in enumerate(smoothed(curves[path]))
    ]
    base = alt.Chart(alt.Data(values=rows)).mark_line().encode(x=alt.X("update:Q"), color="path:N", strokeDash="path:N")
    above = base.encode(y=alt.Y("loss:Q", title="training loss, nats per target token").scale(zero=False)).properties(width=600)
    below = base.encode(y=alt.Y("difference:Q", title=f"minus {PATHS[0]}")).properties(width=600, height=100)
    title = f"{model}: same batches, same dropout masks; means of {WINDOW} updates"
    (above & below).properties(title=title).save(place, scale_factor=1.5)


if __name__ == "__main__":
    sys.exit(main())
