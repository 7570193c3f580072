"""Coverage-guided fuzzing with atheris: `python -m tests.fuzz.coverage_guided config 20000` (or tokenizer, checkpoint, corpus).

atheris is no dependency of the project: `pip install atheris`. Exit status 0 after so many cases without anything but refusals.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["seq2seq", "ruamel"]):
    from seq2seq.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from seq2seq.config.data import DataSettings
    from seq2seq.config.loading import load_study
    from seq2seq.corpus.cleaning import CleaningCounts, clean_training
    from seq2seq.corpus.files import read_lines
    from seq2seq.corpus.pairs import SentencePair
    from seq2seq.tokenizer import Tokenizer

from tests.fuzz.harness import attempt
from tests.tiny import write_study

FOLDER = Path(tempfile.mkdtemp())


def config(data):
    """A study file of these bytes."""
    path = FOLDER / "study.yaml"
    path.write_bytes(data)
    load_study(path)


def tokenizer(data):
    """A tokenizer model of these bytes."""
    Tokenizer(data).encode("a small sentence")


def checkpoint(data):
    """A checkpoint whose state or weights are these bytes."""
    import torch

    save_checkpoint(FOLDER / "last", Checkpoint({"w": torch.ones(2)}, {}, {}))
    (FOLDER / "last" / ("state.json" if data[:1] < b"\x80" else "model.safetensors")).write_bytes(data[1:])
    load_checkpoint(FOLDER / "last")


def corpus(data):
    """Two files of these bytes, cleaned, with every line accounted for."""
    path = FOLDER / "lines"
    path.write_bytes(data)
    lines = list(read_lines(path))
    counts = CleaningCounts()
    pairs = (SentencePair(line, line[::-1]) for line in lines)
    kept = list(clean_training(pairs, DataSettings(corpus="x", source="en", target="de"), counts))
    assert (counts.lines, counts.kept) == (len(lines), len(kept))


TARGETS = {function.__name__: function for function in (config, tokenizer, checkpoint, corpus)}


def main():
    """Fuzz one target."""
    target, runs = TARGETS[sys.argv[1]], sys.argv[2]
    seeds = FOLDER / "seeds"
    seeds.mkdir()
    write_study(seeds)
    atheris.Setup(
        [sys.argv[0], f"-runs={runs}", "-max_len=4000", "-timeout=20", str(seeds)], lambda data: attempt(target, data)
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
