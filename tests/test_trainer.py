"""A run that was cut anywhere ends where the uninterrupted one ends, bit for bit."""

import json

import pytest
import torch

from seq2seq.checkpoint import load_checkpoint
from seq2seq.config.loading import load_study
from seq2seq.corpus.prepare import prepare
from seq2seq.errors import RunError
from seq2seq.machine import prepare_machine
from seq2seq.progress import Progress
from seq2seq.run_folder import RunFolder
from seq2seq.trainer import Interrupted, Trainer
from tests.tiny import tiny_study, write_study


class Quiet:
    def write(self, text):
        self.text = getattr(self, "text", "") + text

    def flush(self):
        pass

    def isatty(self):
        return False


def make(tmp_path, name="run", system="additive", **training):
    study = load_study(write_study(tmp_path, tiny_study(training=training)))
    settings = study.systems[system]
    folder = RunFolder(tmp_path / name / system / "seed-1")
    folder.path.mkdir(parents=True, exist_ok=True)
    progress = Progress(total=settings.training.max_steps, label="t", stream=Quiet())
    data = prepare(settings.data, settings.tokenizer, report=progress.say)
    machine = prepare_machine(settings.training.precision, device="cpu")
    return Trainer(settings=settings, seed=1, data=data, machine=machine, folder=folder, progress=progress)


def same(a, b):
    assert a.folder.log.read_bytes() == b.folder.log.read_bytes()
    one, two = load_checkpoint(a.folder.last), load_checkpoint(b.folder.last)
    for tensors, others in ((one.model, two.model), (one.optimizer, two.optimizer)):
        assert tensors.keys() == others.keys()
        assert all(torch.equal(tensors[name], others[name]) for name in tensors)
    for state in (one.state, two.state):
        state["position"].pop("seconds")
    assert one.state == two.state


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_interrupted_anywhere_equals_uninterrupted(tmp_path, precision, accumulate):
    options = {"precision": precision, "accumulate": accumulate, "average_last": 2}
    whole = make(tmp_path, "whole", **options)
    whole.train()
    for stop in (1, 4, 7, 11):
        cut = make(tmp_path, f"cut{stop}", **options)
        _stop_at(cut, stop)
        with pytest.raises(Interrupted):
            cut.train()
        again = make(tmp_path, f"cut{stop}", **options)
        again.train()
        assert "resumes at step" in again.progress.stream.text
        same(whole, again)


def _stop_at(trainer, step):
    update = trainer._update

    def watched(group):
        result = update(group)
        trainer.stop_requested = trainer.position.step + 1 == step
        return result

    trainer._update = watched


def test_killed_without_warning_resumes_from_the_last_checkpoint(tmp_path):
    whole = make(tmp_path, "whole")
    whole.train()
    cut = make(tmp_path, "cut")
    update = cut._update

    def dies(group):
        if cut.position.step == 10:
            raise KeyboardInterrupt
        return update(group)

    cut._update = dies
    with pytest.raises(KeyboardInterrupt):
        cut.train()
    again = make(tmp_path, "cut")
    again.train()
    same(whole, again)


def test_same_seed_same_losses_and_another_seed_others(tmp_path):
    one, two = make(tmp_path, "one"), make(tmp_path, "two")
    one.train()
    two.train()
    same(one, two)
    other = make(tmp_path, "other")
    other = Trainer(
        settings=other.settings, seed=2, data=other.data, machine=other.machine, folder=other.folder, progress=other.progress
    )
    other.train()
    assert other.folder.log.read_bytes() != one.folder.log.read_bytes()


def test_the_log_holds_training_and_validation(tmp_path):
    trainer = make(tmp_path)
    trainer.train()
    records = [json.loads(line) for line in trainer.folder.log.read_text().splitlines()]
    assert [r["step"] for r in records if r["event"] == "train"] == [3, 6, 9, 12]
    validations = [r for r in records if r["event"] == "validation"]
    assert [r["step"] for r in validations] == [5, 10, 12]
    assert all(r["perplexity"] == pytest.approx(2.718281828 ** r["loss"], rel=1e-6) for r in validations)
    assert all(0 <= r["token_accuracy"] <= 1 for r in validations)
    assert list(trainer.folder.tensorboard.iterdir())


def test_first_loss_is_near_ln_v(tmp_path):
    trainer = make(tmp_path, log_every=1, max_steps=1)
    trainer.train()
    first = json.loads(trainer.folder.log.read_text().splitlines()[0])
    assert first["loss"] == pytest.approx(torch.log(torch.tensor(600.0)).item(), rel=0.1)


@pytest.mark.parametrize(
    ("limit", "steps"), [({"max_target_tokens": 1}, 1), ({"patience": 1, "learning_rate": 1e-12, "best_by": "bleu"}, 10)]
)
def test_other_reasons_to_stop(tmp_path, limit, steps):
    assert make(tmp_path, **limit).train().step == steps


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(tmp_path):
    trainer = make(tmp_path)
    with torch.no_grad():
        trainer.model.decoder.readout.weight.fill_(float("nan"))
    with pytest.raises(RunError, match=r"step 1: loss nan.*non_finite=skip"):
        trainer.train()
    record = json.loads(trainer.folder.timing.read_text().splitlines()[1])
    assert record["event"] == "not_finite"
    assert record["rows"]


def test_a_batch_that_is_not_finite_can_be_skipped_and_is_counted(tmp_path):
    trainer = make(tmp_path, non_finite="skip")
    backward = trainer._backward

    def poisoned(batch, tokens):
        nats = backward(batch, tokens)
        return float("nan") if trainer.position.step == 2 else nats

    trainer._backward = poisoned
    assert trainer.train().skipped == 1
    assert all(torch.isfinite(p).all() for p in trainer.model.parameters())


def test_a_damaged_checkpoint_is_passed_over_aloud(tmp_path):
    whole = make(tmp_path, "whole")
    whole.train()
    cut = make(tmp_path, "cut")
    _stop_at(cut, 9)
    with pytest.raises(Interrupted):
        cut.train()
    weights = cut.folder.last / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    again = make(tmp_path, "cut")
    again.train()
    assert "damaged checkpoint passed over" in again.progress.stream.text
    assert "resumes at step 8" in again.progress.stream.text
    same(whole, again)


@pytest.mark.slow
def test_a_few_pairs_are_learned_by_heart(tmp_path):
    trainer = make(
        tmp_path, max_steps=400, learning_rate=0.01, warmup_steps=20, label_smoothing=0.0, validate_every=400, save_every=400
    )
    trainer.train()
    last = [json.loads(line) for line in trainer.folder.log.read_text().splitlines() if "train" in line][-2]
    assert last["loss"] < 0.5
