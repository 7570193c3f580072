import json
import shutil
from pathlib import Path
from unittest.mock import patch

import pytest

from seq2seq.config.errors import UserError
from seq2seq.corpus.prepare import EvaluationData
from seq2seq.report.analyses import read_analyses
from seq2seq.report.analysis import sweep
from seq2seq.report.analysis.alignment import align_run
from seq2seq.report.analysis.collect import collect_analyses, mean
from seq2seq.report.analysis.costs import measure_costs
from seq2seq.report.analysis.interventions import intervene
from seq2seq.report.analysis.store import analysis_path, cached, read_analysis
from seq2seq.report.analysis.sweep import choose, tune_run
from seq2seq.run.folder import write_aside


@pytest.fixture(scope="module")
def measured(make_run_in, data, tmp_path_factory):
    """Two systems, one with two seeds, with every analysis."""
    folder = tmp_path_factory.mktemp("measured")
    validation = EvaluationData(tests={"valid": data.valid}, fingerprints=data.fingerprints)
    for name, seed in (("transformer", 1), ("additive", 2), ("additive", 1), ("none", 1)):
        run = make_run_in(name, folder, seed)
        write_aside(run.folder.config, "{}\n")
        align_run(run, data, sentences=6)
        intervene(run, data, sentences=4)
        measure_costs(run, data)
        with patch.multiple(sweep, BEAMS=(1, 2), PENALTIES=(0.0, 1.0), SENTENCES=3):
            tune_run(run, validation)
    write_aside(folder / "study.yaml", "{name: s, systems: [none, additive, transformer]}\n")
    return folder


@pytest.fixture
def study(measured, tmp_path):
    return Path(shutil.copytree(measured, tmp_path / "study"))


def test_the_report_reads_what_is_gathered(study):
    assert collect_analyses(study) == ["alignment", "interventions", "costs", "beam_sweep"]
    found = read_analyses(study)
    assert list(found.costs) == ["none", "additive", "transformer"]
    assert list(found.alignment.systems) == list(found.interventions.systems) == ["additive", "transformer"]
    additive = found.alignment.systems["additive"]
    assert additive.aer == pytest.approx(sum(additive.aer_by_seed) / 2)
    assert additive.low <= additive.aer <= additive.high
    assert len(found.alignment.systems["transformer"].aer_by_seed) == 1
    assert found.alignment.n == 6
    assert set(found.alignment.baselines) == {"uniform", "diagonal"}
    assert list(found.interventions.systems["additive"]) == ["original", "uniform", "argmax", "permuted", "shifted"]
    assert found.costs["additive"].training_tokens_per_second == 1234
    for seed, lengths in ((1, []), (2, [{"length": 10, "ms_per_sentence": 3.0, "peak_bytes": 7, "sentences": 8}])):
        path = study / "additive" / f"seed-{seed}" / "analysis" / "costs.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "by_length": lengths}))
    collect_analyses(study)
    (point,) = read_analyses(study).costs["additive"].by_length  # decoding is measured for one seed of a system
    assert (point.ms_per_sentence, point.peak_bytes) == (3, 7)
    points = found.beam_sweep.systems["none"]
    assert [(p.beam, p.length_penalty) for p in points] == [(1, 0.0), (2, 0.0), (2, 1.0)]
    assert sum(p.chosen for p in points) == 1
    assert found.beam_sweep.split == "valid"


def test_numbers_are_means_over_seeds(study):
    collect_analyses(study)
    runs = [json.loads((study / "additive" / f"seed-{s}" / "analysis" / "interventions.json").read_text()) for s in (1, 2)]
    gathered = json.loads((study / "interventions.json").read_text())["systems"]["additive"]["original"]
    values = [run["kinds"]["original"] for run in runs]
    assert gathered["entropy"] == pytest.approx((values[0]["entropy"] + values[1]["entropy"]) / 2)
    assert gathered["buckets"][0]["bleu"] == pytest.approx(
        (values[0]["buckets"][0]["bleu"] + values[1]["buckets"][0]["bleu"]) / 2
    )


def test_answers_to_another_question_are_not_mixed_in(study, make_run_in, data):
    align_run(make_run_in("transformer", study), data, sentences=3)
    collect_analyses(study)
    assert list(json.loads((study / "alignment.json").read_text())["systems"]) == ["additive"]


def test_a_study_without_analyses_writes_nothing(make_run, tmp_path):
    write_aside(make_run("none").folder.config, "{}\n")
    assert collect_analyses(tmp_path) == []
    assert not list(tmp_path.glob("*.json"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no runs here"):
        collect_analyses(tmp_path / "empty")


def test_an_analysis_is_made_again_under_another_key_or_where_the_file_is_damaged(make_run, data):
    run, made = make_run("none"), []

    def make():
        made.append(len(made))
        return {"value": made[-1]}

    assert [cached(run, data, "test", "x", make, n=n)["value"] for n in (1, 1, 2)] == [0, 0, 1]
    analysis_path(run.folder, "x").write_text("{", encoding="utf-8")
    assert read_analysis(run.folder, "x") is None
    assert cached(run, data, "test", "x", make, n=2)["value"] == 2


def test_the_cheapest_of_the_best_is_chosen():
    sweep = [
        {"beam": 1, "length_penalty": 0.0, "bleu": 20.0},
        {"beam": 5, "length_penalty": 1.0, "bleu": 21.001},
        {"beam": 5, "length_penalty": 0.6, "bleu": 21.0},
        {"beam": 10, "length_penalty": 0.0, "bleu": 21.003},
    ]
    assert choose(sweep) == sweep[2]
    other = [{**point, "bleu": 30.0 - point["beam"]} for point in sweep]
    assert [point["bleu"] for point in mean([sweep, other])][:2] == [24.5, pytest.approx((21.001 + 25) / 2)]
