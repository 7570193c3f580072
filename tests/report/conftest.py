"""The invented study and its report, made once for all tests here."""

from pathlib import Path

import pytest

from seq2seq.corpus.prepare import SplitText
from seq2seq.report.build import build_report
from seq2seq.report.charts import Figure
from seq2seq.report.figures import report_figures
from seq2seq.report.write import write_report
from tests.report.invented import invent_texts, write_study


@pytest.fixture(scope="session")
def texts() -> SplitText:
    return invent_texts()


@pytest.fixture(scope="session")
def study(tmp_path_factory, texts) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "invented"
    write_study(folder, texts)
    return folder


@pytest.fixture(scope="session")
def built(study, texts):
    return build_report(study, {"test": texts}, command="python evaluate.py report runs/invented")


@pytest.fixture(scope="session")
def figures(built) -> list[Figure]:
    return report_figures(built.report, built.exhibits)


@pytest.fixture(scope="session")
def folder(built, tmp_path_factory) -> Path:
    """All files of the report; nothing is changed there."""
    place = tmp_path_factory.mktemp("report")
    write_report(built, place)
    return place
