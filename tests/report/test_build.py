"""Runs to report: numbers are sacreBLEU's, nothing missing goes unnamed, mistakes are one line."""

import json
import shutil
from pathlib import Path

import pytest
import sacrebleu

from seq2seq.config.errors import UserError
from seq2seq.report.analyses import Analyses
from seq2seq.report.build import build_report
from seq2seq.report.document import sections
from seq2seq.report.headline import headline, lengths_in_words
from seq2seq.report.runs import Run, read_study
from seq2seq.report.systems import compare_budgets, facts_for_claims
from seq2seq.run.folder import RunFolder
from seq2seq.run.hypotheses import evenly_spaced
from seq2seq.scoring.results import finite
from tests.report.invented import copy_of


def test_scores_equal_sacrebleu_overall_and_in_buckets(built, study, texts):
    sources, references, _ = texts
    lines = (study / "scaled/seed-1/hypotheses/test.txt").read_text().splitlines()
    system = built.report.systems["scaled"]
    assert system.bleu == pytest.approx(sacrebleu.corpus_bleu(lines, [references]).score, abs=1e-9)
    assert system.chrf == pytest.approx(sacrebleu.corpus_chrf(lines, [references]).score, abs=1e-9)
    for bucket in system.buckets:
        inside = [i for i, s in enumerate(sources) if bucket.min <= len(s.split()) <= (bucket.max or 10**6)]
        expected = sacrebleu.corpus_bleu([lines[i] for i in inside], [[references[i] for i in inside]]).score
        assert (bucket.n, bucket.bleu) == (len(inside), pytest.approx(expected, abs=1e-9))
        assert bucket.low <= bucket.bleu <= bucket.high


def test_a_score_is_the_mean_over_seeds_and_names_them(built):
    system = built.report.systems["additive"]
    assert system.seeds == [1, 2]
    assert system.bleu == pytest.approx(sum(run.bleu for run in system.runs) / 2)
    assert not system.single_seed
    assert built.report.systems["scaled"].single_seed


def test_buckets_hold_the_same_sentences_for_every_system(built, texts):
    for kind in ("buckets", "buckets_equal_count"):
        counts = {tuple((b.min, b.max, b.n) for b in getattr(system, kind)) for system in built.report.systems.values()}
        assert len(counts) == 1
        assert sum(n for _, _, n in counts.pop()) == len(texts[0])


def test_lengths_are_said_in_words():
    assert lengths_in_words(1, 10, " words") == "1 to 10 words"
    assert lengths_in_words(3, 3, "") == "3"
    assert lengths_in_words(41, None, " words") == "more than 40 words"
    assert lengths_in_words(1, None, "") == "all lengths"  # the head of a table


def test_headline_holds_the_numbers_of_the_longest_powered_bucket(built):
    last = {name: system.buckets[-1] for name, system in built.report.systems.items()}
    kept = built.report.systems["additive"].length.retention
    for text in (
        f"Above 40 source words, `none` scores {last['none'].bleu:.1f} [",
        f"`additive` {last['additive'].bleu:.1f} [{last['additive'].low:.1f}",
        "n=1 seed for `scaled`",
        "Share of its BLEU that a system keeps from sources of at most 20 words to sources of more than 40: `none` ",
        f"`additive` {100 * kept.value:.0f} % [",
    ):
        assert text in built.report.headline
    assert "best" not in built.report.headline


def test_the_headline_is_true_of_a_baseline_that_is_ahead_and_of_small_samples(study, texts, tmp_path):
    folder = copy_of(study, tmp_path)
    text = (folder / "study.yaml").read_text()
    (folder / "study.yaml").write_text(text.replace("evaluation: {", "evaluation: {baseline: additive, "))
    report = build_report(folder, {"test": texts}).report
    assert report.systems["none"].length.points.verdict == "worse"  # its gap to the baseline grows
    assert "lose less with length than `additive`: in proportion 0 of 2 (1 undecided), in points 0 of 2" in report.headline
    for system in ("none", "scaled"):
        report.systems[system].length.log_ratio.verdict = "small sample"
    assert "in proportion 0 of 2 (2 with too few sentences)" in headline(report)


