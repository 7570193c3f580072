from dataclasses import replace

import pytest

from seq2seq.config.errors import UserError
from seq2seq.config.loading import load_study
from seq2seq.config.study import MatchSettings
from seq2seq.models.budget import budget_of
from seq2seq.study.matching import match_study
from seq2seq.study.runner import train_study
from tests.tiny import tiny_study, write_study

STACK = {"kind": "transformer", "hidden_size": 64, "layers": 1, "feedforward_size": 128}
SYSTEMS = {
    "none": {},
    "dot": {"model": {"attention": {"score": "dot"}, "decoder": {"placement": "before"}}},
    "additive": {"model": {"attention": {"score": "additive"}}},
    "lstm": {"model": {"encoder": {"cell": "lstm"}, "decoder": {"cell": "lstm"}}},
    "transformer": {"model": {"encoder": STACK, "decoder": STACK, "attention": {"score": "scaled", "heads": 4}}},
    "rope": {"model": {"architecture": "decoder_only", "hidden_size": 64, "layers": 2, "positions": "rope"}},
}


def study(tmp_path, systems=tuple(SYSTEMS), match=None, **changes):
    data = tiny_study(**changes)
    data["systems"] = {name: SYSTEMS[name] for name in systems}
    if match is not None:
        data["match"] = match
    data["base"]["model"]["encoder"]["hidden_size"] = 48
    data["base"]["model"]["decoder"]["hidden_size"] = 96
    return load_study(write_study(tmp_path, data))


def test_a_study_without_match_stays_as_it_is(tmp_path):
    written = study(tmp_path)
    found, matches = match_study(written)
    assert found is written
    assert matches == []


@pytest.mark.parametrize(("kind", "tolerance"), [("parameters", "1%"), ("flops", "3%")])
def test_every_system_meets_the_budget_and_keeps_its_proportions(tmp_path, kind, tolerance):
    written = study(tmp_path, match={kind: tolerance})
    found, _ = match_study(written)
    wanted = budget_of(written.systems["none"], kind)
    for system in found.systems.values():
        assert budget_of(system, kind) == pytest.approx(wanted, rel=float(tolerance[:-1]) / 100)
    assert found.systems["none"] == written.systems["none"]
    if kind == "parameters":  # before the recurrence dot has as many as none: nothing to change
        assert found.systems["dot"] == written.systems["dot"]
    for name in ("additive", "lstm"):
        model = found.systems[name].model
        assert model.decoder.hidden_size == pytest.approx(2 * model.encoder.hidden_size, rel=0.1)
    transformer = found.systems["transformer"].model
    assert transformer.encoder.hidden_size % 4 == 0
    assert transformer.encoder.hidden_size == transformer.decoder.hidden_size
    assert found.systems["rope"].model.hidden_size % 8 == 0


def test_a_product_keeps_its_two_sides_of_one_size(tmp_path):
    data = tiny_study()
    data["systems"] = {
        "none": {},
        "dot": {"model": {"attention": {"score": "dot"}, "decoder": {"hidden_size": 16, "layers": 3}}},
    }
    data["match"] = {"parameters": "5%"}
    model = match_study(load_study(write_study(tmp_path, data)))[0].systems["dot"].model
    assert model.encoder.hidden_size < 8
    assert model.decoder.hidden_size == 2 * model.encoder.hidden_size


def test_what_was_chosen_is_said(tmp_path):
    found, (match,) = match_study(study(tmp_path, ("none", "additive"), {"parameters": 0.01}))
    width = found.systems["additive"].model.encoder.hidden_size
    assert width > 48  # the fixed vector has columns in the cell, which is more than the score takes
    assert f"matched additive: model.encoder.hidden_size: 48 -> {width}" in match
    assert match.endswith("% of none)")
    assert abs(float(match.split()[-3].removesuffix("%"))) <= 1


def test_the_reference_can_be_any_system_and_some_can_be_left(tmp_path):
    written = study(tmp_path, ("none", "additive", "lstm"), {"parameters": "1%", "to": "additive"})
    found, matches = match_study(written, ["lstm"])
    assert [match.partition(":")[0] for match in matches] == ["matched lstm"]
    assert found.systems["none"] == written.systems["none"]


def test_a_budget_out_of_reach_is_refused_with_the_nearest(tmp_path):
    written = study(tmp_path, ("none", "lstm"), {"parameters": 1e-6})
    with pytest.raises(UserError, match=r"systems\.lstm: no width brings it within 0\.00% of .* parameters; the nearest has"):
        match_study(written)


@pytest.mark.parametrize("budgets", [{}, {"parameters": 0.1, "flops": 0.1}])
def test_one_budget_has_to_be_named(tmp_path, budgets):
    written = study(tmp_path, ("none", "additive"))
    written = replace(written, header=written.header.model_copy(update={"match": MatchSettings(**budgets)}))
    with pytest.raises(UserError, match="match: name one budget"):
        match_study(written)


def test_runs_are_trained_with_the_chosen_widths(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    written = study(
        tmp_path, ("none", "additive"), {"parameters": "1%"}, training={"max_steps": 1, "validation_bleu_sentences": 0}
    )
    chosen = match_study(written)[0].systems["additive"]
    trained = []
    monkeypatch.setattr("seq2seq.study.runner.train_run", lambda settings, **_: trained.append(settings))
    train_study(written, out=tmp_path / "runs", jobs=1, arguments=[])
    assert trained == [written.systems["none"], chosen]
    assert "matched additive" in capsys.readouterr().err
