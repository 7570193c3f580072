"""What belongs to a run and what does not: nothing lost, nothing mixed up, from the commands down to the files."""

import json
import os
import shutil

import pytest

from tests.study.conftest import SMALL, Place, bytes_of, copy_of, study_of, write_split
from tests.tiny import tiny_study

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture
def place(trained_once, tmp_path, capsys, monkeypatch):
    return copy_of(trained_once, tmp_path / "place", capsys, monkeypatch)


def test_a_second_seed_joins_the_first(place):
    before = (place.run / "log.jsonl").read_bytes()
    status, said = place.train(study_of(place.folder, training={"seeds": [1, 2], "log_every": 2}))
    assert status == 0, said
    assert "[additive seed 1] is finished; skipped" in said
    assert (place.run / "log.jsonl").read_bytes() == before
    assert (place.runs / "additive" / "seed-2" / "summary.json").exists()
    assert place("report", place.runs)[0] == 0
    assert place.report()["systems"]["additive"]["seeds"] == [1, 2]


def test_a_start_that_failed_is_mended(tmp_path, capsys, monkeypatch):
    place = Place(tmp_path, capsys, monkeypatch)
    status, said = place.train(study_of(tmp_path, tokenizer={"vocabulary_size": 8000}))
    assert status == 2
    assert "the largest possible is" in said
    status, said = place.train()
    assert status == 0, said


def test_a_finished_run_trained_longer_equals_one_that_was_never_cut(place):
    first, shown = place.facts(), json.loads((place.run / "summary.json").read_text())
    status, said = place.train(study_of(place.folder, training={"max_steps": 8}))
    assert status == 0, said
    assert "is trained longer (training.max_steps: 4 there, 8 here)" in said
    summary = json.loads((place.run / "summary.json").read_text())
    assert (summary["steps"], summary["earlier"]) == (8, [shown])
    weights = {path: path.read_bytes() for path in place.run.glob("checkpoints/last/*.safetensors")}
    assert (place.run / "checkpoints" / "step-4" / "model.safetensors").exists()
    if place.facts()["step"] != first["step"]:
        (kept,) = place.earlier()
        assert json.loads(kept.with_suffix(".json").read_text()) == first
    whole = Place(place.folder, place.capsys, pytest.MonkeyPatch())
    whole.runs = place.folder / "whole"
    assert whole.train(study_of(place.folder, training={"max_steps": 8}))[0] == 0
    for path, content in weights.items():
        assert (whole.runs / path.relative_to(place.runs)).read_bytes() == content
    assert (whole.runs / "additive/seed-1/log.jsonl").read_bytes() == (place.run / "log.jsonl").read_bytes()


def test_a_finished_run_keeps_its_schedule(tmp_path, capsys, monkeypatch):
    place = Place(tmp_path, capsys, monkeypatch)
    cosine = {"schedule": "cosine", "warmup_steps": 1}
    assert place.train(study_of(tmp_path, training=cosine))[0] == 0
    before = bytes_of(place.runs)
    status, said = place.train(study_of(tmp_path, training={**cosine, "max_steps": 8}))
    assert status == 2
    assert "its cosine schedule was laid out for 4 steps" in said
    assert bytes_of(place.runs) == before


def test_another_search_is_another_entry_and_the_first_comes_back(place):
    first = (place.run / "hypotheses" / "test.txt").read_text()
    greedy = study_of(place.folder, search={"beam": 1})
    status, said = place.train(greedy)
    assert status == 0, said
    assert "is finished; translated test" in said
    assert place.facts()["search"]["beam"] == 1
    (kept,) = place.earlier()
    assert kept.read_text() == first
    assert "skipped" in place.train(greedy)[1]
    assert place.train()[0] == 0
    assert place.facts()["search"]["beam"] == 2
    assert (place.run / "hypotheses" / "test.txt").read_text() == first
    assert len(place.earlier()) == 2
    assert place("report", place.runs)[0] == 0
    assert any("hypotheses/earlier/: additive seed 1 (2)" in note for note in place.report()["notes"])


