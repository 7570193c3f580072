"""Probes on the page and in every file, where they were computed."""

import csv
import json

import pytest

from seq2seq.report import build_report, write_report
from tests.report.invented import PROBE, copy_of


@pytest.fixture(scope="module")
def probed(study, texts, tmp_path_factory):
    """The invented study with a probe's results beside its runs, and its report."""
    place = tmp_path_factory.mktemp("probed")
    folder = copy_of(study, place)
    (folder / "probe.json").write_text(json.dumps(PROBE))
    write_report(build_report(folder, {"test": texts}), folder / "report")
    return folder / "report"


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_headline_of_a_probe_is_exact_match(probed):
    report = json.loads((probed / "report.json").read_text())
    assert "right in every word, up to the 12 words of training: `none` 87.5 %, `additive` 97.5 %" in report["headline"]
    assert "On longer questions: `none` 25.0 %, `additive` 25.0 %" in report["headline"]


def test_exact_match_is_in_every_file(probed):
    assert json.loads((probed / "report.json").read_text())["probe"]["systems"]["additive"]["within"] == 0.975
    markdown = (probed / "report.md").read_text()
    assert "| additive | 97.5 [75.0, 100.0] | 25.0 [16.0, 37.0] | 97.5 % | 25.0 % |" in markdown
    assert "![Probe reverse: exact match](probe.png)" in markdown
    rows = rows_of(probed / "probe.csv")
    assert len([row for row in rows if row["by"] == "length"]) == 4
    assert len([row for row in rows if row["by"] == "position"]) == 96
    html = (probed / "index.html").read_text()
    assert "13–48 words (n=60)" in html
    assert (probed / "probe.png").stat().st_size > 5000


def test_joined_pairs_are_in_every_file_and_a_refusal_is_said(probed):
    markdown = (probed / "report.md").read_text()
    assert "| additive | 80.0 [75.0, 85.0] | 78.5 [72.0, 84.0] | refused |" in markdown
    assert "3 joined (22 words, n=20)" in markdown
    rows = rows_of(probed / "concatenation.csv")
    assert [row["bleu"] for row in rows if row["system"] == "additive"] == ["80.0", "78.5", ""]
    assert 'data-figure="concatenation"' in (probed / "index.html").read_text()


def test_without_probes_nothing_is_said_of_them(built):
    assert built.report.probe is None
    assert "right in every word" not in built.report.headline
