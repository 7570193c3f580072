"""The arithmetic of a run: measured, not assumed; of one kind in a study; kept when the run is resumed."""

import json
from unittest.mock import patch

import pytest
import torch

from seq2seq.config.errors import UserError
from seq2seq.config.loading import load_study
from seq2seq.corpus.batching import Batches
from seq2seq.corpus.prepare import prepare
from seq2seq.models.interface import EncoderDecoder
from seq2seq.run.arithmetic import Arithmetic, choose_arithmetic, matmul_error, measure, use_library
from seq2seq.run.decision import decide_arithmetic, evaluation_device, gradients_of
from seq2seq.run.folder import RunFolder
from seq2seq.run.machine import prepare_machine
from seq2seq.run.train import train_run
from seq2seq.study.runner import threads_of_a_run, train_study
from tests.tiny import tiny_study, write_study


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    return load_study(write_study(tmp_path, tiny_study(training={"max_steps": 2})))


def chosen(precision="auto", **seconds):
    times = {"fp32": 1.0, "fp32 oneDNN": 1.0, "bf16": 1.0} | {name.replace("_", " "): value for name, value in seconds.items()}
    with patch("seq2seq.run.arithmetic.measure", lambda _, candidates, device: {name: times[name] for name in candidates}):
        return choose_arithmetic(list, precision, threads=1)


@pytest.mark.parametrize(
    ("seconds", "precision", "library"),
    [
        ({}, "fp32", "default"),
        ({"bf16": 0.95, "fp32_oneDNN": 0.95}, "fp32", "default"),  # within the noise
        ({"bf16": 0.5}, "bf16", "default"),
        ({"fp32_oneDNN": 0.5}, "fp32", "onednn"),
        ({"fp32_oneDNN": 0.5, "bf16": 0.48}, "fp32", "onednn"),
        ({"fp32_oneDNN": 0.5, "bf16": 0.3}, "bf16", "onednn"),
    ],
)
def test_the_fastest_wins_by_a_margin(seconds, precision, library):
    found = chosen(**seconds)
    if not torch.backends.mkldnn.is_available():
        library = "default"
    assert (found.precision, found.library) == (precision, library)


def test_a_precision_that_is_asked_for_is_not_measured_against():
    assert chosen("fp32", bf16=0.1).precision == "fp32"
    assert "bf16" not in chosen("fp32").milliseconds


def test_an_inaccurate_library_is_no_candidate(monkeypatch):
    monkeypatch.setattr("seq2seq.run.arithmetic.matmul_error", lambda: 1e-3)
    assert chosen(fp32_oneDNN=0.1).library == "default"
    assert use_library("onednn") == "default"


def test_every_candidate_does_the_work_its_own_way_and_torch_is_left_as_it_was():
    before, seen = (torch.get_float32_matmul_precision(), torch.get_num_threads()), set()

    def work(_):
        seen.add((torch.get_float32_matmul_precision(), torch.is_autocast_enabled("cpu"), torch.get_num_threads()))

    candidates = {"fp32": ("fp32", "default"), "fp32 oneDNN": ("fp32", "onednn"), "bf16": ("bf16", "default")}
    assert measure(work, candidates).keys() == candidates.keys()
    assert {(precision, autocast) for precision, autocast, _ in seen} == {
        ("highest", False),
        ("medium", False),
        ("highest", True),
    }
    torch.set_float32_matmul_precision(before[0])
    choose_arithmetic(work, "auto", threads=2)
    assert {threads for *_, threads in seen} == {before[1], 2}
    assert (torch.get_float32_matmul_precision(), torch.get_num_threads()) == before
    assert matmul_error() < 5e-6


