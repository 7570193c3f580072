"""Systems in order of a score, each with the interval of its rank: what is left of an order when sentences and seeds change."""

import numpy as np

from seq2seq.scoring.bootstrap import Floats
from seq2seq.scoring.evidence import Evidence
from seq2seq.scoring.results import Result

_TIE = 1e-9  # points


class Ranked(Result):
    """A place in the order of BLEU on the whole split; it says nothing about systems with unequal budgets."""

    system: str
    rank: int
    """1 for the highest score; equal scores share a place."""
    low: int
    """Lower end of the rank's interval, over other seeds and sentences (only sentences where no seed variance is known)."""
    high: int


def rank_systems(evidence: Evidence) -> list[Ranked]:
    """Every system in the order of BLEU on the whole test set, the best first; equal ones in the study's order.

    Ends of a rank are percentiles over resampled sentences, the same for all, and drawn seeds, each system's own
    (Goldstein and Spiegelhalter 1996, JRSS A 159, section 4).
    """
    points = np.array([evidence.part(name, "bleu").points.mean() for name in evidence.systems])  # (N,)
    replicates = np.stack([_drawn(evidence, name, place) for place, name in enumerate(evidence.systems)], axis=1)
    tail = (1 - evidence.settings.confidence) / 2
    low, high = np.quantile(_ranks(replicates), (tail, 1 - tail), axis=0, method="nearest")
    ranks = _ranks(points[None])[0]
    names = enumerate(evidence.systems)
    found = [Ranked(system=name, rank=int(ranks[i]), low=int(low[i]), high=int(high[i])) for i, name in names]
    return sorted(found, key=lambda each: each.rank)


def _drawn(evidence: Evidence, name: str, place: int) -> Floats:
    """(R,) scores on other sentences and with other seeds; noise that the sentences show already is not drawn again."""
    drawn: Floats = evidence.part(name, "bleu").replicates.mean(axis=1)
    term = evidence.seed_term(name, "bleu")
    spread = max(term.variance - term.noise, 0.0) ** 0.5
    if term.freedom <= 0 or spread == 0:
        return drawn
    generator = np.random.default_rng([evidence.settings.seed, 3, place])
    moved: Floats = drawn + spread * generator.standard_t(term.freedom, len(drawn))
    return moved


def _ranks(scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """(R, N) ranks in each row: one more than the number of higher scores."""
    higher = scores[:, None, :] > scores[:, :, None] + _TIE  # (R, N, N)
    return np.asarray(1 + higher.sum(axis=2))