def test_a_seed_variance_is_not_said_to_be_borrowed_from_one_system(study, texts, tmp_path):
    folder = copy_of(study, tmp_path)
    shutil.rmtree(folder / "additive" / "seed-2")
    report = build_report(folder, {"test": texts}).report
    assert report.systems["additive"].comparison.verdict == "leans better"
    assert report.headline.endswith(
        "n=1 seed for `additive`, `scaled`: intervals cover the choice of sentences, not of the seed, so differences only lean."
    )


def notes_of(folder, texts):
    return "\n".join(build_report(folder, {"test": texts}).report.notes)


def test_many_empty_translations_are_said(study, texts, tmp_path):
    folder = copy_of(study, tmp_path)
    assert "are empty" not in notes_of(folder, texts)
    for path in folder.glob("none/seed-*/hypotheses/test.txt"):
        path.write_text("\n" * len(texts[0]))
    assert f"Many of the {len(texts[0])} translations are empty: none {len(texts[0])}." in notes_of(folder, texts)


def test_a_baseline_at_the_floor_is_said_beside_the_index(study, texts, tmp_path, built):
    assert built.report.bottleneck_caution == ""
    folder = copy_of(study, tmp_path)
    for path in folder.glob("none/seed-*/hypotheses/test.txt"):
        path.write_text("".join("ka\n" for _ in texts[0]))
    report = build_report(folder, {"test": texts}).report
    assert "below 5 BLEU in 4 of 4" in report.bottleneck_caution
    assert report.bottleneck_caution in report.headline
    table = list(sections(report, built.exhibits, [])[0].parts)
    assert report.bottleneck_caution in table


def test_whether_a_chosen_search_was_used_is_said(study, texts, tmp_path, built):
    assert "scores: additive beam 5, length penalty 1." in "\n".join(built.report.notes)
    folder = copy_of(study, tmp_path)
    sweep = json.loads((folder / "beam_sweep.json").read_text())
    sweep["systems"]["additive"][1]["beam"] = 10
    (folder / "beam_sweep.json").write_text(json.dumps(sweep))
    assert "(tune --apply): additive beam 10" in notes_of(folder, texts)


def test_runs_of_several_arithmetics_are_named(study, texts, tmp_path, built):
    folder = copy_of(study, tmp_path)
    for path in folder.glob("*/seed-*/environment.json"):
        arithmetic = {"precision": "bf16" if path.parts[-3] == "scaled" else "fp32", "library": "default", "threads": 1}
        path.write_text(json.dumps(json.loads(path.read_text()) | {"arithmetic": arithmetic}))
    notes = notes_of(folder, texts)
    assert "(fp32: none seed 1, " in notes
    assert "; bf16: scaled seed 1)" in notes
    assert "bf16" not in "\n".join(built.report.notes)


def test_systems_trained_on_other_machines_are_not_compared_in_minutes(study, texts, tmp_path, built):
    note = "(Invented CPU 1; Invented CPU 2), so wall-clock does not compare them"
    assert note in "\n".join(built.report.notes)  # scaled has its one seed on one of the two
    folder = copy_of(study, tmp_path)
    shutil.rmtree(folder / "scaled")
    assert "wall-clock does not" not in notes_of(folder, texts)  # both systems have a seed on each


def test_without_a_powered_bucket_there_is_no_verdict(study, texts, tmp_path):
    folder = copy_of(study, tmp_path)
    text = (folder / "study.yaml").read_text().replace("minimum_bucket: 20", "minimum_bucket: 1000")
    (folder / "study.yaml").write_text(text)
    report = build_report(folder, {"test": texts}).report
    assert report.headline.startswith("On all lengths")
    assert {bucket.comparison.verdict for bucket in report.systems["additive"].buckets} == {"small sample"}


def test_missing_runs_unequal_budgets_and_small_buckets_are_named(built):
    notes = "\n".join(built.report.notes)
    for named in (
        "Missing: scaled seed 2, absent: no run folder; train it.",
        "factor of 1.12",
        "1 to 10 source words (n=15)",
        "improving",
    ):
        assert named in notes
    assert built.report.fairness.regimes == ["equal updates", "equal training tokens", "equal wall-clock"]


