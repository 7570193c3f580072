"""A run that was cut anywhere ends where the uninterrupted one ends, bit for bit."""

import io
import json
import signal
from dataclasses import asdict

import pytest
import torch

from seq2seq.config.errors import RunError, UserError
from seq2seq.config.loading import load_study
from seq2seq.config.training import TrainingSettings
from seq2seq.corpus.prepare import prepare
from seq2seq.run.arithmetic import Arithmetic
from seq2seq.run.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, trainable_state
from seq2seq.run.folder import RunFolder, write_json
from seq2seq.run.loop import Position, Trainer
from seq2seq.run.machine import prepare_machine
from seq2seq.run.progress import Lines, Progress
from seq2seq.run.schedule import learning_rate
from seq2seq.run.signals import Interrupted
from tests.faults.table import TABLE
from tests.tiny import tiny_study, write_study


def make(tmp_path, name="run", system="additive", model=None, data=None, search=None, **training):
    study = load_study(
        write_study(tmp_path, tiny_study(training=training, model=model or {}, data=data or {}, search=search or {}))
    )
    settings = study.systems[system]
    folder = RunFolder(tmp_path / name / system / "seed-1")
    folder.claim(settings.model_dump(mode="json"))
    progress = Progress(total=settings.training.max_steps, run="t", screen=Lines(io.StringIO()))
    data = prepare(settings.data, settings.tokenizer, report=progress.status)
    machine = prepare_machine(
        Arithmetic(precision=settings.training.precision if settings.training.precision != "auto" else "fp32"), device="cpu"
    )
    return Trainer(settings=settings, seed=1, data=data, machine=machine, folder=folder, progress=progress)


def same(a, b):
    assert a.folder.log.read_bytes() == b.folder.log.read_bytes()
    one, two = load_checkpoint(a.folder.last), load_checkpoint(b.folder.last)
    for tensors, others in ((one.model, two.model), (one.optimizer, two.optimizer)):
        assert tensors.keys() == others.keys()
        assert all(torch.equal(tensors[name], others[name]) for name in tensors)
    for state in (one.state, two.state):
        state["position"].pop("seconds")
        state.get("pretraining", {}).pop("seconds", None)
    assert one.state == two.state


def cut_at(tmp_path, stop, **options):
    """A run that was asked to stop in an update."""
    cut = make(tmp_path, f"cut{stop}", **options)
    prepare = cut._prepare

    def watch():
        update = cut.update
        cut.update = lambda step, group, **others: update(step, group, **{**others, "stop": step == stop})

    cut._prepare = lambda: (prepare(), watch())  # once more where pre-training ends
    watch()
    with pytest.raises(Interrupted):
        cut.train()
    return cut


def resumed(tmp_path, stop, **options):
    again = make(tmp_path, f"cut{stop}", **options)
    again.train()
    return again, again.progress.screen.stream.getvalue()


JOIN = {"max_pairs": 3, "edges": [10, 20], "per_bucket": 10}


@pytest.mark.parametrize(
    ("options", "stops"),
    [
        ({"precision": "fp32", "average_last": 2}, (1, 7)),
        ({"precision": "bf16", "accumulate": 2, "average_last": 2, "max_steps": 8}, (5,)),
        ({"data": {"join": JOIN}, "batch_tokens": 1500, "max_steps": 9, "save_every": 2}, (7,)),  # six batches an epoch
    ],
)
def test_interrupted_anywhere_equals_uninterrupted(tmp_path, options, stops):
    whole = make(tmp_path, "whole", **options)
    assert whole.train().epoch == int("data" in options)  # pairs are joined anew in a second epoch
    for stop in stops:
        cut_at(tmp_path, stop, **options)
        again, said = resumed(tmp_path, stop, **options)
        assert f"resumes at step {stop}" in said
        same(whole, again)


@pytest.mark.parametrize("during", ["update", "_measure"])
def test_a_signal_in_the_last_update_or_validation_is_heeded(tmp_path, during):
    cut = make(tmp_path, max_steps=1)
    work = getattr(cut, during)
    setattr(cut, during, lambda *arguments, **options: (work(*arguments, **options), cut.request_stop(signal.SIGTERM))[0])
    with pytest.raises(Interrupted):
        cut.train()
    assert make(tmp_path, max_steps=1).train().validated == 1


