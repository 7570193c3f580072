import numpy as np
import pytest

from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.scoring.buckets import EVERYTHING, Bucket
from seq2seq.scoring.evidence import SLOPE, Evidence, SystemScores, Term
from seq2seq.scoring.sentences import SentenceStatistics

SETTINGS = EvaluationSettings(metrics=("bleu",), bottleneck_score="bleu", resamples=200)
SHORT, LONG = Bucket(1, 20), Bucket(21)


@pytest.fixture
def evidence(simulate, world):
    return Evidence(*simulate(world(), 1, seeds=(3, 2)), SETTINGS)


def test_a_score_is_the_mean_of_the_runs_corpus_scores(evidence):
    runs = evidence.systems["none"].statistics
    inside = SHORT.holds(evidence.source_words)
    expected = np.mean([run.select(inside).score("bleu") for run in runs])
    assert evidence.score("none", "bleu", SHORT).value == pytest.approx(expected)


def test_answers_do_not_depend_on_the_order_of_the_questions(evidence, simulate, world):
    other = Evidence(*simulate(world(), 1, seeds=(3, 2)), SETTINGS)
    other.difference("other1", "none", SLOPE)
    other.score("other1", "bleu", LONG)
    assert other.difference("other1", "none", "bleu", SHORT) == evidence.difference("other1", "none", "bleu", SHORT)


def test_a_system_minus_itself_is_exactly_nothing(evidence):
    nothing = evidence.contrast([Term(1, "none", LONG), Term(-1, "none", LONG)], "bleu")
    assert (nothing.value, nothing.low, nothing.high, nothing.p) == (0, 0, 0, 1)


def test_contrast_of_buckets_by_hand(evidence):
    terms = [Term(1, "other1", LONG), Term(-1, "other1", SHORT), Term(-1, "none", LONG), Term(1, "none", SHORT)]
    ours = evidence.contrast(terms, "bleu")
    values = [evidence.score(term.system, "bleu", term.bucket).value for term in terms]
    assert ours.value == pytest.approx(values[0] - values[1] - values[2] + values[3])
    assert ours.low < ours.value < ours.high
    assert ours.seeds == 2


def test_pairing_makes_differences_sharper_than_scores(evidence):
    apart = np.hypot(*(evidence.score(name, "bleu").standard_error for name in ("none", "other1")))
    assert evidence.difference("other1", "none", "bleu").standard_error < 0.9 * apart


def test_overlapping_buckets_are_refused(evidence):
    with pytest.raises(ValueError, match="overlap"):
        evidence.contrast([Term(1, "none", SHORT), Term(-1, "none", EVERYTHING)], "bleu")


def test_a_small_sample_counts_the_sentences_of_every_bucket(evidence):
    assert evidence.sentences(SHORT) + evidence.sentences(LONG) == evidence.sentences() == 300
    assert not evidence.small(SHORT, LONG)
    assert evidence.small(SHORT, Bucket(48))


def test_plain_scores_have_no_p_and_differences_have(evidence):
    assert evidence.score("none", "bleu").p is None
    assert 0 <= evidence.difference("other1", "none", "bleu").p <= 1


def test_seeds_that_move_all_systems_together_sharpen_their_difference(simulate, world):
    systems, lengths = simulate(world(seed=0, interaction=0, noise=0), 5, seeds=(3, 3, 3, 3, 3))
    moved = []
    for system in systems:  # the second and third seed lose the matches of a tenth and a fifth of the sentences, in all systems
        runs = []
        for seed, run in enumerate(system.statistics):
            counts = run.counts["bleu"].copy()
            counts[: seed * 30, 2:6] = 0
            runs.append(SentenceStatistics({**run.counts, "bleu": counts}, run.signatures))
        moved.append(SystemScores(name=system.name, seeds=system.seeds, statistics=tuple(runs)))
    paired = Evidence(moved, lengths, SETTINGS)
    apart = [
        SystemScores(name=s.name, seeds=tuple(10 * i + k for k in s.seeds), statistics=s.statistics)
        for i, s in enumerate(moved)
    ]
    alone = Evidence(apart, lengths, SETTINGS)
    ours, theirs = (each.difference("other1", "none", "bleu") for each in (paired, alone))
    assert ours.value == pytest.approx(theirs.value)
    assert ours.standard_error < 0.7 * theirs.standard_error


def test_other_sentences_are_refused(simulate, world):
    systems, lengths = simulate(world(sentences=20), 1)
    with pytest.raises(ValueError, match=r"counts for \[20\] sentences, but 19 sources"):
        Evidence(systems, lengths[:-1], SETTINGS)
