"""Variance between seeds: borrowed among the systems of a study, since one system has two or three runs or only one.

Empirical Bayes moderation (Smyth 2004, "Linear models and empirical Bayes methods", Stat. Appl. Genet. Mol. Biol. 3, sections 4
and 6.2; limma's `squeezeVar`) treats the variances of a study's systems as draws around a common one and shrinks each towards
it, by as much as they agree. A single seed gets the common variance, with the degrees of freedom that the agreement is worth.
Two deviations, for a study has a handful of systems and not thousands of genes: the common variance is the pooled one (the
source's is near a geometric mean, too small for the noisiest system), and it counts for no more than `MOST_PRIOR` degrees of
freedom, however well few variances happen to agree. tests/scoring/test_calibration.py has what that is worth.

Runs with the same seed see the same sentences in the same order, whatever the system. Where that makes systems rise and fall
together, their difference is sharper than independent runs would make it (a paired design). The correlation is estimated
over all pairs of the study's systems and taken one standard error to the side that widens the interval.

Limits: seeds are taken as normally distributed around their system, and two systems of several seeds are needed to lend any.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST_PRIOR = 4.0
"""Degrees of freedom that the other systems' variances are worth to one system, at most: kinds of systems differ."""
LEAST_PRIOR = 2.0
"""The same for a single seed, at the least: the pooled variance is that of the noisiest systems, so it rarely is too small."""


def moderate(variances: Floats, freedoms: Floats) -> tuple[Floats, Floats]:
    """Shrink (G,) sample variances of (G,) degrees of freedom, 0 for a single seed, towards the pooled one.

    Returns (G,) variances and (G,) degrees of freedom; 0 degrees where nothing is known.
    """
    known = freedoms > 0
    own, most = np.where(known, variances, 0.0), float(freedoms.sum())
    if known.sum() < 2:
        return own, freedoms.astype(np.float64)
    agreed = min(_agreement(variances[known], freedoms[known]), MOST_PRIOR, most)
    strength = np.where(known, agreed, max(agreed, LEAST_PRIOR))
    total = strength + freedoms
    return (strength * (freedoms @ own) / most + freedoms * own) / total, np.minimum(total, most)


def _agreement(variances: Floats, freedoms: Floats) -> float:
    """Degrees of freedom of the prior, by the moments of log variance; infinite where the variances agree."""
    from scipy.optimize import brentq
    from scipy.special import digamma, polygamma

    pooled = float(freedoms @ variances / freedoms.sum())
    if pooled == 0:
        return np.inf
    logs = np.log(np.maximum(variances, 1e-5 * pooled)) - digamma(freedoms / 2) + np.log(freedoms / 2)
    excess = float(logs.var(ddof=1) - polygamma(1, freedoms / 2).mean())
    if excess <= polygamma(1, MOST_PRIOR / 2):
        return np.inf
    return 2 * float(brentq(lambda half: float(polygamma(1, half)) - excess, 1e-6, MOST_PRIOR))


def shared_correlation(scores: Floats) -> tuple[float, float]:
    """Range of the correlation between systems that share their seeds, 0 to 1, from scores (G, K) by system and seed.

    One standard error below and above the mean over pairs of systems; (0, 1) where there is no pair or a single seed. The
    standard error is that of independent systems: a pair's correlation has variance 1 / (K - 1), pairs do not correlate.
    """
    systems, seeds = scores.shape
    if systems < 2 or seeds < 2:
        return 0.0, 1.0
    centred = scores - scores.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    pairs = systems * (systems - 1)
    mean, error = float(((unit @ unit.T).sum() - (unit**2).sum()) / pairs), (2 / (pairs * (seeds - 1))) ** 0.5
    return float(np.clip(mean - error, 0, 1)), float(np.clip(mean + error, 0, 1))


def satterthwaite(terms: Sequence[tuple[float, float]]) -> float:
    """Degrees of freedom of a sum of (variance, degrees of freedom) (Satterthwaite 1946); infinite for a sum of nothing."""
    spread = sum(variance**2 / freedom for variance, freedom in terms if freedom > 0)
    return sum(variance for variance, _ in terms) ** 2 / spread if spread > 0 else np.inf