def test_a_joined_run_is_not_resumed_with_other_joins(tmp_path):
    one, other = (
        make(tmp_path, name, data={"join": {**JOIN, "single_share": share}}) for name, share in (("a", 0.2), ("b", 0.3))
    )
    write_json(one.folder.environment, {"fingerprints": one.data.fingerprints})
    with pytest.raises(UserError, match=r"made with other data \(SHA-256 of train:"):
        one.folder.check_fingerprints(other.data.fingerprints)


def test_a_plateau_lowers_the_rate_and_then_ends_the_run_resumed_or_not(tmp_path):
    schedule = {"kind": "plateau", "patience": 1, "reductions": 2, "threshold": 0.5}
    options = {
        "schedule": schedule,
        "warmup_steps": 0,
        "learning_rate": 0.001,
        "validate_every": 2,
        "log_every": 1,
        "max_steps": 100,
    }
    whole = make(tmp_path, "whole", **options)
    position = whole.train()
    assert position.step == 8  # one validation that is the first, three that are no better by half a nat
    records = [json.loads(line) for line in whole.folder.log.read_text().splitlines()]
    rates = [record["learning_rate"] for record in records if record["event"] == "train"]
    assert rates == [0.001] * 4 + [0.0005] * 2 + [0.00025] * 2
    cut_at(tmp_path, 5, **options)
    same(whole, resumed(tmp_path, 5, **options)[0])


PRETRAINED = {
    "masked": {"pretrain": {"kind": "masked", "steps": 6}},
    "next_sentence": {"pretrain": {"kind": "masked", "steps": 6, "next_sentence": True}},
    "causal": {"pretrain": {"kind": "causal", "steps": 6}},
}


@pytest.mark.parametrize(("kind", "stops"), [("masked", (2, 6)), ("next_sentence", (2,)), ("causal", (6, 8))])
def test_pretraining_cut_anywhere_goes_on_as_if_it_were_not(tmp_path, kind, stops):
    options = {"data": {"parallel_pairs": 40}, **PRETRAINED[kind]}
    whole = make(tmp_path, "whole", **options)
    position = whole.train()
    records = [json.loads(line) for line in whole.folder.log.read_text().splitlines()]
    assert [(r["event"], r["step"]) for r in records] == [
        *[("pretrain", 3), ("pretrain", 6), ("train", 9)],
        *[("validation", 10), ("train", 12), ("validation", 12)],
    ]
    assert position.step == 12
    assert 0 < whole.pretraining.target_tokens == records[1]["target_tokens"] < position.target_tokens
    assert 0 < whole.pretraining.seconds < position.seconds
    assert (whole.pretraining.steps, whole.pretraining.done) == (6, True)
    for stop in stops:
        cut_at(tmp_path, stop, **options)
        same(whole, resumed(tmp_path, stop, **options)[0])


def test_a_limit_within_pretraining_can_be_raised(tmp_path):
    whole = make(tmp_path, "whole", max_target_tokens=3500, **PRETRAINED["causal"])
    whole.train()
    assert whole.position.step > 6
    make(tmp_path, "raised", max_target_tokens=900, **PRETRAINED["causal"]).train()
    raised = make(tmp_path, "raised", max_target_tokens=3500, **PRETRAINED["causal"])
    raised.train()
    same(whole, raised)


@pytest.mark.parametrize(("kind", "part"), [("masked", "encoder."), ("causal", "decoder.")])
def test_pretrained_weights_are_where_translation_begins(tmp_path, kind, part):
    first = {name: value.detach().clone() for name, value in make(tmp_path, **PRETRAINED[kind]).model.named_parameters()}
    trainer = cut_at(tmp_path, 6, **PRETRAINED[kind])
    saved = load_checkpoint(trainer.folder.last)
    assert saved.model.keys() == first.keys()
    assert not saved.optimizer
    moved = {name for name, value in saved.model.items() if not torch.equal(value, first[name])}
    assert moved
    assert all(name.startswith((part, "output.")) for name in moved)
    assert (trainer.position.epoch, trainer.position.batch) == (0, 0)


