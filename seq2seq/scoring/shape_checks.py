"""Paper against ours: the papers' numbers with provenance, and the shapes they claim, checked on our systems.

Both are data (`data/papers.yaml`). A check is a weighted sum of scores and the side of a threshold on which the paper puts it;
it passes if the whole interval is on that side, fails if the whole interval is on the other, and is underpowered in between.
Checks are written from the papers and never tuned; each stands for one sentence of a paper and is not corrected for the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from seq2seq.config.base import Settings
from seq2seq.config.errors import UserError
from seq2seq.scoring.bootstrap import Estimate
from seq2seq.scoring.buckets import EVERYTHING, Bucket
from seq2seq.scoring.evidence import Evidence, Term

Outcome = Literal["pass", "fail", "underpowered", "not applicable"]


class PaperNumber(Settings):
    """One number of a paper."""

    where: str
    """Table or figure, and column."""
    row: str
    """The paper's name of the system."""
    value: float
    """The number, in the unit of the column."""
    unit: str = "BLEU"
    """Unit; the papers' BLEU is tokenised, so differences may be compared with ours and levels may not."""
    seen_in_source: bool
    """Whether the number was read in the text of the paper when it was written down here."""


class Paper(Settings):
    """A paper, and its numbers."""

    title: str
    authors: str
    year: int
    source: str
    """Identifier by which anyone finds it."""
    task: str
    """Language pair, test set and training data in a few words."""
    numbers: tuple[PaperNumber, ...] = ()


class TermSettings(Settings):
    """One score in the sum."""

    weight: float
    system: str
    """Role, a key of the check's `systems`."""
    words: tuple[int, int | None] | None = None
    """Source words from, to (null: open); without it the whole test set."""


class ShapeCheck(Settings):
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
    systems: Mapping[str, tuple[str, ...]]
    """Role -> names of systems that can play it; the first one that the study has does."""
    metric: Literal["bleu", "chrf", "ter", "slope"] = "bleu"
    """Score, in points, or "slope": points per ten source words, as in the bottleneck index."""
    terms: tuple[TermSettings, ...] = Field(min_length=1)
    """The sum that is compared with the threshold."""
    expect: Literal["above", "below"]
    threshold: float = 0.0
    """Limit in points."""
    threshold_reason: str = "0: the sign of the effect"
    """Why this limit."""
    paper_value: float | None = None
    """The same sum from the paper's numbers, where it prints them."""

    @model_validator(mode="after")
    def _roles_known(self) -> Self:
        unknown = {term.system for term in self.terms} - set(self.systems)
        if unknown:
            raise ValueError(f"terms of check {self.id!r} use roles that its systems do not name: {sorted(unknown)}")
        return self


class Papers(Settings):
    """What `data/papers.yaml` says."""

    papers: Mapping[str, Paper]
    checks: tuple[ShapeCheck, ...]

    @model_validator(mode="after")
    def _papers_known(self) -> Self:
        unknown = {check.paper for check in self.checks} - set(self.papers)
        if unknown:
            raise ValueError(f"checks name papers that are not listed: {sorted(unknown)}")
        return self


@dataclass(frozen=True)
class CheckResult:
    """What became of a check.

    Attributes:
        check: the check.
        outcome: pass, fail, underpowered or not applicable.
        estimate: our value with its interval; None where it does not apply.
        systems: role -> system of ours that played it.
        reason: the outcome as a sentence.
    """

    check: ShapeCheck
    outcome: Outcome
    estimate: Estimate | None
    systems: Mapping[str, str]
    reason: str


def load_papers(path: Path) -> Papers:
    """Read the papers' numbers and the checks.

    Raises:
        UserError: the file cannot be read or says something unknown.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return Papers.model_validate(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); the file with the papers' numbers belongs there"
        ) from error
    except YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {'.'.join(map(str, first['loc'])) or 'file'}: {first['msg']}") from error


def run_checks(papers: Papers, evidence: Evidence) -> tuple[CheckResult, ...]:
    """Every check on the systems at hand, in the order of the file."""
    return tuple(run_check(check, evidence) for check in papers.checks)


def run_check(check: ShapeCheck, evidence: Evidence) -> CheckResult:
    """One check: find the systems, compute the sum, compare its interval with the threshold."""
    cast = {role: next((name for name in names if name in evidence.systems), None) for role, names in check.systems.items()}
    systems = {role: name for role, name in cast.items() if name is not None}
    missing = [" or ".join(check.systems[role]) for role, name in cast.items() if name is None]
    if missing:
        return CheckResult(check, "not applicable", None, systems, f"no system named {'; none named '.join(missing)}")
    if check.metric != "slope" and check.metric not in evidence.metrics:
        return CheckResult(check, "not applicable", None, systems, f"{check.metric} was not scored")
    terms = [Term(term.weight, systems[term.system], Bucket(*term.words) if term.words else EVERYTHING) for term in check.terms]
    empty = sorted({str(term.bucket) for term in terms if evidence.sentences(term.bucket) < 2})
    if empty:
        return CheckResult(check, "not applicable", None, systems, f"no two sentences of {' or '.join(empty)} source words")
    return _judged(
        check, evidence.contrast(terms, check.metric), systems, evidence.underpowered(*(term.bucket for term in terms))
    )


def _judged(check: ShapeCheck, ours: Estimate, systems: Mapping[str, str], small: bool) -> CheckResult:
    """Outcome by where the interval lies."""
    if ours.low is None or ours.high is None:
        raise ValueError(f"check {check.id}: no interval")
    sides = {"above": ours.low > check.threshold, "below": ours.high < check.threshold}
    other = "below" if check.expect == "above" else "above"
    outcome: Outcome = "underpowered"
    if not small:
        outcome = "pass" if sides[check.expect] else "fail" if sides[other] else "underpowered"
    words = f"{ours.value:+.2f} [{ours.low:+.2f}, {ours.high:+.2f}], expected {check.expect} {check.threshold:g}"
    why = "; a bucket is too small" if small else "; the interval holds the limit" if outcome == "underpowered" else ""
    single = "; n=1 seed, interval over sentences only" if ours.covers == "sentences" else ""
    return CheckResult(check, outcome, ours, systems, f"{words}{why}{single}")
