"""Paper against ours: the papers' numbers with provenance, and the shapes they claim, checked on our systems.

Both are data (`data/papers.yaml`). A check is a weighted sum of scores, the side of a threshold on which the paper puts it, and
the conditions under which the paper says so. Checks are written from the papers and never tuned; each stands for one sentence
of a paper and is not corrected for the others. Outcomes:

- *not applicable*: the study lacks a system, a condition that the claim is about (`requires`), or a baseline that translates;
- *analogue*: the paper's setting differs in what is named (`setting`), so ours is shown and nothing is passed or failed;
- *small sample*: fewer sentences than the study's minimum;
- *pass*: the whole interval is on the paper's side; *same direction*: so it is, but the paper says "a little" and ours is much;
- *fail*: the whole interval is on the other side;
- *contradicted*: the interval holds the limit, which is 0, and nothing as large as the paper's effect: within +- x;
- *undecided*: the interval holds the limit and effects that matter;
- *leans* before pass, fail or same direction: a system has one seed, and no seed variance to borrow (seeds.py).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from seq2seq.config.base import Settings, checked
from seq2seq.config.loading import plain, read_yaml
from seq2seq.scoring.bootstrap import Estimate
from seq2seq.scoring.bottleneck import FLOOR, at_floor
from seq2seq.scoring.buckets import EVERYTHING, Bucket, build_buckets
from seq2seq.scoring.claims import FINE, error_rate_contrast, is_fixed
from seq2seq.scoring.evidence import Evidence, Term
from seq2seq.scoring.results import Result, detectable

Outcome = Literal[
    "pass", "leans pass", "same direction", "leans same direction", "fail", "leans fail", "contradicted", "undecided",
    "small sample", "analogue", "not applicable", "underpowered",
]  # fmt: skip
"""What became of a check; "underpowered" is only in reports of earlier versions."""
Side = Literal["paper's", "other", "neither"]


class Conditions(Settings):
    """Conditions of a paper's systems; a condition that is not given is not compared."""

    pair: tuple[str, str] | None = None
    natural: bool | None = None
    """Whether sentences were written by people; a grammar's or a probe's were not."""
    trained_words: int | None = None
    """Longest training sentence in source words."""
    score: tuple[str, ...] | None = None
    """Kinds of score, one of them."""
    scale: tuple[str, ...] | None = None
    """Kinds of scale, one of them."""
    placement: Literal["before", "after"] | None = None
    """Whether the previous or the new decoder state asks."""
    projected: bool | None = None
    """Whether queries and memory are projected to a common size before they are compared."""
    attention_size: int | None = None
    """That size, in features."""
    heads: int | None = None
    reversed: bool | None = None
    """Whether the source is read backwards."""
    input_feeding: bool | None = None
    positions: str | None = None

    def differences(self, facts: Mapping[str, Any]) -> list[str]:
        """Differences of a system, as `placement after (paper: before)`; a fact that is not known differs."""
        found = []
        for name in (each for each in type(self).model_fields if each in self.model_fields_set):
            wanted, ours = getattr(self, name), facts.get(name)
            several = isinstance(wanted, tuple) and name != "pair"
            if ours is None or (ours not in wanted if several else ours != wanted):
                about = _FACT_NAMES.get(name, name.replace("_", " "))
                found.append(f"{about} {_plain(name, ours)} (paper: {_plain(name, wanted)})")
        return found


_FACT_NAMES = {"trained_words": "trained on sentences of", "natural": "natural text", "reversed": "reversed source"}


def _plain(name: str, value: Any) -> str:
    """A condition as a reader would say it."""
    if name == "trained_words":
        return "any length" if value is None else f"up to {value}"
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


class Paper(Settings):
    """A paper, and its numbers."""

    title: str
    authors: str
    year: int
    source: str
    """Identifier by which anyone finds it."""
    task: str
    """Language pair, test set and training data in a few words."""
    setting: Conditions = Conditions()
    """What all of its systems share."""
    numbers: tuple[Mapping[str, Any], ...] = ()
    """Those of its tables that checks compare with; `where` and `row` name them, the `unit` is BLEU unless one is given."""


class TermSettings(Settings):
    """One score in the sum."""

    weight: float
    system: str
    """Role, a key of the check's `systems`."""
    words: tuple[int, int | None] | Literal["within", "beyond"] | None = None
    """Source words from, to (null: open); within or beyond the role's longest training sentence; null: the whole test set."""


