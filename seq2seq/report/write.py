"""Everything that a report consists of, into one folder."""

from pathlib import Path

from seq2seq.report.build import BuiltReport
from seq2seq.report.figures import report_figures, save
from seq2seq.report.markdown import markdown
from seq2seq.report.page import page
from seq2seq.report.schema import Report
from seq2seq.report.tables import write_tables
from seq2seq.run.folder import write_aside


def write_report(built: BuiltReport, folder: Path, *, without_text: bool = False) -> list[Path]:
    """Write index.html, report.md, report.json, CSV, LaTeX, and every figure as PNG, SVG and PDF; returns the files.

    With `without_text` every sentence of the corpus is left out: sources, references, and the subwords under heat maps. The
    systems' hypotheses stay.
    """
    report, exhibits = built.report, built.exhibits.without_text() if without_text else built.exhibits
    figures = report_figures(report, exhibits)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "report.json": report.model_dump_json(indent=1) + "\n",
        "report.md": markdown(report, exhibits, figures),
        "index.html": page(report, exhibits, figures),
    }
    for name, text in texts.items():
        write_aside(folder / name, text)
    return [
        *(folder / name for name in texts),
        *write_tables(report, exhibits, folder),
        *(path for figure in figures for path in save(figure, folder / figure.name)),
    ]


def report_schema() -> dict[str, object]:
    """JSON schema of `report.json`."""
    schema = Report.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