def test_a_limit_may_end_a_run_before_its_pretraining(tmp_path):
    trainer = make(tmp_path, max_target_tokens=900, **PRETRAINED["causal"])
    position = trainer.train()
    assert position.step < 6
    assert position.validated == position.step == trainer.pretraining.steps
    assert load_checkpoint(trainer.folder.best).model.keys() == trainable_state(trainer.model).keys()


def test_each_phase_has_its_own_warm_up_and_schedule():
    settings = TrainingSettings(max_steps=30, warmup_steps=5, schedule="linear", pretrain={"kind": "causal", "steps": 10})
    alone = [settings.model_copy(update={"pretrain": None, "max_steps": steps}) for steps in (10, 20)]
    rates = [learning_rate(step, settings) for step in range(1, 31)]
    assert rates == [learning_rate(step, one) for one in alone for step in range(1, one.max_steps + 1)]


def test_a_log_that_lost_lines_is_resumed_and_said(tmp_path):
    cut = cut_at(tmp_path, 7)
    lines = cut.folder.log.read_bytes().splitlines(keepends=True)
    cut.folder.log.write_bytes(lines[0] + lines[1][:9])
    again, said = resumed(tmp_path, 7)
    assert f"{sum(map(len, lines)) - len(lines[0]) - 9} bytes are gone since" in said
    steps = [json.loads(line)["step"] for line in again.folder.log.read_text().splitlines()]
    assert steps == [3, 9, 10, 12, 12]


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


def test_first_loss_is_near_the_entropy_of_token_frequencies(tmp_path):
    """The output bias starts at log frequencies, so nothing is left to learn of them; without it the loss starts at ln V."""
    trainer = make(tmp_path, log_every=1, max_steps=1)
    counts = trainer.data.train.target_counts(600) + 1
    share = torch.from_numpy(counts / counts.sum())
    entropy = -(share * share.log()).sum().item()
    trainer.train()
    first = json.loads(trainer.folder.log.read_text().splitlines()[0])
    assert first["loss"] == pytest.approx(entropy, rel=0.1)
    assert entropy < 0.8 * torch.log(torch.tensor(600.0)).item()


@pytest.mark.parametrize(
    ("limit", "steps"), [({"max_target_tokens": 1}, 1), ({"patience": 1, "learning_rate": 1e-12, "best_by": "bleu"}, 10)]
)
def test_other_reasons_to_stop(tmp_path, limit, steps):
    assert make(tmp_path, **limit).train().step == steps


def poison(trainer):
    """Not a number in one place of the embedding: of the sentences that have the most frequent source piece."""
    pieces = [piece for row in range(len(trainer.data.train)) for piece in trainer.data.train.source_tokens(row)]
    common = max(set(pieces), key=pieces.count)
    table = next(p for name, p in trainer.model.named_parameters() if "encoder" in name and p.shape[0] == 600)
    with torch.no_grad():
        table[common] = float("nan")


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_batch(tmp_path):
    trainer = make(tmp_path)
    poison(trainer)
    first, second = (int(row) for row in trainer.batches.plan(0)[0][:2])
    named = rf"step 1: loss nan.*batch 1 of epoch 0 \(training pairs {first}, {second}, .*non_finite=skip"
    with TABLE.trying("loss not finite"), pytest.raises(RunError, match=named):
        trainer.train()
    record = json.loads(trainer.folder.timing.read_text().splitlines()[1])
    assert (record["event"], record["step"], record["epoch"]) == ("not_finite", 1, 0)
    assert record["pairs"] == [int(row) for row in trainer.batches.plan(0)[0]]


def test_a_batch_that_is_not_finite_can_be_skipped_and_is_counted(tmp_path):
    trainer = make(tmp_path, non_finite="skip")
    backward = trainer.update._backward
    trainer.update._backward = lambda batch, tokens, place: float("nan") if place[0] == 3 else backward(batch, tokens, place)
    with TABLE.trying("loss not finite"):
        position = trainer.train()
        assert (position.skipped, position.step) == (1, 12)
    assert "step 3: loss nan" in trainer.progress.screen.stream.getvalue()
    assert all(torch.isfinite(p).all() for p in trainer.model.parameters())


class Full:
    """Says that memory is full, for batches of more than `rows` rows."""

    def __init__(self, trainer, rows):
        self.backward, self.rows, self.refused = trainer.update._backward, rows, 0
        trainer.update._backward = self

    def __call__(self, batch, tokens, place):
        if len(batch.indices) > self.rows:
            self.refused += 1
            nats = self.backward(batch, tokens, place)  # some of the gradient is there already when memory runs out
            assert nats > 0
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:115] . DefaultCPUAllocator: can't allocate memory")
        return self.backward(batch, tokens, place)