def test_a_further_test_set_needs_no_training_text(place):
    (place.folder / "corpus" / "train.en").unlink()
    assert place("report", place.runs)[0] == 0
    before = place.report()["systems"]["additive"]["bleu"]
    status, said = place("report", place.runs, "--split", "more")
    assert status == 0, said
    assert (place.report("report-more")["split"], place.report("report-more")["n"]) == ("more", 10)
    assert place("report", place.runs)[0] == 0
    report = place.report()
    assert (report["split"], report["systems"]["additive"]["bleu"]) == ("test", before)
    assert report["other_splits"]["more"]["n"] == 10
    assert place("report", place.runs, "--verify")[0] == 0
    assert place("report", place.runs, "--verify", "--split", "more")[0] == 0
    for name, reason in (("train", "trained on"), ("absent", "no such file")):
        status, said = place("report", place.runs, "--split", name)
        assert status == 2
        assert reason in said


def test_a_test_set_added_to_the_study_is_translated_by_the_finished_run(place):
    status, said = place.train(study_of(place.folder) | {}, "--set", "data.test=[test, more]")
    assert status == 0, said
    assert "is finished; translated more" in said
    assert place.facts("more")["sentences"] == 10


def test_the_report_needs_neither_training_text_nor_weights(place):
    for name in ("train.en", "train.de", "valid.en", "valid.de"):
        (place.folder / "corpus" / name).unlink()
    shutil.rmtree(place.run / "checkpoints")
    status, said = place("report", place.runs)
    assert status == 0, said
    assert "not analysed" in said
    (place.run / "hypotheses" / "test.txt").unlink()
    assert place("report", place.runs)[0] == 2  # now the weights are needed


def turn_round(place, split="test"):
    for language in ("en", "de"):
        path = place.folder / "corpus" / f"{split}.{language}"
        status = path.stat()
        lines = path.read_text().splitlines(keepends=True)
        (path.parent / "new").write_text("".join(lines[::-1]))
        os.utime(path.parent / "new", ns=(status.st_atime_ns, status.st_mtime_ns))  # equal size, equal date
        (path.parent / "new").replace(path)


def test_a_test_set_that_changed_is_not_scored_against_old_translations(place):
    assert place("report", place.runs)[0] == 0
    before, first = place.report(), (place.run / "hypotheses" / "test.txt").read_text()
    turn_round(place)
    for command in (["report", place.runs], ["report", place.runs, "--verify"], ["publish", place.runs, place.folder / "out"]):
        status, said = place(*command)
        assert status == 2, said
        assert "translations of other sentences than split 'test' holds now" in said
    assert place.report() == before
    status, said = place("report", place.runs, "--retranslate")
    assert status == 0, said
    assert (place.run / "hypotheses" / "test.txt").read_text() != first
    (kept,) = place.earlier()
    assert kept.read_text() == first


def test_a_truncated_file_of_translations_is_found_before_anything_is_analysed(place):
    path = place.run / "hypotheses" / "test.txt"
    path.write_text("one line\n")
    status, said = place("report", place.runs)
    assert status == 2
    assert "test.txt: 1 line, but test.json says" in said
    assert "interventions" not in said
    path.unlink()
    assert place("report", place.runs)[0] == 0


def test_attention_that_was_removed_comes_back(place):
    path = place.run / "attention" / "test.json"
    before = path.read_bytes()
    path.unlink()
    assert place("report", place.runs)[0] == 0
    assert path.read_bytes() == before


def test_training_text_that_grew_changes_no_translation(place):
    first = (place.run / "hypotheses" / "test.txt").read_text()
    write_split(place.folder / "corpus", "train", 90, 5)
    assert place("report", place.runs)[0] == 0
    assert place("tune", place.runs, "--apply")[0] == 0
    facts = place.facts()
    searched = facts["search"]["beam"], facts["search"]["length_penalty"]
    status, said = place.train()  # the translations that tuning chose stand for the study's search
    assert status == 0, said
    assert (place.facts()["search"]["beam"], place.facts()["search"]["length_penalty"]) == searched
    assert first in [path.read_text() for path in (place.run / "hypotheses" / "test.txt", *place.earlier())]


def test_tuning_asks_for_the_sentences_it_chooses_on(place):
    before = bytes_of(place.run)
    turn_round(place, "valid")
    status, said = place("tune", place.runs)
    assert status == 2
    assert "other data (SHA-256 of valid" in said
    assert bytes_of(place.run) == before


