"""Ranks and their intervals on simulated studies."""

from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.scoring.comparison import rank_systems
from seq2seq.scoring.evidence import Evidence

SETTINGS = EvaluationSettings(metrics=("bleu",), bottleneck_score="bleu", resamples=200)


def test_a_clear_order_has_clear_ranks_and_an_unclear_one_wide_ones(simulate, world):
    evidence = Evidence(*simulate(world(seed=0.0), 1, seeds=(1, 1, 1), advantage=1.0), SETTINGS)
    *first, last = rank_systems(evidence)
    assert (last.system, last.rank, last.low, last.high) == ("none", 3, 3, 3)
    assert {place.system for place in first} == {"other1", "other2"}
    assert all((place.low, place.high) == (1, 2) for place in first)  # both are equally good


def test_seeds_widen_the_interval_of_a_rank(simulate, world):
    systems, lengths = simulate(world(seed=0.6), 3, seeds=(3, 3, 3, 3))
    wide = rank_systems(Evidence(systems, lengths, SETTINGS))
    assert sorted(place.rank for place in wide) == [1, 2, 3, 4]
    assert sum(place.high - place.low for place in wide) > 4
    assert all(place.low <= place.rank <= place.high for place in wide)


def test_equal_scores_share_a_rank(simulate, world):
    (first, *_), lengths = simulate(world(), 1, seeds=(1,))
    twin = type(first)(name="twin", seeds=first.seeds, statistics=first.statistics)
    assert [(p.system, p.rank, p.low, p.high) for p in rank_systems(Evidence([first, twin], lengths, SETTINGS))] == [
        ("none", 1, 1, 1),
        ("twin", 1, 1, 1),
    ]
