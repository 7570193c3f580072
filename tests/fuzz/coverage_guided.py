"""Coverage-guided fuzzing with atheris: `python -m tests.fuzz.coverage_guided config 120` (or tokenizer, checkpoint, corpus).

atheris is no dependency of the project: `pip install atheris`. Exit status 0 after so many seconds without anything but refusals;
the last line says how many inputs that were.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["seq2seq", "ruamel"]):
    from seq2seq.config.data import DataSettings, TokenizerSettings
    from seq2seq.config.loading import load_study
    from seq2seq.corpus.cleaning import CleaningCounts, clean_training
    from seq2seq.corpus.files import read_lines
    from seq2seq.corpus.pairs import SentencePair
    from seq2seq.corpus.tokenizer import Tokenizer
    from seq2seq.run.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

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
    """A checkpoint whose state or weights are these bytes, by the first of them."""
    for name, original in CHECKPOINT.items():
        (FOLDER / "last" / name).write_bytes(original)
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
CHECKPOINT = {}
"""The files of a good checkpoint."""


def good_inputs(target):
    """What the fuzzer starts from: inputs that are read without complaint."""
    import torch

    if target == "config":
        return [write_study(FOLDER).read_bytes()]
    if target == "tokenizer":
        model = Tokenizer.train((f"a small sentence {i}" for i in range(200)), TokenizerSettings(vocabulary_size=300))
        model.save(FOLDER / "good.model")
        return [(FOLDER / "good.model").read_bytes()]
    if target == "checkpoint":
        save_checkpoint(FOLDER / "last", Checkpoint({"w": torch.ones(2)}, {}, {"step": 1}))
        CHECKPOINT.update({path.name: path.read_bytes() for path in (FOLDER / "last").iterdir()})
        return [b"\0" + CHECKPOINT["state.json"], b"\xff" + CHECKPOINT["model.safetensors"]]
    return ["a small sentence\nune phrase, là\r\n\ufeffein Satz\x00\n".encode()]


def main():
    """Fuzz one target."""
    target, seconds = TARGETS[sys.argv[1]], sys.argv[2]
    seeds = FOLDER / "seeds"
    seeds.mkdir()
    for number, data in enumerate(good_inputs(sys.argv[1])):
        (seeds / str(number)).write_bytes(data)
    options = [f"-max_total_time={seconds}", "-max_len=8000", "-timeout=60", str(seeds)]
    atheris.Setup([sys.argv[0], *options], lambda data: attempt(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