def test_out_of_memory_stops_with_advice(tmp_path):
    trainer = make(tmp_path)
    Full(trainer, rows=1)
    with pytest.raises(
        RunError, match=r"step 1: out of memory.*training.batch_tokens=200 and training.accumulate=2.*halve_on_oom"
    ):
        trainer.train()


def test_halving_gives_the_same_gradient(tmp_path):
    quiet = {side: {"hidden_size": 8, "embedding_size": 12, "dropout": 0.0} for side in ("encoder", "decoder")}
    options = {"max_steps": 3, "precision": "fp32", "validate_every": 3}
    whole = make(tmp_path, "whole", model=quiet, **options)
    whole.train()
    halved = make(tmp_path, "halved", model=quiet, halve_on_oom=True, **options)
    full = Full(halved, rows=7)
    halved.train()
    assert full.refused >= 3
    assert "split in two" in halved.progress.screen.stream.getvalue()
    for one, two in zip(whole.model.parameters(), halved.model.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


def test_a_checkpoint_of_something_else_is_one_clear_line(tmp_path):
    trainer = make(tmp_path)
    for state in ({}, {"position": {"step": "x"}, "log_bytes": 0}, {"position": {"steps": 1}, "log_bytes": 0}):
        save_checkpoint(trainer.folder.last, Checkpoint(trainable_state(trainer.model), {}, state))
        with pytest.raises(UserError, match="not a checkpoint of this version"):
            trainer.train()
    odd = {"0.exp_avg": torch.zeros(1), "0.exp_avg_sq": torch.zeros(1), "0.step": torch.tensor(1.0)}
    for tensors in (odd, {"x.y": torch.zeros(1)}, {"0.step": torch.tensor(1.0)}):
        state = {"position": asdict(Position(step=1)), "log_bytes": 0}
        save_checkpoint(trainer.folder.last, Checkpoint(trainable_state(trainer.model), tensors, state))
        with pytest.raises(UserError, match=r"not a checkpoint of this version.*optimiser"):
            trainer.train()


@pytest.mark.slow
def test_a_few_pairs_are_learned_by_heart(tmp_path):
    sizes = {"embedding_size": 64, "dropout": 0.0}
    larger = {"encoder": {"hidden_size": 64, **sizes}, "decoder": {"hidden_size": 128, **sizes}}
    quick = {"learning_rate": 0.01, "warmup_steps": 20, "label_smoothing": 0.0, "validate_every": 400, "save_every": 400}
    trainer = make(tmp_path, model=larger, max_steps=400, **quick)
    trainer.train()
    last = [json.loads(line) for line in trainer.folder.log.read_text().splitlines() if "train" in line][-2]
    assert last["loss"] < 0.5


def test_validations_scored_with_two_tokenizers_choose_no_best(tmp_path):
    trainer = make(tmp_path, best_by="bleu")
    trainer.stop_requested = True
    with pytest.raises(Interrupted):
        trainer.train()
    again = make(tmp_path, best_by="bleu")
    again.bleu_tokenizer = "char"
    with pytest.raises(UserError, match=r"scored with tokenizer 13a, not char; write evaluation.tokenizer: 13a"):
        again.train()
    by_loss = make(tmp_path, "other")
    by_loss.bleu_tokenizer = "char"
    by_loss.train()
    assert "tok:char" in by_loss.folder.log.read_text()


def test_validation_keeps_the_limits_of_the_search(tmp_path, monkeypatch):
    """Greedy validation took the default limits, so a run that allows shorter outputs was chosen by longer ones."""
    asked = []

    def translate(*arguments, **named):
        asked.append(arguments[3])
        return real(*arguments, **named)

    from seq2seq.run import validation

    real = validation.translate
    monkeypatch.setattr(validation, "translate", translate)
    trainer = make(tmp_path, max_steps=1, search={"beam": 3, "max_ratio": 0.25, "max_extra": 1})
    trainer.train()
    assert [(s.beam, s.max_ratio, s.max_extra) for s in asked] == [(1, 0.25, 1)]
