"""`report --verify`: is the report what its runs say? Everything is scored again and compared number by number."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seq2seq.config.errors import UserError
from seq2seq.report.build import build_report
from seq2seq.report.runs import read_json
from seq2seq.report.schema import Report
from seq2seq.report.scoring import Texts

TOLERANCE = 1e-6
"""Points: far below a printed digit, above what another machine's arithmetic changes."""

_NOT_COMPARED = ("report_command", "texts_available", "notes")
_MOST = 50


@dataclass(frozen=True)
class Verification:
    """What came of it.

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
    if they are of just these hypotheses.

    Args:
        runs: the study's folder.
        report: `report.json`; by default the one in `<runs>/report/`.
        texts: split -> (source lines, reference lines).
        papers: the papers' numbers; must be given if they were when the report was made.

    Raises:
        UserError: there is no report, it is not one, or nothing is at hand to score with.
    """
    path = report or runs / "report" / "report.json"
    try:
        report_there = Report.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}; make the report again") from None
    stored = report_there.model_dump(mode="json")  # keys that came later have the value that was meant before
    split = report_there.split
    lines = (texts or {}).get(split)
    again = build_report(runs, texts, split=split, papers=papers, recount=lines is not None).report.model_dump(mode="json")
    found = list(differences(stored, again))
    count = sum(len(system["seeds"]) for system in again["systems"].values())
    basis = f"{split}: {again['n']:,} sentences of {count} runs, "
    basis += (
        "scored anew from the corpus."
        if lines is not None
        else "scored from the sentence statistics kept beside the runs, as the corpus is not at hand."
    )
    hidden = len(found) - _MOST
    return Verification(found if hidden <= 0 else [*found[:_MOST], f"... and {hidden} more"], basis)


def differences(stored: Any, again: Any, path: str = "") -> Iterator[str]:
    """Every place in which two JSON values differ, as `systems.additive.bleu: report 92.0, scored again 91.8`."""
    if isinstance(stored, dict) and isinstance(again, dict):
        for key in dict.fromkeys([*stored, *again]):
            if path or key not in _NOT_COMPARED:
                place = f"{path}.{key}" if path else key
                yield from differences(stored.get(key, "(absent)"), again.get(key, "(absent)"), place)
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        for index, pair in enumerate(zip(stored, again, strict=True)):
            yield from differences(*pair, f"{path}.{index}")
    elif not _equal(stored, again):
        yield f"{path}: report {_short(stored)}, scored again {_short(again)}"


def _equal(stored: Any, again: Any) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (stored, again))
    return math.isclose(stored, again, rel_tol=1e-9, abs_tol=TOLERANCE) if numbers else bool(stored == again)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
