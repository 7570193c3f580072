"""Textbook claims, with the verdict that the runs at hand allow and the numbers behind it.

Each claim turns into one number whose sign or size decides it, so that its interval needs no correction within the claim.
What a claim has to know beside the scores stands in `SystemScores.facts`, all keys optional:

- "score": "none", "additive", "dot" ... (the bridge's score; any key of FIXED counts as no attention; default: the name);
- "scale": "sqrt" or "none"; score "scaled" stands for dot with sqrt;
- "attention_size": features that dot products are taken over; "heads";
- "positions": "sinusoidal", "learned", "relative", "rope" or "alibi";
- "trained_words": longest training sentence in source words;
- "decoding_costs": [(source words, milliseconds per sentence), ...], three or more;
- "alignment_error_rates": per seed, and "diagonal_error_rate", both 0 to 1, lower is better.

Systems that take part in a claim are assumed to differ in nothing else; the study's systems page shows whether that is so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seq2seq.scoring.bootstrap import Estimate, t_estimate
from seq2seq.scoring.buckets import Bucket, build_buckets
from seq2seq.scoring.evidence import Evidence, SystemScores, Term

Verdict = Literal["supported", "contradicted", "undecided", "not tested"]

FIXED = frozenset({"none", "none-state", "mean", "uniform", "diagonal", "random_frozen"})
RELATIVE = frozenset({"relative", "rope", "alibi"})
ABSOLUTE = frozenset({"sinusoidal", "learned"})
FINE = 1.0
"""BLEU points that "fine" may cost: about what a reader of a results table would call the same."""


@dataclass(frozen=True)
class ClaimResult:
    """A claim and what became of it.

    Attributes:
        claim: as textbooks have it.
        needs: what has to be in a study to test it.
        verdict: supported or contradicted where the whole 95 % interval (or that of the settings) is on one side.
        number: what decides, in words; "" if not tested.
        estimate: its value and interval.
        systems: the systems that took part.
        explanation: the verdict as a sentence.
    """

    claim: str
    needs: str
    verdict: Verdict
    number: str
    estimate: Estimate | None
    systems: tuple[str, ...]
    explanation: str


@dataclass(frozen=True)
class Finding:
    """The number that decides a claim: supported above the limit, or below it where `above` is False."""

    number: str
    estimate: Estimate
    systems: tuple[str, ...]
    small: bool = False
    limit: float = 0.0
    above: bool = True


def fine_for_short(evidence: Evidence) -> Finding | None:
    """Mean of the attention systems minus the baseline on the shortest bucket: at most `FINE` points."""
    attention, fixed = _bridges(evidence)
    buckets = build_buckets(evidence.settings.buckets, evidence.source_words)
    if not attention or fixed is None or len(buckets) < 2:
        return None
    estimate = evidence.contrast([*_mean(attention, 1, buckets[0]), Term(-1, fixed, buckets[0])], "bleu")
    number = f"BLEU of attention minus {fixed} at {buckets[0]} source words (fine: below {FINE:g})"
    return Finding(number, estimate, (*attention, fixed), evidence.underpowered(buckets[0]), limit=FINE, above=False)


def cost_grows(evidence: Evidence) -> Finding | None:
    """Least-squares slope of decoding time over source length, attention minus baseline, from the timings of both."""
    attention, fixed = _bridges(evidence)
    timed = [name for name in attention if len(_costs(evidence, name)) > 2]
    if not timed or fixed is None or len(_costs(evidence, fixed)) < 3:
        return None
    slopes = [_slope(_costs(evidence, name)) for name in timed]
    base, base_error, base_freedom = _slope(_costs(evidence, fixed))
    value = float(np.mean([slope for slope, _, _ in slopes])) - base
    error = float(np.sqrt(sum(each**2 for _, each, _ in slopes) / len(slopes) ** 2 + base_error**2))
    freedom = min(base_freedom, *(each for _, _, each in slopes))
    estimate = t_estimate(value, error, freedom, seeds=1, confidence=evidence.settings.confidence)
    return Finding(f"ms per sentence per source word, attention minus {fixed}", estimate, (*timed, fixed))


def dot_needs_scaling(evidence: Evidence) -> Finding | None:
    """(Scaled minus dot) at the largest attention size minus the same at the smallest."""
    by_size: dict[int, dict[str, str]] = {}
    for system in evidence.systems.values():
        kind = _dot_kind(system)
        if kind is not None and "attention_size" in system.facts:
            by_size.setdefault(system.facts["attention_size"], {}).setdefault(kind, system.name)
    sizes = sorted(size for size, pair in by_size.items() if len(pair) == 2)
    if len(sizes) < 2:
        return None
    small, large = by_size[sizes[0]], by_size[sizes[-1]]
    terms = [Term(1, large["scaled"]), Term(-1, large["dot"]), Term(-1, small["scaled"]), Term(1, small["dot"])]
    number = f"BLEU of scaled minus dot, at size {sizes[-1]} minus at size {sizes[0]}"
    return Finding(number, evidence.contrast(terms, "bleu"), tuple(term.system for term in terms))


def more_heads_help(evidence: Evidence) -> Finding | None:
    """Least-squares slope of BLEU over log2(heads), over systems that differ in heads."""
    systems = [system for system in evidence.systems.values() if "heads" in system.facts and not _is_fixed(system)]
    heads = np.log2([system.facts["heads"] for system in systems])
    if len(set(heads.tolist())) < 2:
        return None
    weights = (heads - heads.mean()) / ((heads - heads.mean()) ** 2).sum()
    terms = [Term(float(weight), system.name) for weight, system in zip(weights, systems, strict=True)]
    return Finding("BLEU per doubling of heads", evidence.contrast(terms, "bleu"), tuple(term.system for term in terms))


def relative_generalises(evidence: Evidence) -> Finding | None:
    """(Relative minus absolute positions) beyond the longest training sentence minus the same within."""
    relative = [name for name, system in evidence.systems.items() if system.facts.get("positions") in RELATIVE]
    absolute = [name for name, system in evidence.systems.items() if system.facts.get("positions") in ABSOLUTE]
    limits = {evidence.systems[name].facts.get("trained_words") for name in (*relative, *absolute)}
    limit = next(iter(limits), None)
    if not relative or not absolute or len(limits) != 1 or limit is None:
        return None
    within, beyond = Bucket(1, limit), Bucket(limit + 1)
    if min(evidence.sentences(within), evidence.sentences(beyond)) < 2:
        return None
    terms = [
        *_mean(relative, 1, beyond),
        *_mean(absolute, -1, beyond),
        *_mean(relative, -1, within),
        *_mean(absolute, 1, within),
    ]
    number = f"BLEU of relative minus absolute positions, above {limit} source words minus up to {limit}"
    return Finding(number, evidence.contrast(terms, "bleu"), (*relative, *absolute), evidence.underpowered(within, beyond))


def weights_interpretable(evidence: Evidence) -> Finding | None:
    """Alignment error rate of the diagonal minus that of the weights, over runs: agreement with gold links, not cause."""
    gains: list[float] = []
    systems = []
    for name, system in evidence.systems.items():
        rates, diagonal = system.facts.get("alignment_error_rates"), system.facts.get("diagonal_error_rate")
        if rates is not None and diagonal is not None:
            gains += [diagonal - rate for rate in rates]
            systems.append(name)
    if len(gains) < 2:
        return None
    error = float(np.std(gains, ddof=1) / np.sqrt(len(gains)))
    confidence = evidence.settings.confidence
    estimate = t_estimate(float(np.mean(gains)), error, len(gains) - 1, seeds=len(gains), confidence=confidence)
    return Finding("alignment error rate of the diagonal minus that of the weights", estimate, tuple(systems))


CLAIMS: dict[str, tuple[str, Callable[[Evidence], Finding | None]]] = {
    "no attention is fine for short sentences": ("the baseline, an attention system, two length buckets", fine_for_short),
    "attention costs more as length grows": ("decoding times by length of the baseline and an attention system", cost_grows),
    "dot needs scaling at high dimension": ("dot and scaled at two attention sizes each", dot_needs_scaling),
    "more heads help": ("systems that differ in their number of heads", more_heads_help),
    "relative positions generalise better": (
        "relative and absolute positions, trained to the same length, test sentences beyond it",
        relative_generalises,
    ),
    "weights are interpretable": (
        "alignment error rates of two or more runs on a corpus with gold links",
        weights_interpretable,
    ),
}


def judge_claims(evidence: Evidence) -> tuple[ClaimResult, ...]:
    """Every claim, tested or not, in the order of the table."""
    return tuple(_judged(claim, needs, find(evidence)) for claim, (needs, find) in CLAIMS.items())


def _judged(claim: str, needs: str, finding: Finding | None) -> ClaimResult:
    if finding is None:
        return ClaimResult(claim, needs, "not tested", "", None, (), f"not tested: needs {needs}")
    estimate = finding.estimate
    verdict: Verdict = "undecided"
    if not finding.small and estimate.low is not None and estimate.high is not None:
        if estimate.low > finding.limit:
            verdict = "supported" if finding.above else "contradicted"
        elif estimate.high < finding.limit:
            verdict = "contradicted" if finding.above else "supported"
    interval = f" [{estimate.low:+.3g}, {estimate.high:+.3g}]" if estimate.low is not None and estimate.high is not None else ""
    words = f"{verdict}: {finding.number} is {estimate.value:+.3g}{interval}"
    words += "; too few sentences" if finding.small else ""
    words += "; n=1 seed" if estimate.seeds == 1 else ""
    return ClaimResult(claim, needs, verdict, finding.number, estimate, finding.systems, words)


def _is_fixed(system: SystemScores) -> bool:
    return system.facts.get("score", system.name) in FIXED


def _dot_kind(system: SystemScores) -> str | None:
    """Whether a dot product is "scaled" or plain "dot"; None for other scores."""
    score, scale = system.facts.get("score"), system.facts.get("scale", "none")
    if score == "scaled" or (score == "dot" and scale == "sqrt"):
        return "scaled"
    return "dot" if score == "dot" and scale == "none" else None


def _bridges(evidence: Evidence) -> tuple[list[str], str | None]:
    """Names of the attention systems, and of the baseline where it is a fixed context."""
    attention = [name for name, system in evidence.systems.items() if not _is_fixed(system)]
    baseline = evidence.systems.get(evidence.settings.baseline)
    return attention, baseline.name if baseline is not None and _is_fixed(baseline) else None


def _mean(names: Sequence[str], weight: float, bucket: Bucket) -> list[Term]:
    return [Term(weight / len(names), name, bucket) for name in names]


def _costs(evidence: Evidence, name: str) -> Sequence[tuple[float, float]]:
    costs: Sequence[tuple[float, float]] = evidence.systems[name].facts.get("decoding_costs", ())
    return costs


def _slope(points: Sequence[tuple[float, float]]) -> tuple[float, float, int]:
    """Least-squares slope of (x, y) points, its standard error and degrees of freedom."""
    x, y = np.array(points, dtype=np.float64).T
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * y).sum() / spread)
    residuals = y - y.mean() - slope * (x - x.mean())
    freedom = len(x) - 2
    return slope, float(np.sqrt((residuals**2).sum() / freedom / spread)), freedom