def test_a_tokenizer_that_was_exchanged_is_found(place, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(place.folder, other)
    write_split(other / "corpus", "train", 60, 7)
    there = Place(other, place.capsys, pytest.MonkeyPatch())
    there.runs = other / "again"
    assert there.train()[0] == 0
    shutil.copy(there.runs / "additive/seed-1/tokenizer/source.model", place.run / "tokenizer" / "source.model")
    status, said = place("translate", place.run)
    assert status == 2
    assert "source.model" in said


@pytest.mark.parametrize("kind", ["path", "grammar"])
def test_systems_with_different_test_sets_are_not_put_into_one_table(tmp_path, capsys, monkeypatch, kind):
    place = Place(tmp_path, capsys, monkeypatch)
    if kind == "path":
        shutil.copytree(tmp_path / "corpus", tmp_path / "elsewhere")
        turn_round(place)
        study = study_of(tmp_path)
        study["systems"]["none"] = {"data": {"path": str(tmp_path / "elsewhere")}}
    else:
        study = tiny_study(training=SMALL)
        study["systems"]["none"] = {"data": {"grammar": {"seed": 9}}}
    status, said = place.train(study, "--system", "none", "--system", "additive")
    assert status == 0, said
    status, said = place("report", place.runs)
    assert status == 2
    assert "split 'test' held other sentences than for" in said
    assert "data.path: " in said if kind == "path" else "data.grammar.seed: 9 there, " in said or "9 here" in said


def test_seeds_that_were_trained_differently_are_not_one_system(place):
    assert place.train(None, "--seed", "2", "--set", "training.learning_rate=0.01")[0] == 0
    status, said = place("report", place.runs)
    assert status == 2
    assert "training.learning_rate: 0.001 there, 0.01 here" in said


def test_a_single_run_is_no_study(place):
    before = bytes_of(place.run)
    status, said = place("report", place.run)
    assert status == 2
    assert "the folder of a single run" in said
    assert bytes_of(place.run) == before


def test_translations_without_a_record_are_not_lost(place):
    first = (place.run / "hypotheses" / "test.txt").read_text()
    (place.run / "hypotheses" / "test.txt").write_text(first.replace("\n", " by hand\n"))
    (place.run / "hypotheses" / "test.json").unlink()
    assert place("report", place.runs)[0] == 0
    (kept,) = place.earlier()
    assert "by hand" in kept.read_text()
    assert (place.run / "hypotheses" / "test.txt").read_text() == first


def test_a_renamed_system_is_left_out_and_said(place):
    study = study_of(place.folder)
    study["systems"] = {"other": study["systems"]["additive"]}
    assert place.train(study, "--system", "other")[0] == 0
    status, said = place("report", place.runs)
    assert status == 0, said
    assert "left out: additive: " in said
    report = place.report()
    assert list(report["systems"]) == ["other"]
    assert any(note.startswith("additive: ") for note in report["notes"])
    assert list(json.loads((place.runs / "costs.json").read_text())) == ["other"]


def test_test_sentences_in_the_training_text_are_said(tmp_path, capsys, monkeypatch):
    place = Place(tmp_path, capsys, monkeypatch)
    corpus = tmp_path / "corpus"
    train = {language: (corpus / f"train.{language}").read_text().splitlines() for language in ("en", "de")}
    lines = {language: (corpus / f"test.{language}").read_text().splitlines() for language in ("en", "de")}
    lines["en"][:3], lines["de"][:2] = train["en"][:3], train["de"][:2]
    for language in ("en", "de"):
        (corpus / f"test.{language}").write_text("".join(f"{line}\n" for line in lines[language]))
    status, said = place.train()
    assert status == 0
    assert "test: 3 source sentences stand in the training text too, 2 as whole pairs" in " ".join(said.split())
    assert place("report", place.runs)[0] == 0
    assert any(note.startswith("3 of the 12 source sentences stand in the training text") for note in place.report()["notes"])


def test_the_file_beside_the_runs_names_no_folder_of_this_machine(tmp_path, capsys, monkeypatch):
    place = Place(tmp_path, capsys, monkeypatch)
    study = study_of(tmp_path)
    study["systems"]["additive"] = {"data": {"path": str(tmp_path / "corpus")}}
    assert place.train(study)[0] == 0
    assert str(tmp_path) not in (place.runs / "study.yaml").read_text()  # it is published as it is


def test_translations_by_others_are_scored_by_length(place):
    corpus = place.folder / "corpus"
    (place.folder / "wrong.txt").write_bytes(b"nothing\n" * 11 + b"caf\xe9\n")
    arguments = [corpus / "test.en", corpus / "test.de", corpus / "test.de", place.folder / "wrong.txt"]
    status, said = place("score", *arguments, "--set", "evaluation.buckets={kind: fixed, edges: [6]}")
    assert status == 0, said
    assert f"{place.folder / 'wrong.txt'}: 1 line with bytes that are not UTF-8" in said
    table = [line.split() for line in said.splitlines()]
    short = sum(len(line.split()) <= 6 for line in (corpus / "test.en").read_text().splitlines())
    assert ["sentences", "12", str(short), str(12 - short)] in table
    assert ["test.de", "100.0", "100.0", "100.0"] in table
    assert ["wrong.txt", "0.0"] in [row[:2] for row in table]
    assert said.count("tok:13a") == 1
    assert "nc:6" not in said  # the signature of a score that is not shown
    for change, reason in (
        ([corpus / "test.en", corpus / "test.de", corpus / "more.de"], "has 10 lines but"),
        ([corpus / "test.en", corpus / "test.de", corpus / "no.de"], "cannot be read"),
        ([corpus / "test.en-de.tsv", *arguments[1:]], "test.en-de.tsv: a table; give a file for each"),
        ([*arguments, "--set", "training.max_steps=3"], "only settings of evaluation"),
        ([*arguments, "--set", "evaluation.tokenizr=zh"], "did you mean 'tokenizer'?"),
        ([*arguments, "--set", "evaluation.confidence=0.9"], "--set evaluation.confidence: changes no score here"),
        (
            [*arguments, place.folder / "wrong.txt"],
            f"error: {place.folder / 'wrong.txt'}: a file of translations is named twice",
        ),
    ):
        status, said = place("score", *change)
        assert status == 2
        assert reason in said


SCORE = """
from seq2seq.attention.heads import HeadLinear
from seq2seq.attention.scores import Score


class Mine(Score):
    formula, source, expects = "q . W k", "a test", "nothing"

    def __init__(self, *, heads, query_size, memory_size, attention_size):
        super().__init__(heads=heads, query_size=query_size, memory_size=memory_size, attention_size=attention_size)
        self.key_proj = HeadLinear(heads=heads, in_features=memory_size, out_features=query_size)

    def project_keys(self, memory):
        return self.key_proj(memory)

    def forward(self, query, keys):
        return query @ keys.transpose(-1, -2)
"""


def test_the_command_that_training_prints_works_with_a_class_of_ones_own(tmp_path, capsys, monkeypatch):
    (tmp_path / "my_scores.py").write_text(SCORE)
    monkeypatch.syspath_prepend(str(tmp_path))
    place = Place(tmp_path, capsys, monkeypatch)
    study = study_of(tmp_path)
    study["systems"]["additive"] = {"model": {"attention": {"score": "my_scores:Nobody"}}}
    status, said = place.train(study)
    assert status == 2
    assert "has no 'Nobody'" in said
    assert not place.runs.exists()  # found before anything is prepared
    study["systems"]["additive"] = {"model": {"attention": {"score": "my_scores:Mine"}}}
    status, said = place.train(study)
    assert status == 0, said
    assert f"report: seq2seq report {place.runs} --allow-code" in said
    status, said = place("report", place.runs)
    assert status == 2
    assert "--allow-code" in said
    assert not (place.runs / "report").exists()
    assert place("report", place.runs, "--allow-code")[0] == 0
    (tmp_path / "my_scores.py").write_text(SCORE.replace("query @", "2 * query @"))
    status, said = place.train(study)
    assert status == 0
    assert "additive seed 1] is finished; skipped (my_scores:Mine was written otherwise then; give --out DIR" in said
    study["base"]["training"]["max_steps"] += 1
    status, said = place.train(study)
    assert status == 2
    assert "this run was made with other code (SHA-256 of code: " in said
