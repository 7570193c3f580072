"""Does 5 % mean 5 %? Simulated studies whose truth is known, 500 per world, 300 sentences, 3 seeds per system.

Share of p < 0.05 where the two systems are equally good, measured on these worlds (of the hierarchical bootstrap as it is, of
a plain percentile interval over the same resamples, of a bootstrap of sentences only, of paired randomisation):

| world | here | percentile | sentences only | randomisation |
|---|---|---|---|---|
| all effects: seeds differ by 1.3 BLEU, sentences by system | 5.8 % | 6.4 % | 20.6 % | 19.2 % |
| strong seeds: seeds differ by 4 BLEU | 5.0 % | 16.6 % | 58.0 % | 57.6 % |
| no seed effect | 3.8 % | 2.4 % | 6.2 % | 5.4 % |
| seeds alone (no other effect) | 4.2 % | | | |
| strong interaction of system and sentence | 4.6 % | | | |
| all effects, bottleneck index | 3.6 % | | | |
| all effects, 100 / 1,000 sentences | 4.4 % / 4.8 % | | | |
| strong seeds, 5+5 / 2+2 / 3+2 seeds | 4.4 % / 4.4 % / 5.8 % | | | |

Where two systems differ by noise alone (no effect of seed, none of system and sentence) it is 1.5 %: the variance is never
taken to be smaller than what either level alone shows.

Power against 2 BLEU, 3 + 3 seeds: 23 % where seeds differ by 1.3 BLEU (21 % with 3,000 sentences: more sentences do not help),
46 % / 86 % / 98 % with 300 / 1,000 / 3,000 sentences where they differ by 0.25 BLEU; with 0.5 BLEU and 1,000 sentences 63 %, and
84 % with 5 + 5 seeds.
"""

import numpy as np
import pytest

from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.scoring import Evidence, compare

SETTINGS = EvaluationSettings(metrics=("bleu",), bottleneck_score="bleu", resamples=200)


def rejections(simulate, world, *, figure="bleu", comparisons=500, **options):
    """Share of comparisons with p < 0.05, and their mean difference; both are printed (pytest -s)."""
    p_values, differences = [], []
    for seed in range(comparisons):
        estimate = Evidence(*simulate(world, seed, **options), SETTINGS).difference("other1", "none", figure)
        p_values.append(estimate.p)
        differences.append(estimate.value)
    rate, difference = np.mean(np.array(p_values) < 0.05), np.mean(differences)
    print(f"\n{world}, {options or 'no advantage'}: p < 0.05 in {rate:.1%} of {comparisons}, mean difference {difference:+.2f}")
    return rate, difference


WORLDS = {
    "all effects": {},
    "strong seeds": {"seed": 0.15},
    "seeds alone": {"seed": 0.15, "interaction": 0, "noise": 0},
    "no seed effect": {"seed": 0},
    "strong interaction": {"interaction": 0.8},
}


@pytest.mark.parametrize("name", ["all effects", "strong seeds", pytest.param("seeds alone", marks=pytest.mark.slow)])
def test_false_positives_with_three_seeds(simulate, world, name):
    rate, _ = rejections(simulate, world(**WORLDS[name]))
    assert 0.03 <= rate <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("name", ["no seed effect", "strong interaction"])
def test_false_positives_where_sentences_rule(simulate, world, name):
    rate, _ = rejections(simulate, world(**WORLDS[name]))
    assert 0.03 <= rate <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(5, 5), (2, 2), (3, 2)])
def test_false_positives_with_other_numbers_of_seeds(simulate, world, seeds):
    rate, _ = rejections(simulate, world(seed=0.15), seeds=seeds)
    assert 0.03 <= rate <= 0.07


def test_false_positives_of_the_bottleneck_index(simulate, world):
    rate, _ = rejections(simulate, world(), figure="slope")
    assert 0.03 <= rate <= 0.07


def test_single_seeds_are_calibrated_for_sentences_and_blind_to_seeds(simulate, world):
    blind, _ = rejections(simulate, world(), comparisons=300, seeds=(1, 1))
    assert blind > 0.2  # why a single seed is labelled n=1 everywhere
    honest, _ = rejections(simulate, world(seed=0), comparisons=300, seeds=(1, 1))
    assert honest <= 0.08


def test_noise_alone_is_judged_carefully(simulate, world):
    rate, _ = rejections(simulate, world(seed=0, interaction=0), comparisons=200)
    assert rate <= 0.05


@pytest.mark.parametrize(("spread", "least", "most"), [(0.05, 0.15, 0.4), (0.01, 0.4, 0.75)])
def test_power_against_two_bleu(simulate, world, spread, least, most):
    power, difference = rejections(simulate, world(seed=spread), comparisons=300, advantage=0.073)
    assert difference == pytest.approx(2, abs=0.3)
    assert least <= power <= most


@pytest.mark.slow
def test_a_family_of_comparisons_has_one_false_positive_in_twenty(simulate, world):
    families = 200
    wrong = 0
    for seed in range(families):
        result = compare(
            *simulate(world(sentences=400), seed, seeds=(3, 3, 3)), SETTINGS.model_copy(update={"minimum_bucket": 50})
        )
        cells = [bucket.comparison for system in result.systems[1:] for bucket in system.buckets]
        wrong += any(cell.verdict in {"better", "worse"} for cell in cells)
    print(f"\n3 systems x buckets, equally good: a wrong verdict in {wrong / families:.1%} of {families} families")
    assert wrong / families <= 0.08
