import numpy as np
import pytest
import scipy.stats

from seq2seq.scoring.bootstrap import Part, estimate, resampled_counts, seed_weights, t_estimate


def interval(*parts, sentences=100, confidence=0.95, **options):
    generator = np.random.default_rng(0)
    return estimate(parts, sentences=sentences, confidence=confidence, generator=generator, **options)


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
    assert (alone.low, alone.high, alone.p, alone.standard_error) == (None, None, None, None)


def test_intervals_stop_where_the_score_ends():
    part = mean_part(np.random.default_rng(6).normal(99.9, 5, (30, 1)))
    assert interval(part, bounds=(0, 100)).high == 100


def test_t_estimate_by_hand():
    ours = t_estimate(2.0, 1.0, 4, seeds=3, confidence=0.95)
    assert ours.high == pytest.approx(2 + 2.776445, abs=1e-5)
    assert ours.p == pytest.approx(2 * scipy.stats.t.sf(2, 4))