def test_config_environment_and_command_are_there(built):
    assert built.report.config_differences == {
        "model.attention.score.kind": {"none": "none", "additive": "additive", "scaled": "scaled"}
    }
    assert built.report.environment["packages.torch"] == "2.13.0"
    assert set(built.report.environment_differences) == {"processor"}
    assert built.report.command == "seq2seq train configs/invented.yaml"
    assert built.report.signature.startswith("nrefs:1|case:mixed")


def test_learning_curves_join_log_and_timing(built):
    first = built.report.learning_curves["none"][0].validation[0]
    assert (first.step, first.tokens, first.seconds) == (50, 45_000, 20.0)
    assert first.bleu_longest == pytest.approx(first.bleu / 2)
    assert evenly_spaced([(i, 0.0) for i in range(1000)], 7)[0] == (0, 0.0)
    assert evenly_spaced([(i, 0.0) for i in range(1000)], 7)[-1] == (999, 0.0)
    assert (finite(float("nan")), finite(float("inf")), finite(None), finite(2.5)) == (None, None, None, 2.5)


def test_analyses_are_taken_along_and_claims_judged(built):
    assert built.report.alignment.systems["additive"].aer == 0.21
    assert built.report.costs["none"].by_length[0].length == 10
    assert {claim.claim for claim in built.report.claims} >= {"more heads help", "attention costs more as length grows"}


def test_head_twins_are_the_same_model_but_for_their_heads():
    base = {"model": {"attention": {"heads": 4, "score": "scaled"}}, "training": {"seeds": [1]}}
    twin = {"model": {"attention": {"heads": 1, "score": "scaled"}}, "training": {"seeds": [2]}}
    other = {"model": {"attention": {"heads": 2, "score": "additive"}}, "training": {"seeds": [1]}}
    configs = {"a": base, "b": twin, "c": other}

    def facts_of(sizes):
        runs = {
            name: [Run(RunFolder(Path(name, "seed-1")), configs[name], {"parameters": size}, {}, [], {})]
            for name, size in sizes.items()
        }
        return facts_for_claims(runs, Analyses())

    facts = facts_of(dict.fromkeys(configs, 100))
    assert [facts[name]["head_twins"] for name in configs] == [["b"], ["a"], []]
    projected = facts_of({"a": 150, "b": 100})
    assert projected["a"]["head_twins"] == []  # four heads bring projections that one has not


def test_scores_without_the_corpus_are_the_same(built, study, texts):
    build_report(study, {"test": texts})
    again = build_report(study)
    assert again.report.systems == built.report.systems
    assert not again.report.texts_available
    assert again.exhibits.sources is None


def test_another_split_is_scored_beside(study, texts, tmp_path):
    folder = copy_of(study, tmp_path)
    for path in folder.glob("*/seed-*/hypotheses/test.txt"):
        shutil.copy(path, path.with_name("test_hard.txt"))
    report = build_report(folder, {"test": texts, "test_hard": texts}).report
    assert report.split == "test"
    assert report.other_splits["test_hard"].systems["none"].bleu == pytest.approx(report.systems["none"].bleu)


def test_budgets_that_nobody_recorded_are_named(built):
    systems = {name: system.model_copy(update={"seconds": None}) for name, system in built.report.systems.items()}
    assert compare_budgets(systems).sentence.endswith(": wall-clock.")


def test_pretraining_is_said_beside_the_budgets_it_counts_in(study, texts, tmp_path):
    folder = copy_of(study, tmp_path)
    for seed in (1, 2):
        place = folder / f"additive/seed-{seed}"
        summary = json.loads((place / "summary.json").read_text())
        summary["pretraining"] = {"steps": 100, "target_tokens": 90_000 + seed, "seconds": 60 * seed, "done": True}
        (place / "summary.json").write_text(json.dumps(summary))
    systems = build_report(folder, {"test": texts}).report.systems
    found = systems["additive"].pretraining
    assert (found.steps, found.target_tokens, found.seconds) == (100, 90_001.5, 90)
    assert systems["none"].pretraining is None
    said = "Pre-training counts in these budgets: additive"
    assert said in compare_budgets(systems).sentence
    assert "100 updates, 90,002 tokens, 1.5 min." in compare_budgets(systems).sentence
    assert said not in compare_budgets({"none": systems["none"]}).sentence


