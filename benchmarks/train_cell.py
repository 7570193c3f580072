"""One training run, measured, in a process of its own: `python -m benchmarks.train_cell own A1 bf16 ...`."""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.stamps import Stamps
from benchmarks.systems import study


def main() -> None:
    """Print one line of JSON and end the process in the middle of training."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["own", "plain"])
    parser.add_argument("model", choices=["A1", "A2"])
    parser.add_argument("precision", choices=["fp32", "bf16"])
    parser.add_argument("--corpus", default="multi30k")
    parser.add_argument("--warm", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    stamps = Stamps(warm=arguments.warm, steps=arguments.steps, done=_leave)
    if arguments.kind == "own":
        _own(arguments, stamps)
    else:
        from benchmarks.plain import train_plain

        train_plain(arguments.model, arguments.precision, arguments.corpus, stamps)


def _leave(figures: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
    os._exit(0)


def _own(arguments: argparse.Namespace, stamps: Stamps) -> None:
    """The command that a person would type, with batches counted where the model is called."""
    from seq2seq.cli import main as command
    from seq2seq.models.interface import EncoderDecoder
    from seq2seq.tokenizer import PAD

    forward = EncoderDecoder.forward

    def counted(self: Any, source: Any, mask: Any, inputs: Any, *rest: Any) -> Any:
        stamps.saw(mask, inputs != PAD)
        return forward(self, source, mask, inputs, *rest)

    EncoderDecoder.forward = counted  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        steps = arguments.warm + arguments.steps + 1
        file = Path(folder) / "speed.yaml"
        settings = study(arguments.model, corpus=arguments.corpus, precision=arguments.precision, steps=steps)
        file.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        status = command(["train", str(file), "--out", str(Path(folder) / "runs")])
    raise SystemExit(f"training ended with status {status} before it was measured")


if __name__ == "__main__":
    main()
