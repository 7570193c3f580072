"""Reports on a study's runs, with intervals: as Markdown, HTML, JSON, CSV, LaTeX and plots."""

from seq2seq.report.build import BuiltReport, build_report
from seq2seq.report.schema import Report
from seq2seq.report.verify import Verification, verify_report
from seq2seq.report.write import report_schema, write_report

__all__ = ["BuiltReport", "Report", "Verification", "build_report", "report_schema", "verify_report", "write_report"]
