import json

import pytest

from seq2seq.config.errors import UserError
from seq2seq.report.analyses import ProbeReport
from seq2seq.report.published import TABLES, published_table
from seq2seq.scoring.shape_checks import ShapeCheck
from tests.report.invented import PROBE

CHECK = {
    "id": "it-helps", "paper": "Bahdanau, Cho, Bengio 2015", "where": "Table 1", "claim": "It helps.", "theirs": 8.93, "seen": True,
    "ours": "+7.0", "verdict": "pass", "systems": {},
}  # fmt: skip


@pytest.fixture
def published(built, tmp_path):
    report = built.report.model_copy(update={"probe": ProbeReport.model_validate(PROBE)})
    report.shape_checks = [ShapeCheck(**CHECK), ShapeCheck(**{**CHECK, "verdict": "not applicable"})]
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.json").write_text(report.model_dump_json(), encoding="utf-8")
    return tmp_path


def rows(name, published):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in published_table(name, published).splitlines()]


def test_every_table_has_a_cell_under_each_head(published):
    for name in TABLES:
        heads, _, *lines = rows(name, published)
        assert {len(line) for line in lines} == {len(heads)}, name


def test_numbers_are_those_of_the_report(published, built):
    found = built.report.systems["additive"]
    row = next(row for row in rows("lengths", published) if row[0] == "additive")
    assert row[1] == f"{found.bleu:.1f} [{found.low:.1f}, {found.high:.1f}]"
    assert row[2:] == [*(f"{bucket.bleu:.1f}" for bucket in found.buckets), "101,000", "2"]
    assert [row[0] for row in rows("ranking", published)[2:]] == [place.system for place in built.report.ranking]
    assert rows("probe", published)[-1] == ["additive", "97.5 %", "25.0 %"]
    assert rows("attention", published)[-1][:4] == ["additive", "0.210 [0.200, 0.220]", "80.0", "12.0"]


def test_checks_that_do_not_apply_are_left_out(published):
    assert rows("checks", published)[2:] == [["Bahdanau, Cho, Bengio 2015, Table 1", "It helps.", "pass", "+8.93", "+7.0"]]


def test_a_folder_without_a_report(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        published_table("lengths", tmp_path)


def test_a_report_that_is_none(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.json").write_text(json.dumps({"study": 3}))
    with pytest.raises(UserError, match="make the report again"):
        published_table("lengths", tmp_path)
