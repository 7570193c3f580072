"""From trained runs on disk to the files of a study, by the commands."""

import json

import pytest

from seq2seq.cli import main
from seq2seq.report.analyses import read_analyses
from seq2seq.report.analysis import sweep
from seq2seq.report.analysis.runs import analyse_study, loaded_runs
from seq2seq.report.exhibits import AttentionMap
from seq2seq.run.checkpoint import Checkpoint, save_checkpoint, trainable_state
from seq2seq.run.folder import dump_yaml, write_aside
from seq2seq.run.hypotheses import OWN_SENTENCES, translate_tests
from seq2seq.run.trained import load_run, write_tokenizers


@pytest.fixture
def runs(make_run, data, cache, tmp_path, monkeypatch):
    """A study of two untrained runs, as training leaves it."""
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(cache))
    for name in ("additive", "none"):
        run = make_run(name)
        write_aside(run.folder.config, dump_yaml(run.settings.model_dump(mode="json")))
        write_tokenizers(run.folder.tokenizers, data.source_tokenizer, data.target_tokenizer)
        save_checkpoint(run.folder.best, Checkpoint(trainable_state(run.model), {}, {"step": run.step, "seed": 1}))
        translate_tests(run, data)
    write_aside(tmp_path / "study.yaml", "{name: s, systems: [none, additive]}\n")
    return tmp_path


def test_a_study_is_analysed(runs):
    assert analyse_study(runs) == ["alignment", "interventions", "costs"]
    found = read_analyses(runs)
    assert list(found.costs) == ["none", "additive"]  # in the order of the study
    assert found.costs["none"].training_tokens_per_second > 0
    assert all(point.ms_per_sentence > 0 for point in found.costs["none"].by_length)
    assert list(found.alignment.systems) == ["additive"]
    own = json.loads((runs / "additive" / "seed-1" / "attention" / "own.json").read_text())
    assert [AttentionMap.model_validate(record).words().source[:-1] for record in own] == [
        line.split() for line in OWN_SENTENCES["en"]
    ]
    fixed = json.loads((runs / "none" / "seed-1" / "attention" / "own.json").read_text())
    assert not any(AttentionMap.model_validate(record).attends for record in fixed)


def test_unfinished_runs_are_left_out(runs):
    summary = runs / "none" / "seed-1" / "summary.json"
    summary.write_text('{"status": "failed"}')
    assert [run.folder.system for run, _ in loaded_runs(runs)] == ["additive"]


@pytest.fixture
def quick_tuning(monkeypatch):
    """Few ways to search, few sentences."""
    for name, values in (("BEAMS", (1, 3)), ("PENALTIES", (0.0, 2.0)), ("SENTENCES", 4)):
        monkeypatch.setattr(sweep, name, values)


def test_missing_hypotheses_are_made_with_the_model_that_is_analysed(runs, monkeypatch):
    """Every run is loaded once."""
    loaded = []
    monkeypatch.setattr(
        "seq2seq.report.analysis.runs.load_run", lambda place, *a, **k: loaded.append(place) or load_run(place, *a, **k)
    )
    for path in runs.glob("*/seed-1/hypotheses/test.*"):
        path.unlink()
    analyse_study(runs)
    assert len(loaded) == 2
    assert (runs / "none" / "seed-1" / "hypotheses" / "test.txt").exists()


@pytest.mark.slow
def test_a_tuned_study_verifies_once_its_report_is_made_again(runs, capsys, quick_tuning):
    drawn = runs / "additive" / "seed-1" / "attention" / "test.json"
    report_of = ["report", str(runs)]
    write_aside(
        runs / "study.yaml", "{name: s, systems: [none, additive], evaluation: {metrics: [bleu, chrf], resamples: 100}}\n"
    )
    assert main(report_of) == 0
    write_aside(drawn, json.dumps([{"index": 3, "hypothesis": ["stale"]}]))
    assert main(["tune", str(runs), "--apply"]) == 0
    assert ["stale"] not in [record["hypothesis"] for record in json.loads(drawn.read_text())]
    capsys.readouterr()
    assert main([*report_of, "--verify"]) == 1
    assert "make the report again" in capsys.readouterr().err
    assert main(report_of) == 0
    assert main([*report_of, "--verify"]) == 0
    report = json.loads((runs / "report" / "report.json").read_text())
    assert any("used for these scores: " in note for note in report["notes"])


def test_tuning_writes_and_shows_the_choice_and_translates_again_when_asked(runs, capsys, quick_tuning):
    path = runs / "none" / "seed-1" / "hypotheses" / "test.json"
    before = json.loads(path.read_text())
    assert main(["tune", str(runs)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == ["none", "additive"]
    assert json.loads(path.read_text()) == before
    points = read_analyses(runs).beam_sweep.systems["none"]
    (best,) = [point for point in points if point.chosen]
    assert f"none: beam {best.beam}, length penalty {best.length_penalty:g}" in said[0]
    assert main(["tune", str(runs), "--apply"]) == 0
    after = json.loads(path.read_text())
    assert (after["search"]["beam"], after["search"]["length_penalty"]) == (best.beam, best.length_penalty)
    assert len((runs / "none" / "seed-1" / "hypotheses" / "test.txt").read_text().splitlines()) == after["sentences"]
