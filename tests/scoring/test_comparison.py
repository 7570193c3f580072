import dataclasses
import time

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER

from seq2seq.config.evaluation import EvaluationSettings, FixedBucketSettings
from seq2seq.scoring import SystemScores, compare, source_words
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
    settings = EvaluationSettings(buckets=FixedBucketSettings(edges=(10, 20, 28)), resamples=200, minimum_bucket=50)
    return compare(scores, source_words(references), settings)


@pytest.mark.parametrize(("name", "metric"), [("bleu", BLEU(force=True)), ("chrf", CHRF()), ("ter", TER())])
def test_every_bucket_scores_as_sacrebleu(comparison, texts, name, metric):
    references, systems = texts
    for system in comparison.systems:
        for cell in (system.overall, *system.buckets):
            inside = np.flatnonzero(cell.bucket.holds(source_words(references)))
            lines = [[text[i] for i in inside] for text in (systems[system.name], references)]
            assert cell.scores[name].value == pytest.approx(metric.corpus_score(lines[0], [lines[1]]).score, abs=1e-9)


def test_buckets_hold_the_same_sentences_for_all_systems(comparison):
    assert {tuple(cell.n for cell in system.buckets) for system in comparison.systems} == {
        tuple(cell.n for cell in comparison["none"].buckets)
    }
    assert sum(cell.n for cell in comparison["none"].buckets) == comparison.n == 240


def test_verdicts(comparison):
    copy = comparison["copy"]
    assert copy.overall.differences["bleu"].verdict == "better"
    assert copy.overall.differences["ter"].estimate.value < 0
    assert copy.overall.differences["ter"].verdict == "better"  # a lower error rate
    assert "n=1 seed" in copy.overall.differences["bleu"].words
    assert copy.overall.differences["bleu"].p_randomisation == pytest.approx(1 / 201)
    assert copy.buckets[-1].n < 50
    assert copy.buckets[-1].differences["bleu"].verdict == "underpowered"
    assert copy.buckets[-1].differences["bleu"].p_holm is None
    assert "50 wanted" in copy.buckets[-1].differences["bleu"].words


def test_equal_outputs_tie_in_every_resample(comparison):
    same = comparison["same"].overall.differences["bleu"]
    assert (same.wins, same.ties, same.losses) == (0, 1, 0)
    assert (same.verdict, same.p_holm, same.p_randomisation) == ("undecided", 1, 1)


def test_win_shares_follow_the_metrics_direction(comparison):
    assert comparison["copy"].overall.differences["ter"].wins == 1
    assert comparison["copy"].overall.differences["bleu"].losses == 0


def test_cutting_long_sentences_is_a_bottleneck(comparison):
    index = comparison["copy"].bottleneck
    assert index.low > 5  # chrF points per ten words
    assert comparison["none"].bottleneck is None
    assert comparison["same"].bottleneck.value == pytest.approx(0)


def test_baseline_has_no_difference_and_notes_say_what_matters(comparison):
    assert comparison["none"].overall.differences == {}
    assert comparison.baseline == "none"
    assert any("n=1 seed: every system" in note for note in comparison.notes)
    assert comparison["none"].overall.surface.brevity < 0.5
    assert comparison["none"].overall.surface.truncated is None


def test_without_a_baseline_there_are_scores_and_a_note(simulate, world):
    result = compare(*simulate(world(), 1), SETTINGS.model_copy(update={"baseline": "nobody"}))
    assert result.baseline is None
    assert all(not system.overall.differences and system.bottleneck is None for system in result.systems)
    assert any("'nobody'" in note for note in result.notes)


def test_holm_is_over_systems_and_buckets_with_enough_sentences(simulate, world):
    systems, lengths = simulate(world(), 2, seeds=(3, 3, 3), advantage=0.3)
    result = compare(systems, lengths, SETTINGS.model_copy(update={"minimum_bucket": 60}))
    family = [cell.differences["bleu"] for system in result.systems[1:] for cell in system.buckets]
    tested = sorted((each for each in family if each.p_holm is not None), key=lambda each: each.estimate.p)
    assert 0 < len(tested) < len(family)  # 5-10 words is a small bucket
    assert tested[0].p_holm == pytest.approx(tested[0].estimate.p * len(tested))


def test_a_score_of_several_seeds_is_their_mean(simulate, world):
    result = compare(*simulate(world(), 3), SETTINGS)
    for system in result.systems:
        assert system.overall.scores["bleu"].value == pytest.approx(np.mean(system.overall.per_seed["bleu"]))
        assert system.overall.scores["bleu"].covers == "sentences and seeds"
    assert result.notes == ()


def test_an_empty_source_line_is_told_and_counted_in_the_whole(simulate, world):
    systems, lengths = simulate(world(), 4)
    lengths = np.where(np.arange(len(lengths)) == 0, 0, lengths)
    result = compare(systems, lengths, SETTINGS)
    assert sum(cell.n for cell in result.systems[0].buckets) == result.systems[0].overall.n - 1
    assert any("1 source lines are empty" in note for note in result.notes)


def test_an_empty_test_set_is_refused(simulate, world):
    systems, lengths = simulate(world(sentences=0), 1)
    with pytest.raises(ValueError, match="no sentence"):
        compare(systems, lengths, SETTINGS)


def test_the_result_is_plain_data(comparison):
    assert dataclasses.asdict(comparison)["systems"][1]["overall"]["differences"]["bleu"]["estimate"]["value"] > 0


def test_a_whole_study_takes_less_than_ten_seconds(simulate, world):
    systems, lengths = simulate(world(sentences=3000), 5, seeds=(3, 3, 3, 3, 3))
    start = time.process_time()
    compare(systems, lengths, SETTINGS.model_copy(update={"resamples": 1000}))
    assert time.process_time() - start < 10