class CheckSettings(Settings):
    """One claim of a paper, as something that our systems can pass or fail."""

    id: str
    paper: str
    """Key of `papers`."""
    where: str
    """Table, figure or section that makes the claim."""
    claim: str
    """The claim in our words."""
    seen_in_source: bool
    """Whether the claim was read in the text of the paper when it was written down here."""
    systems: Mapping[str, tuple[str, ...]] = {}
    """Role -> names of systems that can play it; the first one that the study has does."""
    requires: Mapping[str, Conditions] = {}
    """Role, or "all" -> what the claim is about; a study that differs does not test it."""
    setting: Mapping[str, Conditions] = {}
    """Role, or "all" -> what else the paper's systems were; a study that differs is an analogue."""
    analogue: str = ""
    """Why no study here can be more than an analogue; empty where one can."""
    not_measured: str = ""
    """Why nothing here is compared with the claim; empty where something is."""
    metric: Literal["bleu", "chrf", "ter", "slope", "aer"] = "bleu"
    """Score in points, "slope": points per ten source words, as in the bottleneck index, "aer": alignment error rate, 0 to
    1."""
    terms: tuple[TermSettings, ...] = ()
    """The sum that is compared with the threshold; empty only where nothing is measured."""
    expect: Literal["above", "below", "near"] = "above"
    """Side of the threshold, or near it."""
    threshold: float = 0.0
    """Limit in points."""
    margin: float = Field(default=FINE, gt=0)
    """Points: differences up to this are nothing to the claim, unless the paper's own is smaller."""
    at_most: float | None = None
    """Points that "a little" means; an interval beyond is the same direction and no pass. None where the paper claims a
    sign."""
    paper_value: float | None = None
    """The same sum from the paper's numbers, where it prints them."""


class Papers(Settings):
    """Contents of `data/papers.yaml`."""

    papers: Mapping[str, Paper]
    checks: tuple[CheckSettings, ...]


class ShapeCheck(Result):
    """A shape that a paper shows (who is ahead, where a curve falls) against ours."""

    id: str
    """Key in `data/papers.yaml`."""
    paper: str
    """Authors and year."""
    where: str
    source: str = ""
    """Where the paper is: an arXiv number or an address."""
    claim: str
    seen: bool
    """False: written down without having the source itself at hand."""
    verdict: Outcome
    """Whether the shape holds here."""
    ours: str
    """Our number with its interval and the limit, or why the check does not apply."""
    theirs: float | None = None
    """The same figure from the paper's numbers."""
    systems: dict[str, str]
    """Role -> our system that played it."""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    """Two-sided p for a true value at the limit 0; null where the limit is another."""
    side: Side | None = None
    """Side of the limit on which the whole interval lies; neither: it holds the limit."""
    within: float | None = None
    """Where contradicted: no effect larger than this, in either direction."""
    differs: list[str] = Field(default_factory=list)
    """Where our setting is not the paper's."""


def load_papers(path: Path) -> Papers:
    """Read the papers' numbers and the checks; a `UserError` if the file cannot be read or says something unknown."""
    return checked(Papers, plain(read_yaml(path)), path, "mend it, or take the one that comes with the project")


def run_checks(papers: Papers, evidence: Evidence) -> list[ShapeCheck]:
    """Every check on the systems at hand, in the order of the file."""
    return [run_check(check, papers.papers[check.paper], evidence) for check in papers.checks]


def run_check(check: CheckSettings, paper: Paper, evidence: Evidence) -> ShapeCheck:
    """One check: find the systems, compare the conditions, compute the sum, compare its interval with the threshold."""
    there = {role: [name for name in names if name in evidence.systems] for role, names in check.systems.items()}
    systems = {role: names[0] for role, names in there.items() if names}
    about = {
        **check.model_dump(include={"id", "where", "claim"}),
        "paper": f"{paper.authors} {paper.year}",
        "source": paper.source,
        "seen": check.seen_in_source,
        "theirs": check.paper_value,
        "systems": systems,
    }
    if reason := _inapplicable(check, systems, evidence):
        return ShapeCheck(**about, verdict="not applicable", ours=reason)
    differs = [check.analogue] if check.analogue else []
    differs += _differences({"all": paper.setting}, systems, evidence) + _differences(check.setting, systems, evidence)
    return ShapeCheck(**about, **_judged(check, systems, evidence, list(dict.fromkeys(differs))))


