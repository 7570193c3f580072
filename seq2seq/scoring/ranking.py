"""Systems in order of a score, each with the interval of its rank: what is left of an order when sentences and seeds change."""

from dataclasses import dataclass

import numpy as np

from seq2seq.scoring.bootstrap import hierarchical_replicates
from seq2seq.scoring.evidence import Evidence
from seq2seq.scoring.metrics import METRICS

_TIE = 1e-9  # points


@dataclass(frozen=True)
class Rank:
    """A system's place.

    Attributes:
        system: its name.
        rank: 1 for the best score; equal scores share the smaller number.
        low, high: ends of the percentile interval of the rank over resamples of seeds and sentences (Goldstein and
            Spiegelhalter 1996, JRSS A 159, section 4); of sentences only where a system has one seed.
    """

    system: str
    rank: int
    low: int
    high: int


def rank_systems(evidence: Evidence, metric: str = "bleu") -> tuple[Rank, ...]:
    """Every system in the order of a score on the whole test set, the best first; equal ones in the study's order."""
    sign = 1 if METRICS[metric].higher_is_better else -1
    parts = [evidence.part(name, metric) for name in evidence.systems]
    points = sign * np.array([part.points.mean() for part in parts])  # (N,)
    replicates = np.stack(
        [
            sign * hierarchical_replicates([part], np.random.default_rng([evidence.settings.seed, 3, place]))
            for place, part in enumerate(parts)
        ],
        axis=1,
    )  # (R, N): the same sentences for all systems in a row, each system's own seeds
    tail = (1 - evidence.settings.confidence) / 2
    low, high = np.quantile(_ranks(replicates), (tail, 1 - tail), axis=0, method="nearest")
    ranks = _ranks(points[None])[0]
    found = [Rank(name, int(ranks[i]), int(low[i]), int(high[i])) for i, name in enumerate(evidence.systems)]
    return tuple(sorted(found, key=lambda each: each.rank))


def _ranks(scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """(R, N) ranks in each row: one more than the number of higher scores."""
    higher = scores[:, None, :] > scores[:, :, None] + _TIE  # (R, N, N)
    return np.asarray(1 + higher.sum(axis=2))
