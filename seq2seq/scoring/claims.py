"""Textbook claims, with the verdict that the runs at hand allow and the numbers behind it.

Each claim is one contrast whose sign or size decides it, so that its interval needs no correction within the claim. Its
replicates are seeds (cost: timings); its controls are what systems must share to take part. Where a study lacks one of them the
claim is not tested, and the report says what is missing. What a claim has to know beside the scores stands in
`SystemScores.facts`, all keys optional:

- "score": "none", "additive", "dot" ... (the bridge's score; any key of FIXED counts as no attention; default: the name);
- "scale": "sqrt" or "none"; score "scaled" stands for dot with sqrt;
- "bridge_twins": names of the systems that differ from this one in the attention and in widths only;
- "attention_size": features that dot products are taken over; "heads", with "head_twins": names of the systems that differ in
  heads only and have as many parameters; "learning_rate";
- "positions": "sinusoidal", "learned", "relative", "rope" or "alibi", with "position_twins": those that differ in nothing else;
- "trained_words": longest training sentence in source words;
- "learning": whether training ended too early, `run.learning`'s words; "probe": True where sentences are a probe's;
- "decoding_costs": [(source words, milliseconds per sentence), ...], three or more;
- "alignment_error_rates": per seed, "alignment_half_width" over sentences, and "diagonal_error_rate", 0 to 1, lower is better.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seq2seq.config.errors import counted
from seq2seq.scoring.bootstrap import Estimate, t_estimate
from seq2seq.scoring.bottleneck import FLOOR
from seq2seq.scoring.buckets import Bucket, build_buckets
from seq2seq.scoring.evidence import LOG_BLEU, Evidence, SystemScores, Term
from seq2seq.scoring.results import Result, detectable
from seq2seq.scoring.seeds import moderate, satterthwaite

Verdict = Literal[
    "supported", "contradicted", "leans supported", "leans contradicted", "undecided", "small sample", "not tested"
]

FIXED = frozenset({"none", "none-state", "mean", "uniform", "diagonal", "random_frozen"})
RELATIVE = frozenset({"relative", "rope", "alibi"})
ABSOLUTE = frozenset({"sinusoidal", "learned"})
FINE = 1.0
"""BLEU points that "fine" may cost: about what a reader of a results table would call the same."""


class Claim(Result):
    """A textbook claim and what these runs say about it."""

    claim: str
    """As textbooks have it."""
    verdict: Verdict
    """Supported or contradicted where the whole interval is on one side; "leans" where no seed variance is known."""
    explanation: str
    """The number behind the verdict with its interval, as a sentence; or what a study would need to test it."""
    systems: list[str]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    contrast: str = ""
    """What the number is."""
    replicates: str = ""
    """What was repeated, and how often: the unit that the interval is about."""
    controls: str = ""
    within: float | None = None
    """Largest effect in either direction that an undecided interval leaves possible; null where it decides or is not there."""


@dataclass(frozen=True)
class Finding:
    """The number that decides a claim: supported above the limit, or below it where `above` is False."""

    contrast: str
    estimate: Estimate
    systems: Sequence[str]
    controls: str
    replicates: str = ""
    beside: str = ""
    small: bool = False
    limit: float = 0.0
    above: bool = True


class Untested(Exception):
    """A study that does not test a claim; the message says what is missing."""


def fine_for_short(evidence: Evidence) -> Finding:
    """Attention minus the baseline on the shortest bucket, over systems that differ in attention only: at most `FINE`."""
    fixed = _fixed_baseline(evidence)
    twins = set(evidence.systems[fixed].facts.get("bridge_twins", ()))
    attention = [name for name, system in evidence.systems.items() if name in twins and not is_fixed(system)]
    if not attention:
        raise Untested(f"a system that differs from {fixed} in its attention only")
    buckets = build_buckets(evidence.settings.buckets, evidence.source_words)
    if len(buckets) < 2:
        raise Untested("two length buckets")
    if evidence.systems[fixed].facts.get("probe"):
        raise Untested("translations; a probe's answers are none")
    short = buckets[0]
    reached = evidence.score(fixed, "bleu", short).value
    if reached < FLOOR:
        raise Untested(f"a baseline that translates; {fixed} has {reached:.1f} BLEU at {short} source {evidence.unit}")
    if evidence.systems[fixed].facts.get("learning") == "still improving":
        raise Untested(f"a baseline that is done learning; {fixed} was still improving when training ended")
    return Finding(
        f"BLEU of attention minus {fixed} at {short} source {evidence.unit} (fine: below {FINE:g})",
        evidence.contrast([*_mean(attention, 1, short), Term(-1, fixed, short)], "bleu"),
        (*attention, fixed),
        controls="same data, budget and settings but for the attention and widths",
        small=evidence.small(short),
        limit=FINE,
        above=False,
    )


def cost_grows(evidence: Evidence) -> Finding:
    """Least-squares slope of decoding time over source length, attention minus baseline, from the timings of both."""
    from scipy.stats import linregress

    fixed = _fixed_baseline(evidence)
    costs = {name: system.facts.get("decoding_costs", ()) for name, system in evidence.systems.items()}
    timed = [name for name, system in evidence.systems.items() if not is_fixed(system) and len(costs[name]) > 2]
    if not timed or len(costs[fixed]) < 3:
        raise Untested("decoding times by length of the baseline and an attention system")
    fits = {name: linregress(*np.array(costs[name], dtype=np.float64).T) for name in (*timed, fixed)}
    weights = {name: 1 / len(timed) for name in timed} | {fixed: -1.0}
    value = sum(weight * float(fits[name].slope) for name, weight in weights.items())
    terms = [((weight * float(fits[name].stderr)) ** 2, len(costs[name]) - 2.0) for name, weight in weights.items()]
    error, freedom = sum(variance for variance, _ in terms) ** 0.5, min(satterthwaite(terms), 1e6)
    estimate = t_estimate(value, error, freedom, seeds=1, confidence=evidence.settings.confidence)
    contrast = f"ms per sentence per source word, attention minus {fixed}"
    replicates = f"timings at {len(costs[fixed])} lengths"
    return Finding(contrast, estimate, (*timed, fixed), controls="one machine", replicates=replicates)


def dot_needs_scaling(evidence: Evidence) -> Finding:
    """(Scaled minus dot) at the largest attention size minus the same at the smallest, at the same learning rates."""
    cast: dict[float | None, dict[int, dict[str, str]]] = {}
    for system in evidence.systems.values():
        kind, size = _dot_kind(system), system.facts.get("attention_size")
        if kind is not None and size is not None:
            rate = system.facts.get("learning_rate")
            cast.setdefault(rate, {}).setdefault(size, {}).setdefault(kind, system.name)
    both = {rate: sorted(size for size, pair in sizes.items() if len(pair) == 2) for rate, sizes in cast.items()}
    small, large = next(((sizes[0], sizes[-1]) for sizes in both.values() if len(sizes) > 1), (0, 0))
    rates = [rate for rate, sizes in both.items() if small < large and {small, large} <= set(sizes)]
    if not rates:
        raise Untested("dot and scaled at two attention sizes each, at one learning rate")
    terms = [
        Term(sign / len(rates), cast[rate][size][kind])
        for rate in rates
        for size, kind, sign in ((large, "scaled", 1), (large, "dot", -1), (small, "scaled", -1), (small, "dot", 1))
    ]
    at = ", ".join(f"{rate:g}" for rate in rates if rate is not None)
    controls = f"learning rates: {at}"
    controls += "" if len(rates) > 1 else "; whether another rate would do instead of the scale is not tested"
    contrast = f"BLEU of scaled minus dot, at size {large} minus at size {small}"
    names = list(dict.fromkeys(term.system for term in terms))
    return Finding(contrast, evidence.contrast(terms, "bleu"), names, controls=controls)


def more_heads_help(evidence: Evidence) -> Finding:
    """Least-squares slope of BLEU over log2(heads), over systems that are the same model but for their heads."""
    for system in evidence.systems.values():
        group = [system, *(evidence.systems[name] for name in system.facts.get("head_twins", ()) if name in evidence.systems)]
        if len({each.facts.get("heads") for each in group}) > 1:
            break
    else:
        raise Untested("systems that differ in their heads and have as many parameters (one head with projections, too)")
    heads = np.log2([each.facts["heads"] for each in group])
    weights = (heads - heads.mean()) / ((heads - heads.mean()) ** 2).sum()
    terms = [Term(float(weight), each.name) for weight, each in zip(weights, group, strict=True)]
    controls = "same settings and parameters but for the number of heads"
    return Finding("BLEU per doubling of heads", evidence.contrast(terms, "bleu"), [t.system for t in terms], controls=controls)


def relative_generalises(evidence: Evidence) -> Finding:
    """Log of retention beyond the longest training sentence, relative minus absolute positions; points beside it."""
    twins = [name for name, system in evidence.systems.items() if system.facts.get("position_twins")]
    relative = [name for name in twins if evidence.systems[name].facts.get("positions") in RELATIVE]
    absolute = [name for name in twins if evidence.systems[name].facts.get("positions") in ABSOLUTE]
    limits = {evidence.systems[name].facts.get("trained_words") for name in (*relative, *absolute)}
    limit = next(iter(limits), None)
    if not relative or not absolute or len(limits) != 1 or limit is None:
        raise Untested("relative and absolute positions, else the same, trained to the same length")
    within, beyond = Bucket(1, limit), Bucket(limit + 1)
    if min(evidence.sentences(within), evidence.sentences(beyond)) < 2:
        raise Untested(f"test sentences within and beyond the {limit} {evidence.unit} of training")
    ends = ((1, beyond), (-1, within))
    terms = [t for sign, end in ends for t in (*_mean(relative, sign, end), *_mean(absolute, -sign, end))]
    gaps = [evidence.contrast([*_mean(relative, 1, b), *_mean(absolute, -1, b)], "bleu") for b in (within, beyond)]
    inside, outside = (gap.said("+.3g") for gap in gaps)
    return Finding(
        f"log of BLEU above {limit} source {evidence.unit} over BLEU up to {limit}, relative minus absolute positions",
        evidence.contrast(terms, LOG_BLEU),
        (*relative, *absolute),
        controls="same settings but for the positions",
        beside=f"BLEU of relative minus absolute: {inside} up to {limit} {evidence.unit}, {outside} beyond",
        small=evidence.small(within, beyond),
    )


def weights_align(evidence: Evidence) -> Finding:
    """Alignment error rate of the diagonal minus that of the weights, mean over attention systems; no fixed context."""
    facts = {name: system.facts for name, system in evidence.systems.items() if not is_fixed(system)}
    rated = {n: f for n, f in facts.items() if f.get("alignment_error_rates") and f.get("diagonal_error_rate") is not None}
    if not rated:
        raise Untested("alignment error rates of an attention system on a corpus with gold links")
    worse = [name for name, f in rated.items() if f["diagonal_error_rate"] <= float(np.mean(f["alignment_error_rates"]))]
    diagonal = next(iter(rated.values()))["diagonal_error_rate"]  # the same sentences, so the same for all
    above, are = f" (not {', '.join(worse)})" if worse else "", "system is" if len(rated) == 1 else "systems are"
    return Finding(
        "alignment error rate of the diagonal minus that of the weights",
        error_rate_contrast(evidence, dict.fromkeys(rated, -1 / len(rated)), plus=diagonal),
        list(rated),
        controls="fixed contexts left out; the same sentences for all",
        beside=f"{len(rated) - len(worse)} of {len(rated)} {are} below the diagonal{above}; agreement with "
        "links is not what the model relies on: the interventions ask that",
    )


def error_rate_contrast(evidence: Evidence, weights: Mapping[str, float], plus: float = 0.0) -> Estimate:
    """Weighted sum of systems' alignment error rates: seeds as elsewhere, and the systems' intervals over sentences.

    Systems are rated on the same sentences, so their intervals are added up, even in a difference; with several seeds they hold
    the variance between seeds already, so that the sum is rather too wide. Where a system has none, there is none. `plus` is a
    constant.
    """
    facts = {name: evidence.systems[name].facts for name in weights}
    rates = {name: np.array(f["alignment_error_rates"], dtype=np.float64) for name, f in facts.items()}
    runs = np.array([float(len(rate)) for rate in rates.values()])
    own = np.array([rate.var(ddof=1) if len(rate) > 1 else 0.0 for rate in rates.values()])
    variances, freedoms = moderate(own, runs - 1)
    value = sum(weight * float(rates[name].mean()) for name, weight in weights.items()) + plus
    covers: Literal["sentences and seeds", "sentences"] = "sentences and seeds" if (freedoms > 0).all() else "sentences"
    if any(f.get("alignment_half_width") is None for f in facts.values()):
        return Estimate(value, None, None, None, None, None, int(runs.min()), covers)
    terms = [(w**2 * v / k, d) for w, v, k, d in zip(weights.values(), variances, runs, freedoms, strict=True)]
    over_sentences = (sum(abs(weights[name]) * f["alignment_half_width"] for name, f in facts.items()) / 1.96) ** 2
    return t_estimate(
        value,
        (sum(variance for variance, _ in terms) + over_sentences) ** 0.5,
        min(satterthwaite([*terms, (over_sentences, 1e6)]), 1e6),
        seeds=int(runs.min()),
        confidence=evidence.settings.confidence,
        covers=covers,
    )


CLAIMS: dict[str, Callable[[Evidence], Finding]] = {
    "no attention is fine for short sentences": fine_for_short,
    "attention costs more as length grows": cost_grows,
    "dot needs scaling at high dimension": dot_needs_scaling,
    "more heads help": more_heads_help,
    "relative positions generalise better": relative_generalises,
    "attention weights agree with word alignments": weights_align,
}


def judge_claims(evidence: Evidence) -> list[Claim]:
    """Every claim, tested or not, in the order of the table."""
    return [_answer(claim, find, evidence) for claim, find in CLAIMS.items()]


def _answer(claim: str, find: Callable[[Evidence], Finding], evidence: Evidence) -> Claim:
    try:
        finding = find(evidence)
    except Untested as missing:
        return Claim(claim=claim, verdict="not tested", explanation=f"needs {missing}", systems=[])
    estimate, verdict = finding.estimate, _verdict(finding)
    seeds = f"{counted(estimate.seeds, 'seed')} each"
    why = {"undecided": detectable(estimate), "small sample": "fewer sentences than the study's minimum"}.get(verdict, "")
    leaning = "one seed, and its seed variance is not known" if verdict.startswith("leans") else ""
    parts = [f"{finding.contrast} is {estimate.said('+.3g')}", why, leaning, finding.beside]
    return Claim(
        claim=claim,
        verdict=verdict,
        explanation="; ".join(part for part in parts if part),
        systems=list(finding.systems),
        **estimate.fields("value", "low", "high"),
        contrast=finding.contrast,
        replicates=finding.replicates or seeds,
        controls=finding.controls,
        within=estimate.reach(finding.limit) if verdict == "undecided" else None,
    )


def _verdict(finding: Finding) -> Verdict:
    side = finding.estimate.side(finding.limit)
    if finding.small:
        return "small sample"
    if side == "neither":
        return "undecided"
    verdict: Verdict = finding.estimate.leaning("supported" if (side == "above") == finding.above else "contradicted")
    return verdict


def is_fixed(system: SystemScores) -> bool:
    """Whether a system's context does not depend on what is asked."""
    return system.facts.get("score", system.name) in FIXED


def _dot_kind(system: SystemScores) -> str | None:
    """Whether a dot product is "scaled" or plain "dot"; None for other scores."""
    score, scale = system.facts.get("score"), system.facts.get("scale", "none")
    if score == "scaled" or (score == "dot" and scale == "sqrt"):
        return "scaled"
    return "dot" if score == "dot" and scale == "none" else None


def _fixed_baseline(evidence: Evidence) -> str:
    baseline = evidence.baseline
    if baseline is None or not is_fixed(evidence.systems[baseline]):
        raise Untested("a baseline without attention")
    return baseline


def _mean(names: Sequence[str], weight: float, bucket: Bucket) -> list[Term]:
    return [Term(weight / len(names), name, bucket) for name in names]