def _inapplicable(check: CheckSettings, systems: Mapping[str, str], evidence: Evidence) -> str:
    """Why a study does not test a claim; empty if it does."""
    if check.not_measured:
        return check.not_measured
    missing = [" or ".join(names) for role, names in check.systems.items() if role not in systems]
    if missing:
        return f"no system named {'; none named '.join(missing)}"
    wrong = _differences(check.requires, systems, evidence)
    if wrong:
        return f"the claim is about another setting: {'; '.join(wrong)}"
    facts = [evidence.systems[name].facts for name in systems.values()]
    if check.metric == "aer":
        return "" if all(each.get("alignment_error_rates") for each in facts) else "alignment was not measured"
    if check.metric != "slope" and check.metric not in evidence.metrics:
        return f"{check.metric} was not scored"
    relative = [evidence.systems[systems[term.system]].facts for term in check.terms if isinstance(term.words, str)]
    if any(each.get("trained_words") is None for each in relative):
        return "the longest training sentence is not known"
    empty = {str(term.bucket) for term in _terms(check, systems, evidence) if evidence.sentences(term.bucket) < 2}
    if empty:
        return f"no two sentences of {' or '.join(sorted(empty))} source {evidence.unit}"
    buckets = build_buckets(evidence.settings.buckets, evidence.source_words)
    scores = {
        name: [float(evidence.part(name, "bleu", bucket).points.mean()) for bucket in buckets] for name in systems.values()
    }
    low = [name for name, found in scores.items() if is_fixed(evidence.systems[name]) and at_floor(found)]
    return f"baseline at the floor: {', '.join(low)} below {FLOOR:g} BLEU at most lengths" if low else ""


def _differences(conditions: Mapping[str, Conditions], systems: Mapping[str, str], evidence: Evidence) -> list[str]:
    """Differences by role; those of all roles are told once."""
    found = []
    for role, wanted in conditions.items():
        names = systems.values() if role == "all" else [systems[role]] if role in systems else []
        told = [each for name in names for each in wanted.differences(evidence.systems[name].facts)]
        found += [each if role == "all" else f"{systems[role]}: {each}" for each in dict.fromkeys(told)]
    return found


def _terms(check: CheckSettings, systems: Mapping[str, str], evidence: Evidence) -> list[Term]:
    """The sum over our systems, each on its bucket."""
    terms = []
    for term in check.terms:
        name, bucket = systems[term.system], EVERYTHING
        if isinstance(term.words, str):
            limit: int = evidence.systems[name].facts["trained_words"]
            bucket = Bucket(1, limit) if term.words == "within" else Bucket(limit + 1)
        elif term.words is not None:
            bucket = Bucket(*term.words)
        terms.append(Term(term.weight, name, bucket))
    return terms


def _judged(check: CheckSettings, systems: Mapping[str, str], evidence: Evidence, differs: list[str]) -> dict[str, Any]:
    """Our number, and the outcome by where its interval lies: fields of `ShapeCheck`."""
    terms, small, digits = _terms(check, systems, evidence), False, 2
    if check.metric == "aer":
        ours, digits = error_rate_contrast(evidence, {term.system: term.weight for term in terms}), 3
    else:
        ours, small = evidence.contrast(terms, check.metric), evidence.small(*(term.bucket for term in terms))
    side, reach = _side(check, ours), ours.reach(check.threshold)
    tiny = not check.threshold and reach is not None and reach <= min(check.margin, abs(check.paper_value or check.margin))
    outcome: Outcome
    if differs:
        outcome = "analogue"
    elif small:
        outcome = "small sample"
    elif side == "neither":
        outcome = "contradicted" if tiny and check.expect != "near" else "undecided"
    else:
        much = check.at_most is not None and min(abs(ours.low or 0.0), abs(ours.high or 0.0)) > check.at_most
        outcome = ours.leaning("fail" if side == "other" else "same direction" if much else "pass")
    p = None if check.threshold else ours.p
    limit = f"{check.expect} {check.threshold:g}" + (f" (within {check.margin:g})" if check.expect == "near" else "")
    words = [
        f"{ours.said(f'+.{digits}f')}, expected {limit}",
        {
            "undecided": f"the interval holds the limit; {detectable(ours)}",
            "contradicted": f"within +-{reach or 0:.2g}",
            "small sample": "" if p is None else f"p = {p:.2g}",
            "analogue": {"paper's": "the paper's side", "other": "the other side"}.get(side, "neither side"),
        }.get(outcome, ""),
        "seed variance not known" if ours.covers == "sentences" else "",
        *differs,
    ]
    return {
        **ours.fields("value", "low", "high"),
        "p": p,
        "verdict": outcome,
        "ours": "; ".join(word for word in words if word),
        "side": side,
        "within": reach if outcome == "contradicted" else None,
        "differs": differs,
    }


def _side(check: CheckSettings, ours: Estimate) -> Side:
    if check.expect != "near":
        side = ours.side(check.threshold)
        return "neither" if side == "neither" else "paper's" if side == check.expect else "other"
    ends = ours.side(check.threshold - check.margin), ours.side(check.threshold + check.margin)
    return "paper's" if ends == ("above", "below") else "other" if ends[0] == ends[1] != "neither" else "neither"
