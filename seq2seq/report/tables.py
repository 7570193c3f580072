"""Tables: CSV for scripts and spreadsheets, LaTeX for papers."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.report.exhibits import Exhibits
from seq2seq.report.headline import lengths_in_words
from seq2seq.report.schema import Report, SystemReport
from seq2seq.scoring.length import LengthEffect
from seq2seq.scoring.results import BucketScores, Scores

SCORE_FIELDS = [name for name in Scores.model_fields if name != "seed_bleu"]


def write_tables(report: Report, exhibits: Exhibits, folder: Path) -> list[Path]:
    """Write the CSV files, `table.tex`, which fits a page, and `table_full.tex` with a column for every bucket.

    Returns:
        The files.
    """
    tables: dict[str, list[dict[str, Any]]] = {
        "systems": _systems(report),
        "buckets": _buckets(report),
        "comparisons": [comparison.model_dump() for comparison in report.comparisons],
        "ranking": [place.model_dump() for place in report.ranking],
        "learning_curves": _curves(report),
        "probe": _probe(report),
        "concatenation": _concatenation(report),
        "sentences": _sentences(exhibits),
    }
    paths = [_write_csv(folder / f"{name}.csv", rows) for name, rows in tables.items() if rows]
    for name, text in (("table.tex", latex_table(report)), ("table_full.tex", latex_table(report, full=True))):
        (folder / name).write_text(text, encoding="utf-8")
        paths.append(folder / name)
    return paths


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _systems(report: Report) -> list[dict[str, Any]]:
    return [
        {
            "system": name,
            **{field: getattr(system, field) for field in SCORE_FIELDS},
            "seeds": " ".join(map(str, system.seeds)),
            "parameters": system.parameters,
            "target_tokens": system.target_tokens,
            "steps": system.steps,
            "seconds": system.seconds,
            "difference": system.comparison.difference if system.comparison else None,
            "p_holm": system.comparison.p_holm if system.comparison else None,
            "bottleneck_index": system.bottleneck_index.slope if system.bottleneck_index else None,
            "bottleneck_low": system.bottleneck_index.low if system.bottleneck_index else None,
            "bottleneck_high": system.bottleneck_index.high if system.bottleneck_index else None,
            **_length(system.length),
            "signature": report.signature,
        }
        for name, system in report.systems.items()
    ]


def _length(effect: LengthEffect | None) -> dict[str, Any]:
    """Columns of what length does."""
    if effect is None:
        return {}
    half, ratio, points = effect.half_length, effect.log_ratio, effect.points
    return {
        "retention": effect.retention.value,
        "retention_low": effect.retention.low,
        "retention_high": effect.retention.high,
        "half_length": half.words if half else None,
        "half_length_low": half.low if half else None,
        "half_length_high": half.high if half else None,
        **{f"log_ratio{end}": getattr(ratio, key) if ratio else None for end, key in _ENDS.items()},
        **{f"points{end}": getattr(points, key) if points else None for end, key in _ENDS.items()},
    }


_ENDS = {"": "value", "_low": "low", "_high": "high"}


def _buckets(report: Report) -> list[dict[str, Any]]:
    kinds: dict[str, dict[str, Iterable[BucketScores]]] = {
        "fixed": {name: system.buckets for name, system in report.systems.items()},
        "equal_count": {name: system.buckets_equal_count for name, system in report.systems.items()},
    }
    return [
        {
            "edges": kind,
            "system": name,
            "min": bucket.min,
            "max": bucket.max,
            "mean_length": bucket.mean_length,
            **{field: getattr(bucket, field) for field in SCORE_FIELDS},
            "underpowered": bucket.underpowered,
        }
        for kind, systems in kinds.items()
        for name, buckets in systems.items()
        for bucket in buckets
    ]


def _curves(report: Report) -> list[dict[str, Any]]:
    return [
        {"system": name, "seed": curve.seed, **point.model_dump()}
        for name, curves in report.learning_curves.items()
        for curve in curves
        for point in curve.validation
    ]


def _probe(report: Report) -> list[dict[str, Any]]:
    """Exact match by length, then right words by position, one row each."""
    if report.probe is None:
        return []
    names = ("system", "by", "min", "max", "n", "share", "low", "high")
    rows: list[tuple[Any, ...]] = []
    for name, scores in report.probe.systems.items():
        rows += [(name, "length", r.min, r.max, r.n, r.exact, r.low, r.high) for r in scores.by_length]
        rows += [(name, "position", p.position, p.position, p.n, p.right, None, None) for p in scores.by_position]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _concatenation(report: Report) -> list[dict[str, Any]]:
    if report.concatenation is None:
        return []
    systems = report.concatenation.systems
    return [{"system": name, **point.model_dump()} for name, points in systems.items() for point in points]


def _sentences(exhibits: Exhibits) -> list[dict[str, Any]]:
    """Sentence scores without any text, one row a sentence."""
    return [
        {
            "sentence": index + 1,
            "source_words": length,
            **{
                f"{name}.seed-{seed}.{exhibits.sentence_metric}": scores[index]
                for name, by_seed in exhibits.sentence_scores.items()
                for seed, scores in by_seed.items()
            },
        }
        for index, length in enumerate(exhibits.lengths)
    ]


_LATEX = {char: f"\\{char}" for char in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def escape_latex(text: str) -> str:
    """Text as LaTeX prints it."""
    return "".join(_LATEX.get(char, char) for char in text)


def latex_table(report: Report, *, full: bool = False) -> str:
    """BLEU overall and by length with half-widths of intervals; a star where the difference to the baseline is shown.

    Args:
        report: the report.
        full: a column for every bucket, scaled to the width of the text, in place of the shortest and the longest bucket.
    """
    buckets = next(iter(report.systems.values())).buckets
    shown = list(range(len(buckets))) if full else sorted({0, len(buckets) - 1})
    names = [lengths_in_words(buckets[i].min, buckets[i].max).removesuffix(" source words") for i in shown]
    heads = ["System", "Param.", "Seeds", "BLEU", *names]
    table = [
        rf"\begin{{tabular}}{{lrr{'r' * (1 + len(shown))}}}",
        r"\toprule",
        " & ".join(map(escape_latex, heads)) + r" \\",
        r"\midrule",
        *(_latex_row(name, system, shown) for name, system in report.systems.items()),
        r"\midrule",
        " & ".join(["$n$", "", "", f"{report.n:,}", *(f"{buckets[i].n:,}" for i in shown)]) + r" \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    lines = [
        rf"% needs \usepackage{{booktabs{',graphicx' if full else ''}}}",
        r"\begin{table}\centering",
        *([r"\resizebox{\linewidth}{!}{%", *table[:-1], rf"{table[-1]}}}"] if full else table),
        rf"\caption{{{_caption(report)}}}",
        rf"\label{{tab:{_label(report.study)}{'-full' if full else ''}}}",
        r"\end{table}",
    ]
    return "\n".join([*lines, ""])


def _latex_row(name: str, system: SystemReport, shown: Sequence[int]) -> str:
    parameters = "--" if system.parameters is None else f"{system.parameters / 1e6:.2f}M"
    cells = [_latex_cell(scores) for scores in (system, *(system.buckets[i] for i in shown))]
    return " & ".join([escape_latex(name), parameters, str(len(system.seeds)), *cells]) + r" \\"


def _latex_cell(scores: Scores) -> str:
    comparison = getattr(scores, "comparison", None)
    star = "^{*}" if comparison is not None and comparison.verdict in ("better", "worse") else ""
    half = "" if scores.low is None or scores.high is None else rf"\,{{\scriptstyle\pm {(scores.high - scores.low) / 2:.1f}}}"
    return f"${scores.bleu:.1f}{star}{half}$"


def _label(study: str) -> str:
    return "".join(char if char.isalnum() else "-" for char in study)


def _caption(report: Report) -> str:
    level = float(report.evaluation.get("confidence", 0.95))
    words = f"BLEU on {report.split} by source {report.length_unit}, with half-widths of {level:.0%} intervals"
    words += " (one seed: over sentences)."
    star = rf" $^{{*}}$~differs from {escape_latex(report.baseline)} (Holm-corrected)." if report.baseline else ""
    signature = escape_latex(report.signature).replace("|", r"|\allowbreak{}")
    return rf"{escape_latex(words)}{star} Signature: \texttt{{{signature}}}."
