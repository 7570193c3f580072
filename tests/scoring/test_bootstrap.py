import numpy as np
import pytest
import scipy.stats

from seq2seq.scoring.bootstrap import Part, SeedTerm, estimate, estimate_alone, resampled_counts, seed_weights, t_estimate


def own_seeds(part):
    runs = len(part.points)
    return SeedTerm(part.points.var(ddof=1) / runs if runs > 1 else 0.0, runs - 1, part.run_noise() / runs)


def interval(*parts, sentences=100, confidence=0.95, **options):
    return estimate(parts, [own_seeds(part) for part in parts], sentences=sentences, confidence=confidence, **options)


def mean_part(values, resamples=4000, seed=0):
    """The mean as a score: (n, K) values by sentence and seed."""
    draws = np.concatenate(list(resampled_counts(np.random.default_rng(seed), len(values), resamples)))
    return Part(points=values.mean(axis=0), replicates=draws @ values / len(values))


def test_resamples_are_full_size_and_in_blocks(monkeypatch):
    monkeypatch.setattr("seq2seq.scoring.bootstrap._CELLS", 70)
    blocks = list(resampled_counts(np.random.default_rng(0), 30, 11))
    assert [block.shape for block in blocks] == [(2, 30)] * 5 + [(1, 30)]
    assert all((block.sum(axis=1) == 30).all() for block in blocks)


def test_draws_are_spread_evenly():
    counts = np.concatenate(list(resampled_counts(np.random.default_rng(0), 20, 5000)))
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(counts.var(axis=0), 1 - 1 / 20, atol=0.08)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_stretched_weights_show_the_whole_variance_between_seeds(seeds):
    points = np.arange(seeds, dtype=float) ** 2
    weights = seed_weights(np.random.default_rng(0), seeds, 100_000)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (weights @ points).var() == pytest.approx(points.var(ddof=1) / seeds, rel=0.02)


def test_one_seed_is_the_plain_bootstrap_of_sentences():
    values = np.random.default_rng(3).normal(5, 2, (100, 1))
    ours = interval(mean_part(values))
    assert ours.covers == "sentences"
    assert ours.seeds == 1
    assert ours.value == pytest.approx(values.mean())
    assert ours.standard_error == pytest.approx(values.std() / 10, rel=0.05)
    assert ours.degrees_of_freedom == pytest.approx(99)


def test_where_only_seeds_vary_it_is_welchs_test():
    first, second = np.array([20.0, 21.0, 23.0]), np.array([18.0, 18.5, 19.5, 20.5])
    parts = [Part(points, np.tile(points, (50_000, 1))) for points in (first, second)]
    ours = interval(parts[0], parts[1].times(-1))
    welch = scipy.stats.ttest_ind(first, second, equal_var=False)
    assert ours.degrees_of_freedom == pytest.approx(welch.df, rel=0.03)
    assert ours.p == pytest.approx(welch.pvalue, rel=0.05)
    assert ours.low == pytest.approx(welch.confidence_interval().low, abs=0.1)
    assert ours.covers == "sentences and seeds"


def test_crossed_effects_are_counted_once():
    # seed x sentence noise enters both levels of the resampling; the truth is tau^2/K + sigma^2_seed-sentence/(K n) + sigma^2_sentence/n
    generator, variances = np.random.default_rng(4), []
    for _ in range(150):
        n, k = 50, 4
        values = generator.normal(0, 0.3, k) + generator.normal(0, 2, (n, 1)) + generator.normal(0, 2, (n, k))
        variances.append(interval(mean_part(values, 400), sentences=n).standard_error ** 2)
    assert np.mean(variances) == pytest.approx(0.3**2 / 4 + 2**2 / 200 + 2**2 / 50, rel=0.08)


def test_equal_systems_differ_by_nothing():
    part = mean_part(np.random.default_rng(5).normal(size=(40, 1)))
    same = interval(part, part.times(-1))
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_a_constant_difference_gets_the_finest_p_that_resamples_can_tell():
    part = Part(np.array([2.0]), np.full((999, 1), 2.0))
    assert interval(part).p == pytest.approx(1 / 1000)


def test_one_sentence_has_no_interval():
    alone = interval(Part(np.array([3.0]), np.full((100, 1), 3.0)), sentences=1)
    assert alone.value == 3
    assert estimate_alone(Part(np.array([3.0]), np.full((100, 1), 3.0)), sentences=1) == alone
    assert (alone.low, alone.high, alone.p, alone.standard_error) == (None, None, None, None)


def test_intervals_stop_where_the_score_ends():
    part = mean_part(np.random.default_rng(6).normal(99.9, 5, (30, 1)))
    assert interval(part, bounds=(0, 100)).high == 100


def test_t_estimate_by_hand():
    ours = t_estimate(2.0, 1.0, 4, seeds=3, confidence=0.95)
    assert ours.high == pytest.approx(2 + 2.776445, abs=1e-5)
    assert ours.p == pytest.approx(2 * scipy.stats.t.sf(2, 4))


def test_one_degree_of_freedom_gives_no_interval():
    ours = t_estimate(38.5, 20.0, 1.0, seeds=2, confidence=0.95)  # t would be 12.7: an interval of [-216, 293]
    assert (ours.low, ours.high, ours.p) == (None, None, None)
    assert (ours.value, ours.standard_error, ours.degrees_of_freedom) == (38.5, 20.0, 1.0)
    assert ours.half_width is None


def test_two_seeds_that_rule_leave_no_interval_and_sentences_that_rule_do():
    rest = np.random.default_rng(8).normal(0, 0.1, (500, 2))
    assert estimate_alone(Part(np.array([12.0, 51.0]), np.array([12.0, 51.0]) + rest), sentences=300).low is None
    shared = np.random.default_rng(8).normal(0, 1, (500, 1))
    assert estimate_alone(Part(np.array([30.0, 30.1]), np.array([30.0, 30.1]) + shared + rest), sentences=300).low is not None


def test_an_unknown_seed_variance_is_said():
    part = mean_part(np.random.default_rng(9).normal(5, 2, (100, 1)))
    assert interval(part).covers == "sentences"
    lent = estimate([part], [SeedTerm(1.0, 4.0)], sentences=100, confidence=0.95)
    assert lent.covers == "sentences and seeds"
    assert lent.standard_error == pytest.approx(np.hypot(1, interval(part).standard_error))
    assert lent.degrees_of_freedom < 5
