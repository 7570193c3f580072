import itertools

import numpy as np
import pytest

from seq2seq.scoring.metrics import bleu
from seq2seq.scoring.randomisation import randomisation_p


def p_value(first, second, score, trials=20_000):
    return randomisation_p(first, second, score=score, trials=trials, generator=np.random.default_rng(0))


def test_agrees_with_all_swaps_counted():
    generator = np.random.default_rng(1)
    totals = np.tile([9, 8, 7, 6], (7, 1))
    runs = [
        np.concatenate([np.full((7, 2), 9), generator.integers(1, 6, (7, 4)), totals], axis=1).astype(float) for _ in range(2)
    ]
    first, second = runs
    observed = abs(bleu(first.sum(0)) - bleu(second.sum(0)))
    exact = []
    for swap in itertools.product([False, True], repeat=7):
        keep = ~np.array(swap)[:, None]
        one, two = np.where(keep, first, second), np.where(keep, second, first)
        exact.append(abs(bleu(one.sum(0)) - bleu(two.sum(0))) >= observed - 1e-9)
    assert p_value(first, second, bleu) == pytest.approx(np.mean(exact), abs=0.01)


def test_equal_systems_give_one_because_ties_count_as_extreme():
    counts = np.random.default_rng(2).integers(1, 9, (20, 10)).astype(float)
    assert p_value(counts, counts.copy(), bleu, trials=100) == 1


def test_p_is_never_zero():
    first, second = np.ones((200, 1)), np.zeros((200, 1))
    assert p_value(first, second, lambda sums: sums[..., 0], trials=99) == pytest.approx(1 / 100)
