"""One training run, measured, in a process of its own: `python -m benchmarks.train_cell own A1 bf16 ...`."""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.stamps import Stamps, leave
from benchmarks.systems import MODELS, study


def main() -> None:
    """Print one line of JSON and end the process in the middle of training."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["own", "plain"])
    parser.add_argument("model", choices=list(MODELS))
    parser.add_argument("precision", choices=["auto", "fp32", "bf16"])
    parser.add_argument("--corpus", default="multi30k")
    parser.add_argument("--warm", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    if arguments.kind == "plain":
        from benchmarks.plain import train_plain

        stamps = Stamps(warm=arguments.warm, steps=arguments.steps, done=leave)
        train_plain(arguments.model, arguments.precision, arguments.corpus, stamps)
    steps = arguments.warm + arguments.steps
    settings = study(arguments.model, corpus=arguments.corpus, precision=arguments.precision, steps=steps + 1)
    train_own(settings, warm=arguments.warm, steps=arguments.steps, done=leave)


def train_own(settings: dict[str, Any], *, warm: int, steps: int, done: Callable[[dict[str, Any]], None]) -> None:
    """Give the command that a person would type, with batches counted where the model is called.

    Args:
        settings: a study of one system.
        warm: steps that are not measured.
        steps: steps that are.
        done: told the figures; has to end the process.
    """
    from seq2seq.cli import main as command

    folder = tempfile.TemporaryDirectory(prefix="benchmark-")  # cleaned by hand: `done` ends the process without unwinding

    def clean(figures: dict[str, Any]) -> None:
        folder.cleanup()
        done(figures | {"data_wait": waits.share(warm)})

    waits = _watch(Stamps(warm=warm, steps=steps, done=clean))
    file = Path(folder.name) / "speed.yaml"
    file.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    status = command(["train", str(file), "--out", str(Path(folder.name) / "runs")])
    raise SystemExit(f"training ended with status {status} before it was measured")


class _Waits:
    """Seconds between asking for a batch and having it."""

    def __init__(self, stamps: Stamps) -> None:
        self.stamps = stamps
        self.seconds: list[float] = []

    def each(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Pass on, timed."""
        while True:
            began = time.perf_counter()
            batch = next(batches, None)
            self.seconds.append(time.perf_counter() - began)
            if batch is None:
                return
            yield batch

    def share(self, warm: int) -> float:
        """Of the time of the measured steps."""
        times = self.stamps.times
        return sum(self.seconds[warm : len(times)]) / (times[-1] - times[warm - 1])


def _watch(stamps: Stamps) -> _Waits:
    """Look at batches where training takes them and where the model is given them."""
    from seq2seq.corpus.tokenizer import PAD
    from seq2seq.models.interface import EncoderDecoder
    from seq2seq.run.loop import Trainer

    forward, batches, waits = EncoderDecoder.forward, Trainer._batches, _Waits(stamps)

    def counted(self: Any, source: Any, mask: Any, inputs: Any, *rest: Any) -> Any:
        stamps.saw(mask, inputs != PAD)
        return forward(self, source, mask, inputs, *rest)

    EncoderDecoder.forward = counted  # type: ignore[assignment, method-assign]
    Trainer._batches = lambda self: waits.each(batches(self))  # type: ignore[method-assign]
    return waits


if __name__ == "__main__":
    main()
