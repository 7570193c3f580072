"""Everything that a report consists of, into one folder."""

import json
from pathlib import Path
from typing import Any

from seq2seq.report.build import BuiltReport
from seq2seq.report.drawing import save
from seq2seq.report.figures import report_figures
from seq2seq.report.markdown import markdown
from seq2seq.report.page import page
from seq2seq.report.tables import write_tables
from seq2seq.run.folder import write_aside

_SMALL = 1e-3


def write_report(built: BuiltReport, folder: Path, *, without_text: bool = False) -> None:
    """Write index.html, report.md, report.json, CSV, LaTeX, and every figure as PNG, SVG and PDF.

    With `without_text` every sentence of the corpus is left out: sources, references, and the subwords under heat maps. The
    systems' hypotheses stay.
    """
    report, exhibits = built.report, built.exhibits.without_text() if without_text else built.exhibits
    figures = report_figures(report, exhibits)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = rounded(report.model_dump(mode="json"))
    texts = {
        "report.json": json.dumps(numbers, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n",
        "report.md": markdown(report, exhibits, figures),
        "index.html": page(report, exhibits, figures),
    }
    for name, text in texts.items():
        write_aside(folder / name, text)
    write_tables(report, exhibits, folder)
    for figure in figures:
        save(figure, folder / figure.name)


def rounded(value: Any) -> Any:
    """Numbers with no more digits than anybody compares: 8 decimals, 6 digits of what is smaller."""
    if isinstance(value, float):
        return round(value, 8) if abs(value) >= _SMALL else float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value
