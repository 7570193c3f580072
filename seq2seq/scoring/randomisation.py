"""Paired approximate randomisation: a second opinion that shares nothing with the bootstrap but the sentences."""

from collections.abc import Callable

import numpy as np

from seq2seq.scoring.metrics import Counts, Scores

_CELLS = 4_000_000  # numbers in one block of random choices, 32 MB
_TIE = 1e-9  # points; two sums of the same counts in another order differ by rounding only


def randomisation_p(
    first: Counts, second: Counts, *, score: Callable[[Counts], Scores], trials: int, generator: np.random.Generator
) -> float:
    """Two-sided p that sentence outputs could have come from either system.

    Source: Riezler and Maxwell 2005, "On some pitfalls in automatic evaluation and significance testing for MT", section 3;
    Noreen 1989. Each trial swaps the two systems' outputs of every sentence with probability 1/2. A trial whose
    difference is as large as the observed one speaks for chance, an equal one included, and so does the observation
    itself: p = (1 + |{|trial| >= |observed|}|) / (1 + trials), which is never 0.

    Where a system has several seeds its counts are averaged over them, so a sentence is swapped for all seeds together. The
    test is about these trained runs: it does not know that another seed would have given other outputs, and is too
    sure of itself where seeds differ much. That question is the hierarchical bootstrap's.

    Args:
        first: (n, columns) counts of one system, averaged over its seeds.
        second: (n, columns) counts of the other.
        score: (..., columns) summed counts -> (...) points.
        trials: swaps of the whole set, > 0.
        generator: source of the coin flips.

    Returns:
        p between 1 / (1 + trials) and 1.
    """
    total_first, total_second, change = first.sum(axis=0), second.sum(axis=0), second - first
    observed = abs(float(score(total_first) - score(total_second)))
    extreme, block = 0, max(1, _CELLS // max(1, len(first)))
    for start in range(0, trials, block):
        swaps = generator.integers(0, 2, (min(block, trials - start), len(first))).astype(np.float64)
        moved = swaps @ change  # (trials of the block, columns)
        trial = np.abs(score(total_first + moved) - score(total_second - moved))
        extreme += int((trial >= observed - _TIE).sum())
    return (1 + extreme) / (1 + trials)
