import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER

from seq2seq.config.evaluation import EvaluationSettings, FixedBucketSettings
from seq2seq.scoring.buckets import EVERYTHING, Bucket, source_words
from seq2seq.scoring.comparison import compare, notes
from seq2seq.scoring.evidence import Evidence, SystemScores
from seq2seq.scoring.sentences import sentence_statistics

SETTINGS = EvaluationSettings(metrics=("bleu",), bottleneck_score="bleu", resamples=200)


@pytest.fixture(scope="module")
def texts():
    """Sources, references, and hypotheses of three systems: one cuts everything after four words, one is perfect."""
    generator, words = (
        np.random.default_rng(0),
        ["der", "die", "das", "ein", "Haus", "Baum", "geht", "läuft", "schnell", ",", "."],
    )
    references = [" ".join(generator.choice(words, generator.integers(2, 30))) for _ in range(240)]
    cut = [" ".join(line.split()[:4]) for line in references]
    return references, {"none": cut, "copy": references, "same": list(cut)}


@pytest.fixture(scope="module")
def comparison(texts):
    references, systems = texts
    scores = [
        SystemScores(name=name, seeds=(1,), statistics=(sentence_statistics(lines, references),))
        for name, lines in systems.items()
    ]
    settings = EvaluationSettings(
        metrics=("bleu", "chrf", "ter"), buckets=FixedBucketSettings(edges=(10, 20, 28)), resamples=200, minimum_bucket=50
    )
    return compare(Evidence(scores, source_words(references), settings))


@pytest.mark.parametrize(("name", "metric"), [("bleu", BLEU(force=True)), ("chrf", CHRF()), ("ter", TER())])
def test_every_bucket_scores_as_sacrebleu(comparison, texts, name, metric):
    references, systems = texts
    for system, found in comparison.items():
        cut = [Bucket(bucket.min, bucket.max) for bucket in found.buckets]
        for bucket, scores in zip((EVERYTHING, *cut), (found.overall, *found.buckets), strict=True):
            inside = np.flatnonzero(bucket.holds(source_words(references)))
            lines = [[text[i] for i in inside] for text in (systems[system], references)]
            assert getattr(scores, name) == pytest.approx(metric.corpus_score(lines[0], [lines[1]]).score, abs=1e-9)


def test_buckets_hold_the_same_sentences_for_all_systems(comparison):
    assert {tuple(bucket.n for bucket in system.buckets) for system in comparison.values()} == {
        tuple(bucket.n for bucket in comparison["none"].buckets)
    }
    assert sum(bucket.n for bucket in comparison["none"].buckets) == comparison["none"].overall.n == 240


def test_a_single_seed_leans_and_small_samples_keep_their_p(comparison):
    overall, *_, last = (each for each in comparison["copy"].comparisons if each.metric == "bleu")
    error_rate = next(each for each in comparison["copy"].comparisons if each.metric == "ter")
    assert overall == comparison["copy"].comparison
    assert (overall.verdict, overall.covers) == ("leans better", "sentences")
    assert (error_rate.difference < 0, error_rate.verdict) == (True, "leans better")  # a lower error rate
    assert (last.n < 50, last.verdict, last.p_holm) == (True, "small sample", None)
    assert last.p == pytest.approx(1 / 201)


def test_equal_outputs_are_undecided_in_every_test(comparison):
    same = comparison["same"].comparison
    assert (same.difference, same.low, same.high) == (0, 0, 0)
    assert (same.verdict, same.p_holm, same.detectable) == ("undecided", 1, 0)


def test_cutting_long_sentences_is_a_bottleneck(comparison):
    index = comparison["copy"].bottleneck
    assert index.low > 5  # chrF points per ten words
    assert comparison["none"].bottleneck is None
    assert comparison["same"].bottleneck.slope == pytest.approx(0)


def test_baseline_has_no_difference(comparison):
    assert comparison["none"].comparisons == []
    assert comparison["none"].overall.brevity < 0.5
    assert comparison["none"].overall.truncated is None


