"""`report --verify` finds what was changed, with the corpus and without it."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from seq2seq.config.errors import UserError
from seq2seq.config.loading import plain, read_yaml
from seq2seq.report.build import build_report
from seq2seq.report.runs import read_report, unpacked
from seq2seq.report.verify import compare_reports, verify_report
from seq2seq.run.folder import write_aside
from seq2seq.scoring.metrics import Metric
from seq2seq.study.publish import publish_study
from tests.report.invented import copy_of, invent_texts, write_study


@pytest.fixture(scope="module")
def once(study, texts, tmp_path_factory):
    folder = copy_of(study, tmp_path_factory.mktemp("once"))
    report = build_report(folder, {"test": texts}).report
    write_aside(folder / "report" / "report.json", report.model_dump_json())
    return folder


@pytest.fixture
def reported(once, tmp_path):
    """Runs, counts and report.json, which a test may damage."""
    return Path(shutil.copytree(once, tmp_path / "reported"))


def test_an_honest_report_stands_with_the_corpus_and_without(reported, texts):
    with_texts, without = verify_report(reported, texts={"test": texts}), verify_report(reported)
    assert not with_texts.differences
    assert not without.differences
    assert with_texts.basis != without.basis


def test_a_report_from_before_chance_was_counted_stands(reported, texts):
    def earlier(part):
        if isinstance(part, list):
            return [earlier(each) for each in part]
        return {key: earlier(value) for key, value in part.items() if "chance" not in key} if isinstance(part, dict) else part

    path = reported / "report" / "report.json"
    known = json.loads(path.read_text())
    assert known["systems"]["none"]["chance"] < known["systems"]["none"]["bleu"]
    path.write_text(json.dumps(earlier(known)))
    assert not verify_report(reported, texts={"test": texts}).differences


def test_a_better_citation_of_a_mechanism_is_no_difference(reported, texts):
    path = reported / "report" / "report.json"
    known = json.loads(path.read_text())
    known["systems"]["none"]["card"] = {"formula": "c = h", "source": "section 9", "outline": "GRU"}
    path.write_text(json.dumps(known))
    assert not verify_report(reported, texts={"test": texts}).differences


def test_other_splits_are_verified_as_the_report_has_them(tmp_path):
    folder, texts = tmp_path / "invented", invent_texts(20)
    write_study(folder, texts)
    path, both = folder / "report" / "report.json", {"test": texts, "more": texts}
    write_aside(path, build_report(folder, {"test": texts}).report.model_dump_json())
    for lines in folder.glob("*/seed-*/hypotheses/test.txt"):
        shutil.copy(lines, lines.with_name("more.txt"))
    assert not verify_report(folder, texts=both).differences  # translated since
    report = build_report(folder, both).report
    for more, differences in ((0, 0), (1, 1)):
        report.other_splits["more"].n += more
        write_aside(path, report.model_dump_json())
        for at_hand in (both, {"test": texts}, {}):
            assert len(verify_report(folder, texts=at_hand).differences) == differences


def test_ter_is_counted_once_and_the_other_scores_anew(tmp_path, monkeypatch):
    folder, texts = tmp_path / "invented", invent_texts(20)  # a sentence costs TER tens of milliseconds
    write_study(folder, texts)
    settings = plain(read_yaml(folder / "study.yaml"))
    settings["evaluation"]["metrics"] = ["bleu", "chrf", "ter"]
    write_aside(folder / "study.yaml", json.dumps(settings))
    report = build_report(folder, {"test": texts}).report
    write_aside(folder / "report" / "report.json", report.model_dump_json())
    counted, count = [], Metric.count
    monkeypatch.setattr(Metric, "count", lambda self, *lines, **how: counted.append(self.name) or count(self, *lines, **how))
    found = verify_report(folder, texts={"test": texts})
    assert not found.differences
    assert set(counted) == {"bleu", "chrf"}
    assert "TER" in found.basis
    path = folder / "additive/seed-1/hypotheses/test.txt"
    write_aside(path, path.read_text().replace(" ", "  ", 1))
    verify_report(folder, texts={"test": texts})
    assert counted.count("ter") == 1  # of the run whose lines are others now


def test_a_changed_score_is_found(reported, texts):
    path = reported / "report" / "report.json"
    report = json.loads(path.read_text())
    report["systems"]["none"]["buckets"][1]["bleu"] += 0.01
    path.write_text(json.dumps(report))
    for found in (verify_report(reported, texts={"test": texts}), verify_report(reported)):
        assert len(found.differences) == 1
        assert found.differences[0].startswith("systems.none.buckets.1.bleu: report ")


def test_a_report_of_earlier_statistics_is_compared_score_by_score(reported, texts):
    path = reported / "report" / "report.json"
    report = json.loads(path.read_text())
    del report["statistics"], report["primary"]
    for system in report["systems"].values():
        del system["length"]
        system["low"] -= 1
    bucket = report["systems"]["additive"]["buckets"][0]
    bucket["comparison"]["verdict"] = "underpowered"
    path.write_text(json.dumps(report))
    found = verify_report(reported, texts={"test": texts})
    assert not found.differences
    assert "Scores only" in found.basis
    bucket["bleu"] += 0.01
    path.write_text(json.dumps(report))
    assert verify_report(reported, texts={"test": texts}).differences[0].startswith("systems.additive.buckets.0.bleu: report ")


def test_a_changed_hypothesis_is_found(reported, texts):
    path = reported / "additive/seed-1/hypotheses/test.txt"
    lines = path.read_text().splitlines()
    lines[20] = "something else entirely"
    path.write_text("".join(f"{line}\n" for line in lines))
    found = verify_report(reported, texts={"test": texts})
    assert any(line.startswith("systems.additive.bleu") for line in found.differences)
    assert any("hypotheses_sha256" in line for line in found.differences)
    with pytest.raises(UserError, match="the corpus is not at hand"):
        verify_report(reported)


def test_forged_counts_do_not_survive_the_corpus(reported, texts):
    kept, other = (reported / system / "seed-1/statistics/test.npz" for system in ("none", "additive"))
    kept.write_bytes(other.read_bytes())
    assert verify_report(reported).differences
    assert not verify_report(reported, texts={"test": texts}).differences


def test_a_changed_reference_is_found(reported, texts):
    references = texts.references
    changed = [f"{line} more" for line in references]
    assert verify_report(reported, texts={"test": texts._replace(references=changed)}).differences


def test_no_report_or_a_foreign_one_is_one_clear_line(reported):
    with pytest.raises(UserError, match="no such file"):
        verify_report(reported, reported / "elsewhere.json")
    (reported / "other.json").write_text('{"systems": 3}')
    with pytest.raises(UserError, match="make the report again"):
        verify_report(reported, reported / "other.json")


def test_differences_name_the_place():
    assert compare_reports({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}) == ["a.b.1: report 2, scored again 3"]
    assert compare_reports({"a": [1]}, {"a": [1, 2]}) == ["a: report [1], scored again [1, 2]"]
    assert compare_reports({"a": 1.0}, {"a": 1.0 + 1e-9}) == []
    assert compare_reports({"notes": 1}, {"notes": 2}) == []
    assert compare_reports({"a": None}, {"a": 0.0}) == ["a: report None, scored again 0.0"]


def test_sentences_are_compared_by_their_numbers():
    stored = {"headline": "`a-2` keeps 41 % [37, 46] above 40.", "checks": [{"differs": ["of up to any length (paper: 50)"]}]}
    again = {"headline": "Above 40, `a-2` has 41 % [37, 46] left.", "checks": [{"differs": ["any length (paper: up to 50)"]}]}
    assert compare_reports(stored, again) == []
    assert compare_reports(stored, {**again, "headline": "Above 40, `a-2` has 42 % [37, 46] left."}) == [
        "headline.3: report 41, scored again 42"
    ]
    assert compare_reports({"question": "Why?"}, {"question": "How?"})


def settings_of(folder):
    """What an invented run's config says, which names no corpus."""
    written = {"data": {"corpus": "invented"}, **plain(read_yaml(folder.config))}
    return SimpleNamespace(data=None, model_dump=lambda mode: written)


@pytest.mark.usefixtures("no_figures")
def test_a_run_that_was_cut_is_published_as_missing_and_the_report_stands(reported, tmp_path, monkeypatch):
    cut = reported / "scaled" / "seed-2"
    cut.mkdir()
    shutil.copy(reported / "scaled/seed-1/config.yaml", cut)
    (cut / "summary.json").write_text(json.dumps({"status": "interrupted"}))
    monkeypatch.setattr("seq2seq.study.publish.texts_of", lambda _: {})
    monkeypatch.setattr("seq2seq.study.publish.read_settings", settings_of)
    monkeypatch.setattr("seq2seq.study.publish.publishable", lambda _: True)
    monkeypatch.setattr("seq2seq.study.publish.is_embedded", lambda _: False)
    publish_study(reported, tmp_path / "published", arguments=["publish"])
    said = [missing.model_dump() for missing in read_report(tmp_path / "published/report/report.json").missing]
    assert {"system": "scaled", "seed": 2, "analysis": None, "reason": "no hypotheses; status: interrupted"} in said
    with unpacked(tmp_path / "published") as runs:
        assert not verify_report(runs, tmp_path / "published/report/report.json").differences
