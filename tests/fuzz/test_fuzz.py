"""Property-based fuzzing of everything that is read: at least 10,000 cases in the slow tier.

What earlier cases have found stands beneath, one test each.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import jsonschema
import pytest
from hypothesis import strategies as st

from seq2seq.config.data import DataSettings, TokenizerSettings
from seq2seq.config.data_files import data_path
from seq2seq.config.errors import UserError
from seq2seq.config.loading import load_study, parse_override
from seq2seq.corpus.cards import read_card
from seq2seq.corpus.cleaning import CleaningCounts, clean_training
from seq2seq.corpus.files import read_lines
from seq2seq.corpus.pairs import SentencePair
from seq2seq.corpus.prepare import prepare
from seq2seq.corpus.tokenizer import Tokenizer, normalise
from seq2seq.run.checkpoint import Checkpoint, _digest, load_checkpoint, save_checkpoint
from seq2seq.run.translation import one_line
from tests.faults.table import TABLE
from tests.fuzz.harness import fuzz
from tests.fuzz.studies import study as draw_study
from tests.fuzz.studies import take_a_step
from tests.tiny import tiny_study, write_study

ROOT = Path(__file__).parents[2]


def cases(fast, slow):
    return pytest.mark.parametrize("cases", [fast, pytest.param(slow, marks=pytest.mark.slow)])


NASTY = st.sampled_from(
    [
        "\r", "\n", "\r\n", "\x00", "\ufeff", "\u200b", "\u2028", "\u2029", "\x85", "\x0b", "\x1c", "\u202e", "\u05d0\u05d1",
        "\u0301\u0301\u0301", "e\u0301", "\u200d", "\U0001f469\u200d\U0001f4bb", "\u2581", "\ufffd", "</s>", "<unk>", "<s>", "\t", " ",
        "&amp;", "<script>", "a" * 300, "\u0130", "\ufb01",
    ]
)  # fmt: skip
TEXT = st.lists(st.one_of(NASTY, st.text(max_size=12)), max_size=8).map("".join)
BYTES = st.lists(
    st.one_of(
        TEXT.map(lambda t: t.encode("utf-8", "surrogatepass")),
        st.binary(max_size=12),
        st.sampled_from([b"\xff\xfe", b"\x1f\x8b\x08", b"\n"]),
    ),
    max_size=8,
).map(b"".join)
MUTATION = st.tuples(
    st.sampled_from(["flip", "cut", "insert", "repeat", "swap"]), st.floats(0, 1), st.floats(0, 1), st.binary(max_size=8)
)


def mutate(data, mutations):
    """Change bytes here and there."""
    data = bytearray(data)
    for how, where, until, new in mutations:
        i, j = sorted((int(where * len(data)), int(until * len(data))))
        if how == "flip" and i < len(data):
            data[i] ^= 1 << (j % 8)
        elif how == "cut":
            del data[i : min(j, i + 40)]
        elif how == "insert":
            data[i:i] = new
        elif how == "repeat":
            data[i:i] = data[i : min(j, i + 200)]
        else:
            data[i : i + len(new)] = new
    return bytes(data)


MUTATIONS = st.lists(MUTATION, min_size=1, max_size=6)
SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(min_value=10**20), st.floats(), st.text(max_size=8),
    st.sampled_from(["none", "auto", "dot:x", "a.b:C", "1e999", "~", "rnn", "transformer", "additive", "5%", "%"]),
)  # fmt: skip
TREE = st.recursive(
    SCALAR,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=8,
)
PATHS = ["base", "systems", "jobs", "match", "evaluation", "question", "base.data", "base.data.grammar", "base.tokenizer", "base.model",
         "base.model.encoder", "base.model.decoder", "base.model.attention", "base.model.attention.score", "base.training",
         "base.training.seeds", "base.training.schedule", "base.training.betas", "base.search", "systems.additive", "systems.additive.model",
         "base.training.max_steps", "base.model.encoder.hidden_size", "match.parameters", "base.data.test", "systems.x"]  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("fuzz"))


def fuzz_bytes(what, original, path, read, cases):
    """Fuzz what reads a file, with one of which bytes are changed."""

    def body(mutations):
        path.write_bytes(mutate(original, mutations))
        read(path)

    fuzz(what, MUTATIONS, body, cases)


@cases(60, 1500)
def test_config_files_with_changed_bytes(study, tmp_path, cases):
    fuzz_bytes("config file, bytes changed", study.read_bytes(), tmp_path / "study.yaml", load_study, cases)


@cases(60, 1500)
def test_config_files_with_changed_values(tmp_path, cases):
    path = tmp_path / "study.yaml"

    def body(change):
        study = tiny_study()
        for dotted, value in change:
            *parents, last = dotted.split(".")
            place = study
            for parent in parents:
                place = place.setdefault(parent, {}) if isinstance(place, dict) else {}
            if isinstance(place, dict):
                place[last] = value
        path.write_text(json.dumps(study), encoding="utf-8")  # JSON is YAML 1.2
        load_study(path)

    fuzz("config file, values changed", st.lists(st.tuples(st.sampled_from(PATHS), TREE), min_size=1, max_size=3), body, cases)


@cases(40, 3000)
def test_what_loading_accepts_is_built_and_takes_a_step(tmp_path, cases):
    """Model (on the meta device and for real), optimiser, schedule and search; and editors accept it as well."""
    path, taken = tmp_path / "study.yaml", Counter()
    schema = jsonschema.Draft202012Validator(json.loads((ROOT / "docs" / "study.schema.json").read_text(encoding="utf-8")))

    def body(number):
        study = draw_study(Random(number))
        path.write_text(json.dumps(study), encoding="utf-8")
        taken["drawn"] += 1
        settings = load_study(path).systems["a"]
        schema.validate(study)
        try:
            take_a_step(settings)
            taken["stepped"] += 1
        except UserError as error:  # only the corpus can show this
            if not re.search("longer than max_source|meets max_positions|meets a sentence", str(error)):
                raise AssertionError(f"loading accepted what cannot be built: {error}") from error

    fuzz("study drawn from the settings, built and trained", st.integers(0, 2**62), body, cases)
    assert taken["stepped"] >= taken["drawn"] / 10
    TABLE["fuzz: of these, accepted and took a step"] = (taken["stepped"], taken["stepped"])


@cases(100, 1500)
def test_overrides(study, cases):
    def body(text):
        parse_override(text)
        load_study(study, [text])

    values = st.one_of(TEXT, TREE.map(str))
    texts = st.one_of(TEXT, st.builds("{}={}".format, st.sampled_from([path.removeprefix("base.") for path in PATHS]), values))
    fuzz("--set", texts, body, cases)


@cases(60, 1000)
def test_corpus_cards(tmp_path, cases):
    fuzz_bytes("corpus card", data_path("multi30k.yaml").read_bytes(), tmp_path / "card.yaml", read_card, cases)


@cases(100, 2500)
def test_cleaning_counts_every_line(cases):
    """Pairs read = kept + dropped, and what is kept is one normal line on each side."""
    settings = DataSettings(corpus="mine", source="en", target="de")

    def body(lines):
        counts = CleaningCounts()
        pairs = [SentencePair(*(side.decode("utf-8", "surrogateescape") for side in line)) for line in lines]
        kept = list(clean_training(pairs, settings, counts))
        assert counts.lines == len(pairs)
        assert counts.kept == len(kept)
        for pair in kept:
            for text in (pair.source, pair.target):
                assert text == normalise(text)
                assert text.splitlines() == [text]
                text.encode("utf-8")

    fuzz("corpus lines, cleaned", st.lists(st.tuples(BYTES, BYTES), max_size=6), body, cases)


@cases(100, 1500)
def test_files_are_read_line_by_line(tmp_path, cases):
    """As many lines as line feeds (and a last one without), whatever the bytes are; .gz as well."""

    def body(case):
        data, zipped = case
        path = tmp_path / ("file.gz" if zipped else "file")
        path.write_bytes(data)
        lines = list(read_lines(path))
        if not zipped:
            assert len(lines) == data.count(b"\n") + (not data.endswith(b"\n") and data != b"")

    fuzz("corpus file", st.tuples(BYTES, st.booleans()), body, cases)


@cases(3, 250)
def test_whole_corpora(tmp_path, cases):
    """From files of anything to batches: refused in one line, or every line counted."""
    good = "".join(f"ein kleiner Satz {i} mit {i * 7} Worten\n" for i in range(40)).encode()
    corpus = tmp_path / "mine"
    corpus.mkdir()
    settings = DataSettings(corpus="mine", source="en", target="de", path=str(corpus))
    numbers = iter(range(10**9))

    def body(case):
        source, target, place = case
        for split in ("train", "valid", "test"):
            (corpus / f"{split}.en").write_bytes(good)
            (corpus / f"{split}.de").write_bytes(good)
        for language, extra in (("en", source), ("de", target)):
            with (corpus / f"{place}.{language}").open("ab") as file:
                file.write(extra)
        data = prepare(
            settings, TokenizerSettings(vocabulary_size=300), report=lambda _: None, cache=tmp_path / str(next(numbers))
        )
        lines = {language: (corpus / f"{place}.{language}").read_bytes() for language in ("en", "de")}
        expected = {data.count(b"\n") + (not data.endswith(b"\n")) for data in lines.values()}
        split = {"train": data.train, "valid": data.valid, "test": data.tests["test"]}[place]
        assert expected == {data.counts[place].lines}
        assert data.counts[place].kept == len(split)
        for i in range(len(split)):
            assert data.target_tokenizer.decode(split.target_tokens(i)) == split.target(i)

    fuzz("whole corpus", st.tuples(BYTES, BYTES, st.sampled_from(["train", "valid", "test"])), body, cases)


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(
        (f"a small sentence {i} of {i * 3} words" for i in range(200)), TokenizerSettings(vocabulary_size=320)
    )


@cases(100, 1500)
def test_tokenizers_on_any_text(tokenizer, cases):
    def body(text):
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == normalise(text)
        assert len(tokenizer.pieces(ids)) == len(tokenizer.word_of_piece(ids)) == len(ids)

    fuzz("text, tokenised", TEXT, body, cases)


@cases(60, 1000)
def test_tokenizer_models_with_changed_bytes(tokenizer, tmp_path, cases):
    def read(path):
        changed = Tokenizer.load(path)
        changed.decode(changed.encode("a small sentence"))

    tokenizer.save(tmp_path / "good.model")
    fuzz_bytes("tokenizer model, bytes changed", (tmp_path / "good.model").read_bytes(), tmp_path / "bad.model", read, cases)


@cases(60, 1000)
def test_checkpoints_with_changed_bytes(tmp_path, cases):
    import torch

    save_checkpoint(tmp_path / "last", Checkpoint({"w": torch.ones(3, 2)}, {"0.step": torch.ones(())}, {"step": 3}))
    originals = {path.name: path.read_bytes() for path in (tmp_path / "last").iterdir()}

    def body(case):
        name, mutations, signed = case
        for other, data in originals.items():
            (tmp_path / "last" / other).write_bytes(data)
        changed = mutate(originals[name], mutations)
        (tmp_path / "last" / name).write_bytes(changed)
        if signed and name != "state.json":
            resign(tmp_path / "last")
        loaded = load_checkpoint(tmp_path / "last")
        if not signed:  # a member of the JSON said twice changes bytes and nothing else
            assert loaded.state == {"step": 3}
            assert torch.equal(loaded.model["w"], torch.ones(3, 2))
        assert all(isinstance(value, torch.Tensor) for value in loaded.model.values())

    names = st.sampled_from(sorted(originals))
    fuzz("checkpoint, bytes changed", st.tuples(names, MUTATIONS, st.booleans()), body, cases)


def resign(folder):
    """Make checksums right, as somebody hostile would."""
    import hashlib

    body = {
        "state": {"step": 1},
        "sha256": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.safetensors")},
    }
    (folder / "state.json").write_text(json.dumps({**body, "own_sha256": _digest(body)}))


@cases(100, 1500)
def test_hypotheses_stay_one_line_each(cases):
    """Whatever a model says is one line of the file; sentence figures are numbers for any pair of texts."""

    def body(texts):
        lines = [one_line(text) for text in texts]
        written = "".join(f"{line}\n" for line in lines)
        assert written.split("\n")[:-1] == lines
        assert len(lines) == len(texts)
        assert all(line == line.strip() for line in lines)

    fuzz("hypotheses", st.lists(TEXT, max_size=5), body, cases)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """The files of a finished run that a report reads."""
    folder = tmp_path_factory.mktemp("runs")
    run = folder / "additive" / "seed-1"
    (run / "hypotheses").mkdir(parents=True)
    (folder / "study.yaml").write_text("name: x\nquestion: y\nsystems: [additive]\n")
    (run / "config.yaml").write_text("training:\n  seeds: [1]\n")
    (run / "summary.json").write_text(json.dumps({"status": "finished", "parameters": 5, "steps": 3}))
    (run / "environment.json").write_text(json.dumps({"fingerprints": {"test": "0"}}))
    (run / "log.jsonl").write_text(json.dumps({"event": "train", "step": 1, "loss": 2.0}) + "\n")
    (run / "hypotheses" / "test.txt").write_text("ein Satz\nnoch einer\n")
    (run / "hypotheses" / "test.json").write_text(json.dumps({"sentences": 2, "truncated": [0], "seconds": 1.0}))
    return folder


@cases(60, 1000)
def test_run_folders_with_changed_bytes(run_folder, cases):
    """What a report reads of a run: refused, or read with one hypothesis for each line."""
    from seq2seq.report.runs import read_study

    originals = {path: path.read_bytes() for path in sorted(run_folder.rglob("*")) if path.is_file()}

    def body(case):
        which, mutations = case
        for path, data in originals.items():
            path.write_bytes(data)
        path = sorted(originals)[which]
        path.write_bytes(mutate(originals[path], mutations))
        for run in read_study(run_folder):
            for decoded in run.decoded.values():
                assert all("\n" not in line for line in decoded.lines)

    try:
        fuzz("run folder and hypotheses, bytes changed", st.tuples(st.integers(0, len(originals) - 1), MUTATIONS), body, cases)
    finally:
        for path, data in originals.items():
            path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.jsonl", b"\x80" + b'{"step": 1}\n{"step": 2}\n'),
        ("hypotheses/test.json", b"[]"),
        ("hypotheses/test.json", b'{"sentences": 2, "truncated": ["x"]}'),
    ],
)
def test_found_damaged_run_folders(run_folder, name, content):
    """Found by fuzzing: these ended in a traceback."""
    from seq2seq.report.runs import read_study

    path = run_folder / "additive" / "seed-1" / name
    original = path.read_bytes()
    path.write_bytes(content)
    try:
        with pytest.raises(UserError, match=path.name):
            read_study(run_folder)
    finally:
        path.write_bytes(original)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["config", "corpus", "checkpoint", "tokenizer"])
def test_coverage_guided(target):
    """atheris looks for bytes that reach new lines of code; it ends at the first that does anything but be refused."""
    pytest.importorskip("atheris")
    command = [sys.executable, "-m", "tests.fuzz.coverage_guided", target, "120"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    runs = int(re.search(r"Done (\d+) runs in", done.stderr)[1])
    TABLE[f"fuzz, coverage-guided: {target}"] = (runs, runs)
