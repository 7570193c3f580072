"""Retention, log-ratio and half-length against values worked out by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from seq2seq.config.evaluation import EvaluationSettings, FixedBucketSettings
from seq2seq.scoring.buckets import Bucket
from seq2seq.scoring.evidence import Evidence, SystemScores
from seq2seq.scoring.length import half_length, length_effects, length_ends
from seq2seq.scoring.sentences import SentenceStatistics

SETTINGS = EvaluationSettings(
    metrics=("bleu",),
    bottleneck_score="bleu",
    resamples=200,
    minimum_bucket=50,
    buckets=FixedBucketSettings(edges=(10, 20, 40)),
)


def exact_run(lengths, shares):
    """A run whose sentences of a length have a known BLEU: every precision is the same share, the lengths are right."""
    totals = np.full((len(lengths), 4), 100.0)
    matched = totals * np.array([shares[length] for length in lengths])[:, None] / 100
    counts = np.concatenate([np.full((len(lengths), 2), 100.0), matched, totals], axis=1)
    surface = np.tile([1.0, 0, 0, 0, 0, 0], (len(lengths), 1))
    return SentenceStatistics(counts={"bleu": counts, "surface": surface}, signatures={"bleu": "made"})


def evidence_of(plan, settings=SETTINGS, each=60):
    """Systems of known BLEU at each length: {name: {length: BLEU}}, one run."""
    lengths = np.repeat(list(next(iter(plan.values()))), each)
    systems = [SystemScores(name=n, seeds=(1,), statistics=(exact_run(lengths, shares),)) for n, shares in plan.items()]
    return Evidence(systems, lengths, settings)


FALLING = {"none": {5: 60, 15: 40, 30: 30, 50: 10}, "additive": {5: 80, 15: 80, 30: 72, 50: 60}}


def test_retention_log_ratio_and_points_by_hand():
    effects = length_effects(evidence_of(FALLING))
    none, additive = effects["none"], effects["additive"]
    assert (none.short_max, none.long_min, none.n_short, none.n_long) == (20, 41, 120, 60)
    assert (none.short, none.long) == (pytest.approx(50), pytest.approx(10))  # 60 and 40, as many n-grams each
    assert none.retention.value == pytest.approx(10 / 50)
    assert additive.retention.value == pytest.approx(60 / 80)
    assert additive.log_ratio.value == pytest.approx(math.log((60 / 80) / (10 / 50)))
    assert additive.points.value == pytest.approx((60 - 10) - (80 - 50))
    assert (none.log_ratio, none.points, none.bottleneck_index) == (None, None, None)


def test_retention_above_chance_by_hand():
    lengths = np.repeat([5, 50], 60)
    runs = [exact_run(lengths, {5: 60, 50: 20}), exact_run(lengths, {5: 2, 50: 6})]
    counted = replace(runs[0], counts={**runs[0].counts, "chance": runs[1].counts["bleu"]})
    systems = [SystemScores(name="none", seeds=(1,), statistics=(counted,))]
    kept = length_effects(Evidence(systems, lengths, SETTINGS))["none"].above_chance
    assert kept.value == pytest.approx((20 - 6) / (60 - 2))
    assert kept.low <= kept.value <= kept.high  # equal sentences: no width
    by_chance = replace(counted, counts={**counted.counts, "bleu": runs[1].counts["bleu"]})
    nothing = Evidence([replace(systems[0], statistics=(by_chance,))], lengths, SETTINGS)
    assert length_effects(nothing)["none"].above_chance is None
    assert length_effects(evidence_of(FALLING))["none"].above_chance is None  # not counted


def test_points_and_proportion_disagree_where_a_weak_system_scores_a_constant_share():
    effects = length_effects(evidence_of({"none": {5: 8, 50: 6}, "additive": {5: 80, 50: 60}}))["additive"]
    assert effects.log_ratio.value == pytest.approx(0, abs=1e-9)
    assert effects.points.value == pytest.approx(54 - 72)


def test_half_length_by_hand():
    words, weights = np.array([5.0, 10, 20, 40]), np.ones(4)
    assert half_length(words, np.array([80.0, 60, 50, 10]), weights) == pytest.approx(25)  # 50 at 20, 10 at 40: 40 at 25
    assert half_length(words, np.array([80.0, 40, 30, 10]), weights) == pytest.approx(10)
    assert half_length(words, np.array([80.0, 30, 50, 10]), weights) == pytest.approx(10)  # 30 and 50 are pooled to 40
    assert half_length(words, np.array([80.0, 30, 54, 10]), np.array([1.0, 3, 1, 1])) == pytest.approx(5 + 5 * 40 / 44)  # to 36
    assert np.isinf(half_length(words, np.array([80.0, 90, 85, 60]), weights))
    assert np.isnan(half_length(words, np.array([0.0, 0, 1, 0]), weights))
    both = half_length(words, np.array([[80.0, 60, 50, 10], [80, 40, 30, 10]]), weights)
    assert both == pytest.approx([25, 10])


def test_half_length_of_a_study_and_not_reached():
    effects = length_effects(evidence_of(FALLING))
    found = effects["none"].half_length
    assert found.start == pytest.approx(60)
    assert found.words == pytest.approx(30)  # BLEU is 30 there
    assert found.low == found.high == pytest.approx(30)  # sentences of one length are all alike
    flat = effects["additive"].half_length
    assert (flat.words, flat.high, flat.longest, flat.covers) == (None, None, 50, "sentences")


def test_half_length_has_an_interval_over_sentences_and_seeds(simulate, world):
    systems, lengths = simulate(world(sentences=900), 1, seeds=(3, 3))
    faded = []
    for system in systems:  # matches fade with length, so that half is lost somewhere in the middle
        keep = np.exp(-lengths / 25)[:, None]
        runs = []
        for run in system.statistics:
            counts = run.counts["bleu"].copy()
            counts[:, 2:6] = np.floor(counts[:, 2:6] * keep)
            runs.append(SentenceStatistics({**run.counts, "bleu": counts}, run.signatures))
        faded.append(SystemScores(name=system.name, seeds=system.seeds, statistics=tuple(runs)))
    found = length_effects(Evidence(faded, lengths, SETTINGS))["none"].half_length
    assert found.covers == "sentences and seeds"
    assert found.low < found.words < found.high


@pytest.mark.parametrize(
    ("lengths", "changes", "expected"),
    [
        ([5] * 90 + [15] * 90 + [60] * 60, {}, (Bucket(1, 20), Bucket(41))),
        ([5] * 90 + [10] * 90 + [15] * 90 + [60] * 10, {}, (Bucket(1, 10), Bucket(15))),  # few above 40: thirds
        ([5] * 90 + [25] * 90 + [30] * 90, {"long_above": 28, "short_up_to": 10}, (Bucket(1, 10), Bucket(29))),
    ],
)
def test_what_long_and_short_mean(lengths, changes, expected):
    assert length_ends(SETTINGS.model_copy(update=changes), np.array(lengths)) == expected


def test_one_length_only_has_no_effect_of_length():
    assert length_ends(SETTINGS, np.full(90, 7)) is None
    assert length_effects(evidence_of({"none": {7: 50}, "additive": {7: 60}})) == {}


def test_a_study_that_contradicts_itself_is_refused():
    with pytest.raises(ValueError, match="short_up_to 30 is above long_above 20"):
        EvaluationSettings(long_above=20, short_up_to=30)
