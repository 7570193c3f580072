"""Tables as files: CSV of everything in the report for scripts and spreadsheets, LaTeX for papers."""

import csv
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from seq2seq.config.differences import flatten
from seq2seq.report.exhibits import Exhibits
from seq2seq.report.headline import lends_seed_variance
from seq2seq.report.schema import Report
from seq2seq.report.score_tables import length_table
from seq2seq.report.values import as_latex, escape_latex

_NOT_OF_A_SYSTEM = {"runs", "buckets", "buckets_equal_count", "card", "changes", "parameters_by_block", "seed_bleu"}


def report_rows(report: Report) -> dict[str, list[dict[str, Any]]]:
    """Return the report as rows, by table: keys are those of `report.json`, nested ones joined by dots."""
    systems = report.systems
    return {
        "systems": [_row(each, _NOT_OF_A_SYSTEM, system=name, signature=report.signature) for name, each in systems.items()],
        "runs": [_row(run, system=name) for name, system in systems.items() for run in system.runs],
        "buckets": [
            _row(bucket, {"seed_bleu"}, edges=edges, system=name)
            for edges, key in (("fixed", "buckets"), ("equal_count", "buckets_equal_count"))
            for name, system in systems.items()
            for bucket in getattr(system, key)
        ],
        "comparisons": [_row(comparison) for comparison in report.comparisons],
        "ranking": [_row(place) for place in report.ranking],
        "learning_curves": [
            _row(point, system=name, seed=curve.seed)
            for name, curves in report.learning_curves.items()
            for curve in curves
            for point in curve.validation
        ],
        "probe": [
            _row(each, system=name, by=kind.removeprefix("by_"))
            for name, scores in (report.probe.systems if report.probe else {}).items()
            for kind in ("by_length", "by_position")
            for each in getattr(scores, kind)
        ],
        "concatenation": [
            _row(point, system=name)
            for name, points in (report.concatenation.systems if report.concatenation else {}).items()
            for point in points
        ],
    }


def write_tables(report: Report, exhibits: Exhibits, folder: Path) -> None:
    """Write a CSV file of each table that has rows, `table.tex`, which fits a page, and `table_full.tex` with every bucket."""
    for name, rows in (report_rows(report) | {"sentences": _sentences(exhibits)}).items():
        if rows:
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(key for row in rows for key in row)))
                writer.writeheader()
                writer.writerows(rows)
    for name, full in (("table.tex", False), ("table_full.tex", True)):
        (folder / name).write_text(latex_table(report, full=full), encoding="utf-8")


def _row(value: BaseModel, left_out: set[str] | None = None, /, **first: Any) -> dict[str, Any]:
    """Names that come first, then the leaves of a part of the report that have a value."""
    leaves = flatten(value.model_dump(mode="json", exclude=left_out, exclude_none=True))
    return first | {key: " ".join(map(str, leaf)) if isinstance(leaf, list) else leaf for key, leaf in leaves.items()}


def _sentences(exhibits: Exhibits) -> list[dict[str, Any]]:
    scores = {
        f"{name}.seed-{seed}.{exhibits.sentence_metric}": values
        for name, by_seed in exhibits.sentence_scores.items()
        for seed, values in by_seed.items()
    }
    return [
        {"sentence": index + 1, "source_words": length, **{name: values[index] for name, values in scores.items()}}
        for index, length in enumerate(exhibits.lengths)
    ]


def latex_table(report: Report, *, full: bool = False) -> str:
    """BLEU overall and by length with half-widths of intervals; a star where the difference to the baseline is shown.

    `full` has a column for every bucket, scaled to the width of the text, in place of the shortest and the longest bucket.
    """
    table = length_table(report)
    if not full:
        buckets = table.heads[2:-2]
        table = table.select([*table.heads[:2], *dict.fromkeys((buckets[0], buckets[-1])), *table.heads[-2:]])
    level, alone = report.evaluation["confidence"], "" if lends_seed_variance(report) else " (one seed: over sentences)"
    words = f"BLEU on {report.split} by source {report.length_unit}, with half-widths of {level:.0%} intervals{alone}."
    star = rf" $^{{*}}$~differs from {escape_latex(report.baseline)} (Holm-corrected)." if report.baseline else ""
    signature = escape_latex(report.signature).replace("|", r"|\allowbreak{}")
    return as_latex(
        table,
        caption=rf"{escape_latex(words)}{star} Signature: \texttt{{{signature}}}.",
        label="".join(char if char.isalnum() else "-" for char in report.study) + "-full" * full,
        fit=full,
    )
