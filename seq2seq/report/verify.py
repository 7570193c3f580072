"""`report --verify`: is the report what its runs say? Everything is scored again and compared number by number."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq.config.differences import differences
from seq2seq.report.build import STATISTICS, build_report
from seq2seq.report.runs import read_report, unpacked
from seq2seq.report.scoring import Texts

TOLERANCE = 1e-6
"""Points: far below a printed digit, above what another machine's arithmetic changes."""

_NOT_COMPARED = ("report_command", "texts_available", "notes")
_SCORES = {
    *("n", "min", "max", "mean_length", "bleu", "chrf", "ter", "brevity", "length_ratio", "empty", "truncated", "exact"),
    *("repeated", "seed_bleu", "seed", "seeds", "status", "steps", "target_tokens", "hypotheses_sha256", "parameters"),
    *("runs", "systems", "buckets", "buckets_equal_count"),
}
"""What no method of statistics changes: scores, counts and what they were made from."""
_MOST = 50


@dataclass(frozen=True)
class Verification:
    """Result of a verification.

    Attributes:
        differences: one line each, empty if the report stands.
        basis: what the scores were made from, as a sentence.
    """

    differences: list[str]
    basis: str

    @property
    def passed(self) -> bool:
        """Whether the report is what its runs say."""
        return not self.differences


def verify_report(
    runs: Path, report: Path | None = None, texts: Mapping[str, Texts | None] | None = None, *, papers: Path | None = None
) -> Verification:
    """Score the stored hypotheses again and compare with a report.

    With the corpus at hand sacreBLEU counts every hypothesis anew; without it the counts kept beside the runs are taken,
    if they are of just these hypotheses. A report of an earlier version of the statistics is compared score by score; its
    intervals, p and verdicts were made by other methods, and `basis` says so.

    Args:
        runs: the study's folder, a published one as well.
        report: `report.json`; by default the one in `<runs>/report/`.
        texts: split -> (source lines, reference lines).
        papers: the papers' numbers; must be given if they were when the report was made.

    Raises:
        UserError: there is no report, it is not one, or nothing is at hand to score with.
    """
    path = report or runs / "report" / "report.json"
    known = read_report(path)
    stored = known.model_dump(mode="json")  # keys that came later have the value that was meant before
    split, lines = known.split, (texts or {}).get(known.split)
    with unpacked(runs) as folder:
        built = build_report(folder, texts, split=split, papers=papers, recount=lines is not None)
    again = built.report.model_dump(mode="json")
    earlier = known.statistics != STATISTICS
    pair = ({"systems": _only_scores(each["systems"])} for each in (stored, again)) if earlier else (stored, again)
    found = compare_reports(*pair)
    count = sum(len(system["seeds"]) for system in again["systems"].values())
    basis = f"{split}: {again['n']:,} sentences of {count} runs, "
    basis += (
        "scored anew from the corpus."
        if lines is not None
        else "scored from the sentence statistics kept beside the runs, as the corpus is not at hand."
    )
    if earlier:
        basis += (
            f" Scores only: intervals and verdicts of this report are by statistics {known.statistics}, this version has "
            f"{STATISTICS}; make the report again to have them."
        )
    hidden = len(found) - _MOST
    return Verification(found if hidden <= 0 else [*found[:_MOST], f"... and {hidden} more"], basis)


def compare_reports(stored: Mapping[str, Any], again: Mapping[str, Any]) -> list[str]:
    """List every place in which two reports differ, as `systems.additive.bleu: report 92.0, scored again 91.8`."""
    before, after = ({key: report[key] for key in report if key not in _NOT_COMPARED} for report in (stored, again))
    return [
        f"{path}: report {_short(old)}, scored again {_short(new)}"
        for path, old, new in differences(before, after, equal=_equal)
    ]


def _only_scores(systems: dict[str, Any]) -> dict[str, Any]:
    """Systems with scores, counts and their origin, and nothing that statistics add."""

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: kept(each) for key, each in value.items() if key in _SCORES}
        return [kept(each) for each in value] if isinstance(value, list) else value

    return {name: kept(system) for name, system in systems.items()}


def _equal(stored: Any, again: Any) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (stored, again))
    return math.isclose(stored, again, rel_tol=1e-9, abs_tol=TOLERANCE) if numbers else bool(stored == again)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
