"""Probes in every form of the report, where they were computed."""

import json

import pytest

from seq2seq.report.build import build_report
from seq2seq.report.figures import report_figures
from seq2seq.report.markdown import markdown
from seq2seq.report.tables import report_rows
from tests.report.invented import PROBE, copy_of


@pytest.fixture(scope="module")
def probed(study, texts, tmp_path_factory):
    """The report of the invented study with a probe's results beside its runs."""
    folder = copy_of(study, tmp_path_factory.mktemp("probed"))
    (folder / "probe.json").write_text(json.dumps(PROBE))
    return build_report(folder, {"test": texts})


@pytest.fixture(scope="module")
def figures(probed):
    return report_figures(probed.report, probed.exhibits)


def test_exact_match_is_in_headline_markdown_and_rows(probed, built, figures):
    for number in ("`none` 87.5 %, `additive` 97.5 %", "`none` 25.0 %, `additive` 25.0 %"):
        assert number in probed.report.headline
        assert number not in built.report.headline
    text = markdown(probed.report, probed.exhibits, figures)
    assert "| additive | 97.5 [75.0, 100.0] | 25.0 [16.0, 37.0] | 97.5 % | 25.0 % |" in text
    assert "(probe.png)" in text
    rows = report_rows(probed.report)["probe"]
    assert [sum(row["by"] == by for row in rows) for by in ("length", "position")] == [4, 96]
    assert {figure.name for figure in figures} >= {"probe", "probe_positions"}


def test_joined_pairs_are_in_markdown_and_rows_and_a_refusal_is_said(probed, figures):
    text = markdown(probed.report, probed.exhibits, figures)
    assert "| additive | 80.0 [75.0, 85.0] | 78.5 [72.0, 84.0] | refused |" in text
    rows = report_rows(probed.report)["concatenation"]
    assert [row.get("bleu") for row in rows if row["system"] == "additive"] == [80.0, 78.5, None]
