"""`report --verify`: is the report what its runs say? Everything is scored again and compared number by number."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.config.differences import differences
from seq2seq.config.errors import RunError, UserError, counted
from seq2seq.corpus.prepare import SplitText
from seq2seq.report.build import STATISTICS, build_report
from seq2seq.report.runs import is_published, read_report, study_folders, unpacked
from seq2seq.report.scoring import SLOW
from seq2seq.report.study import check_texts, report_folder, texts_of

TOLERANCE = 1e-6
"""Points: far below a printed digit, above what another machine's arithmetic changes."""

_NOT_COMPARED = ("report_command", "texts_available", "notes")
_LATER = ("chance", "above_chance")
"""Figures that reports of earlier versions do not have."""
_SENTENCES = {"headline", "bottleneck_caution", "sentence", "words", "explanation", "ours", "differs", "unit"}
"""Fields in words: their numbers are compared, in any order, and a better wording is no difference."""
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*")
_SCORES = {
    *("n", "min", "max", "mean_length", "bleu", "chrf", "ter", "brevity", "length_ratio", "empty", "truncated", "exact"),
    *("repeated", "seed_bleu", "seed", "seeds", "status", "steps", "target_tokens", "hypotheses_sha256", "parameters"),
    *("runs", "systems", "buckets", "buckets_equal_count"),
}
"""What no method of statistics changes: scores, counts and what they were made from."""


def verify_study(runs: Path, split: str | None = None) -> None:
    """Score the stored hypotheses again; a `RunError` if the report differs from what they score now."""
    path = report_folder(runs, split) / "report.json"
    with unpacked(runs) as place:
        folders, _ = study_folders(place)
        texts = texts_of(folders, [] if split is None else [split])
        try:
            check_texts(folders, texts)
        except UserError:
            if not is_published(runs) or not (place / "statistics").exists():
                raise
            print("the corpus here holds other sentences than were translated, so stored counts are used")
            texts = {}
        result = verify_report(place, path, texts)
    print(result.basis)
    if result.differences:
        listed = "; ".join(result.differences[:5])
        again = "; if runs were tuned, probed or trained since, make the report again"
        raise RunError(f"{runs}: {counted(len(result.differences), 'difference')} to the report: {listed}{again}")
    print("the report stands: every number is the same again")


class Verification(NamedTuple):
    """Differences to the report, one line each, and what the scores were made from, as a sentence."""

    differences: list[str]
    basis: str


def verify_report(runs: Path, report: Path | None = None, texts: Mapping[str, SplitText] | None = None) -> Verification:
    """Score the stored hypotheses again and compare with a report, by default `<runs>/report/report.json`.

    With the corpus at hand (`texts` by split) sacreBLEU counts every hypothesis anew; without it the counts kept beside the
    runs are taken, if they are of just these hypotheses. A report of an earlier version of the statistics is compared score by
    score, as its intervals and verdicts were made by other methods. A split that was first translated after the report was made
    is no difference.
    """
    known = read_report(report or runs / "report" / "report.json")
    stored = known.model_dump(mode="json")  # keys that came later have the value that was meant before
    split, lines = known.split, (texts or {}).get(known.split)
    built = build_report(runs, texts, split=split, recount=lines is not None)
    again = built.report.model_dump(mode="json")
    for system in (*stored["systems"].values(), *again["systems"].values()):
        del system["card"]  # what a mechanism is says the code, not the runs
    again["other_splits"] = {name: each for name, each in again["other_splits"].items() if name in known.other_splits}
    count = sum(len(system["seeds"]) for system in again["systems"].values())
    basis = f"{split}: {counted(again['n'], 'sentence')} of {counted(count, 'run')}, "
    slow = f" ({SLOW.upper()}: from the counts kept beside the runs, if they are of these lines)" * (SLOW in known.signatures)
    basis += (
        f"scored anew from the corpus{slow}."
        if lines is not None
        else "scored from the sentence statistics kept beside the runs, as the corpus is not at hand."
    )
    if known.statistics == STATISTICS:
        return Verification(compare_reports(stored, again), basis)
    basis += (
        f" Scores only: intervals and verdicts of this report are by statistics {known.statistics}, this version has "
        f"{STATISTICS}; make the report again to have them."
    )
    return Verification(compare_reports(*({"systems": _only_scores(each["systems"])} for each in (stored, again))), basis)


def compare_reports(stored: Mapping[str, Any], again: Mapping[str, Any]) -> list[str]:
    """List every place in which two reports differ, as `systems.additive.bleu: report 92.0, scored again 91.8`."""

    def short(value: Any) -> str:
        return str(value) if len(str(value)) <= 80 else f"{str(value)[:77]}..."

    before, after = (
        {key: _without_wording(report[key], key) for key in report if key not in _NOT_COMPARED} for report in (stored, again)
    )
    return [
        f"{path}: report {short(old)}, scored again {short(new)}"
        for path, old, new in differences(before, after, equal=_equal)
        if old is not None or path.split(".")[-1] not in _LATER
    ]


def _without_wording(value: Any, field: str) -> Any:
    """A part of the report with the numbers of each sentence in its place."""
    if isinstance(value, dict):
        return {key: _without_wording(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_wording(each, field) for each in value]
    return sorted(_NUMBER.findall(value)) if field in _SENTENCES and isinstance(value, str) else value


def _only_scores(value: Any, *, inside: bool = False) -> Any:
    """Systems with scores, counts and their origin, and nothing that statistics add."""
    if isinstance(value, dict):
        return {key: _only_scores(each, inside=True) for key, each in value.items() if not inside or key in _SCORES}
    return [_only_scores(each, inside=True) for each in value] if isinstance(value, list) else value


def _equal(stored: Any, again: Any) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (stored, again))
    return math.isclose(stored, again, rel_tol=1e-9, abs_tol=TOLERANCE) if numbers else bool(stored == again)