def test_without_a_baseline_there_are_scores_and_a_note(simulate, world):
    evidence = Evidence(*simulate(world(), 1), SETTINGS.model_copy(update={"baseline": "nobody"}))
    assert all(not system.comparisons and system.bottleneck is None for system in compare(evidence).values())
    assert any("'nobody'" in note for note in notes(evidence))


def test_holm_is_over_systems_and_buckets_with_enough_sentences(simulate, world):
    systems, lengths = simulate(world(), 2, seeds=(3, 3, 3), advantage=0.3)
    result = compare(Evidence(systems, lengths, SETTINGS.model_copy(update={"minimum_bucket": 60})))
    family = [bucket.comparison for system in [*result.values()][1:] for bucket in system.buckets]
    tested = sorted((each for each in family if each.p_holm is not None), key=lambda each: each.p)
    assert 0 < len(tested) < len(family)  # 5-10 words is a small bucket
    assert tested[0].p_holm == pytest.approx(tested[0].p * len(tested))


def test_a_score_of_several_seeds_is_their_mean(simulate, world):
    evidence = Evidence(*simulate(world(), 3), SETTINGS)
    for system in compare(evidence).values():
        assert system.overall.bleu == pytest.approx(np.mean(system.per_seed["bleu"]))
        assert system.overall.seed_bleu == list(system.per_seed["bleu"])
    assert notes(evidence) == []


def test_an_empty_source_line_is_told_and_counted_in_the_whole(simulate, world):
    systems, lengths = simulate(world(), 4)
    lengths = np.where(np.arange(len(lengths)) == 0, 0, lengths)
    evidence = Evidence(systems, lengths, SETTINGS)
    first = next(iter(compare(evidence).values()))
    assert sum(bucket.n for bucket in first.buckets) == first.overall.n - 1
    assert any("1 source lines are empty" in note for note in notes(evidence))


def test_an_empty_test_set_is_refused(simulate, world):
    systems, lengths = simulate(world(sentences=0), 1)
    with pytest.raises(ValueError, match="no sentence"):
        compare(Evidence(systems, lengths, SETTINGS))


def test_lengths_are_named_in_the_unit_they_are_counted_in(simulate, world):
    result = compare(Evidence(*simulate(world(), 1), SETTINGS, "characters"))["other1"]
    assert "at 1-10 source characters" in result.buckets[0].comparison.words
    assert "per 10 source characters" in result.bottleneck.unit


def test_what_the_design_could_have_shown_is_said_to_be_before_correction(simulate, world):
    result = compare(Evidence(*simulate(world(), 1), SETTINGS))["other1"].comparison
    assert result.verdict == "undecided"
    assert f"could have shown {result.detectable:.2g} before correction" in result.words


def test_a_single_seed_borrows_the_seed_variance_of_two_systems(simulate, world):
    result = compare(Evidence(*simulate(world(), 6, seeds=(3, 1, 3), advantage=0.5), SETTINGS))
    assert result["other1"].comparison.covers == "sentences and seeds"
    assert result["other1"].comparison.verdict == "better"
    width = {name: result[name].comparison.high - result[name].comparison.low for name in ("other1", "other2")}
    assert width["other1"] > width["other2"]
    lone = compare(Evidence(*simulate(world(), 6, seeds=(3, 1), advantage=0.5), SETTINGS))
    assert lone["other1"].comparison.verdict == "leans better"  # one system cannot say how systems differ


def test_two_seeds_far_apart_show_themselves_and_no_interval(simulate, world):
    result = compare(Evidence(*simulate(world(seed=1.5, interaction=0, noise=0), 1, seeds=(2, 2)), SETTINGS))
    difference = result["other1"].comparison
    assert difference.low is None or difference.degrees_of_freedom >= 1.99
    assert len(result["other1"].overall.seed_bleu) == 2