@pytest.mark.parametrize("cut", [False, True])
def test_gradients_are_measured_on_a_batch_or_on_some_of_its_sentences_cut_short(study, monkeypatch, cut):
    settings = study.systems["additive"]
    settings = settings.model_copy(update={"training": settings.training.model_copy(update={"batch_tokens": 4000})})
    data = prepare(settings.data, settings.tokenizer, report=lambda _: None)
    monkeypatch.setattr("seq2seq.run.decision._WORK", 1 if cut else 1 << 60)
    shapes = []
    forward = EncoderDecoder.forward

    def watched(self, source, mask, inputs, **options):
        shapes.append((source.shape, inputs.shape))
        return forward(self, source, mask, inputs, **options)

    monkeypatch.setattr(EncoderDecoder, "forward", watched)
    before = torch.random.get_rng_state()
    gradients_of(settings, data)(0)
    assert torch.equal(torch.random.get_rng_state(), before)
    whole = next(iter(Batches(data.train, batch_tokens=4000, seed=1).epoch(0)))
    assert shapes == [((64, 4), (64, 4)) if cut else (whole.source.shape, whole.inputs.shape)]


def test_a_study_uses_one_arithmetic_and_a_resumed_run_its_own(study, tmp_path, monkeypatch):
    made = []

    def choose(work, precision, *, threads, device):
        made.append(precision)
        return Arithmetic(precision="bf16", threads=threads, milliseconds={"bf16": 1.0})

    monkeypatch.setattr("seq2seq.run.decision.choose_arithmetic", choose)
    out = tmp_path / "runs"
    train_study(study, out=out, arguments=[])
    records = [RunFolder(out / name / "seed-1").recorded("arithmetic", Arithmetic) for name in ("none", "additive")]
    assert made == ["auto"]
    assert records == [Arithmetic(precision="bf16", threads=1, milliseconds={"bf16": 1.0})] * 2
    with patch("seq2seq.run.decision.prepare_machine", wraps=prepare_machine) as prepared:
        evaluation_device(RunFolder(out / "none" / "seed-1"))
    assert prepared.call_args.args[0].precision == "fp32"

    (out / "arithmetic.json").unlink()  # as in a published study
    assert decide_arithmetic(RunFolder(out / "none" / "seed-2"), study.systems["none"], None, threads=1) == records[0]
    (out / "arithmetic.json").write_text(Arithmetic(threads=1).model_dump_json())
    (out / "none" / "seed-1" / "summary.json").unlink()
    train_run(study.systems["none"], seed=1, path=out / "none" / "seed-1", arguments=[], threads=7)
    assert RunFolder(out / "none" / "seed-1").recorded("arithmetic", Arithmetic) == records[0]


def test_settings_have_the_last_word_where_a_run_begins(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    study = load_study(write_study(tmp_path, tiny_study(training={"threads": 3, "precision": "fp32"})))
    (tmp_path / "arithmetic.json").write_text(Arithmetic(precision="bf16", threads=1).model_dump_json())
    folder = RunFolder(tmp_path / "none" / "seed-1")
    found = decide_arithmetic(folder, study.systems["none"], None, threads=8)
    assert (found.precision, found.threads) == ("fp32", 3)


def test_damaged_records_are_named(study, tmp_path):
    (tmp_path / "arithmetic.json").write_text("{")
    folder = RunFolder(tmp_path / "none" / "seed-1")
    with pytest.raises(UserError, match=r"arithmetic\.json: not valid JSON .*; remove the file"):
        decide_arithmetic(folder, study.systems["none"], None, threads=1)
    folder.path.mkdir(parents=True)
    folder.environment.write_text(json.dumps({"arithmetic": {"precision": "int4"}}))
    with pytest.raises(UserError, match=r"environment\.json: precision: .*; copy it from elsewhere, or remove it"):
        folder.recorded("arithmetic", Arithmetic)


def test_threads_do_not_depend_on_what_is_left(study, monkeypatch):
    monkeypatch.setattr("seq2seq.study.runner.cores", lambda: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert threads_of_a_run(study, jobs=2) == 4
    assert threads_of_a_run(study, jobs=1) == 8
    assert threads_of_a_run(study, jobs=64) == 4  # two runs cannot take more than two places