def test_no_baseline_gives_scores_and_no_differences(study, texts, tmp_path):
    folder = copy_of(study, tmp_path)
    (folder / "study.yaml").write_text(
        (folder / "study.yaml").read_text().replace("resamples: 200", "resamples: 200, baseline: nobody")
    )
    report = build_report(folder, {"test": texts}).report
    assert (report.baseline, report.comparisons) == (None, [])


RUN = "none/seed-1"


@pytest.mark.parametrize(
    ("damaged", "content", "message"),
    [
        (
            f"{RUN}/hypotheses/test.txt",
            b"one line\n",
            "test.txt: 1 line, but test.json says 120 sentences; remove it, and a report translates again",
        ),
        (f"{RUN}/summary.json", b"{", "summary.json: not valid JSON.*; remove the file, and the train command makes it again"),
        (f"{RUN}/environment.json", b"{", "environment.json: not valid JSON.*; copy it from elsewhere, or remove it"),
        (f"{RUN}/log.jsonl", b"garbage\n{}\n", "log.jsonl:1: not a JSON record"),
        ("additive/seed-1/attention/test.json", b'[{"index": 1, "source": 5}]', "attention/test.json: 0.source"),
        ("alignment.json", b'{"systems": {"additive": {"aer": "high"}}}', "alignment.json: systems.additive.aer"),
        (f"{RUN}/hypotheses/test.txt", b"\xff\n", "not UTF-8 text"),
        ("study.yaml", b"evaluation: {resamples: 3}\n", "study.yaml: evaluation.resamples"),
    ],
)
def test_damage_is_one_clear_line(damaged, content, message, study, texts, tmp_path):
    folder = copy_of(study, tmp_path)
    (folder / damaged).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        build_report(folder, {"test": texts})
    assert "\n" not in str(caught.value)


def test_a_folder_without_hypotheses_or_runs_is_one_clear_line(study, texts, tmp_path):
    folder = copy_of(study, tmp_path)
    for path in folder.glob("*/*/hypotheses/*"):
        path.unlink()
    with pytest.raises(UserError, match="no hypotheses of any run"):
        build_report(folder, {"test": texts})
    with pytest.raises(UserError, match="no such folder"):
        build_report(tmp_path / "elsewhere", {"test": texts})


def test_an_unknown_split_names_the_known_ones(study, texts):
    with pytest.raises(UserError, match="there are: test"):
        build_report(study, {"test": texts}, split="tset")


def test_no_corpus_and_nothing_kept_says_what_to_do(study, tmp_path):
    folder = copy_of(study, tmp_path)
    shutil.rmtree(folder / "statistics", ignore_errors=True)
    with pytest.raises(UserError, match="make the corpus available"):
        build_report(folder)


def test_a_log_cut_short_and_a_run_that_failed_are_noted(study, texts, tmp_path):
    folder = copy_of(study, tmp_path)
    log, summary = folder / RUN / "log.jsonl", folder / "none/seed-2/summary.json"
    log.write_text(log.read_text() + '{"event": "tra')
    summary.write_text(json.dumps({**json.loads(summary.read_text()), "status": "failed"}))
    notes = notes_of(folder, texts)
    assert "none seed-1: the last line of log.jsonl" in notes
    assert "none seed 2 (failed)" in notes


def test_a_run_without_its_config_is_named(study, tmp_path):
    place = copy_of(study, tmp_path / "study")
    (place / "additive/seed-2/config.yaml").unlink()
    notes = ["additive seed 2: its folder has no config.yaml, so it is left out; put the file back, or remove the folder."]
    assert read_study(place).notes == notes
