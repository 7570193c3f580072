import json

import pytest

from seq2seq.config.errors import UserError
from seq2seq.report.published import attention_table, checks_table, length_table, probe_table, ranking_table

BUCKETS = [{"min": 1, "max": 10, "n": 7, "bleu": 20.04}, {"min": 11, "max": None, "n": 5, "bleu": 9.96}]
SYSTEM = {"bleu": 15.0, "low": 14.25, "high": 15.75, "buckets": BUCKETS, "parameters": 1234, "seeds": [1, 2]}
CHECK = {
    "paper": "Bahdanau, Cho, Bengio 2015",
    "where": "Table 1",
    "claim": "It helps.",
    "theirs": 8.93,
    "seen": True,
    "ours": "+7.0 [+6.0, +8.0]",
    "verdict": "pass",
}


@pytest.fixture
def study(tmp_path):
    report = {
        "baseline": "none",
        "systems": {"none": SYSTEM, "dot": {**SYSTEM, "comparison": {"difference": 6.96, "verdict": "better"}}},
        "ranking": [{"system": "dot", "rank": 1, "low": 1, "high": 2}, {"system": "none", "rank": 2, "low": 1, "high": 2}],
        "shape_checks": [
            CHECK,
            {**CHECK, "paper": "Vinyals 2014", "seen": False, "verdict": "fail"},
            {**CHECK, "verdict": "not applicable"},
        ],
    }
    parts = [{"min": 1, "max": 6, "n": 9, "exact": 1.0}, {"min": 7, "max": 12, "n": 8, "exact": 0.125}]
    report["probe"] = {"systems": {"none": {"by_length": parts}}}
    error = {"aer": 0.2, "low": 0.1, "high": 0.3}
    report["alignment"] = {"systems": {"dot": error}, "baselines": {"diagonal": {"aer": 0.6}}}
    report["interventions"] = {"systems": {"dot": {"original": {"bleu": 40.0}, "uniform": {"bleu": 0.96}}}}
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.json").write_text(json.dumps(report), encoding="utf-8")
    return tmp_path


def test_lengths(study):
    lines = length_table(study).splitlines()
    assert lines[0] == "| system | BLEU | 1-10 | 11+ | parameters | seeds |"
    assert lines[2] == "| *sentences* |  | 7 | 5 |  |  |"
    assert lines[3] == "| none | 15.0 [14.2, 15.8] | 20.0 | 10.0 | 1,234 | 2 |"


def test_ranking(study):
    first, second = ranking_table(study).splitlines()[2:]
    assert first == "| 1 [1, 2] | dot | 15.0 [14.2, 15.8] | +7.0 (better) | 1,234 |"
    assert second == "| 2 [1, 2] | none | 15.0 [14.2, 15.8] |  | 1,234 |"


def test_checks_that_do_not_apply_are_left_out(study):
    rows = checks_table(study).splitlines()[2:]
    assert rows[0] == "| Bahdanau et al. 2015, Table 1 | It helps. | +8.93 | +7.0 [+6.0, +8.0] | pass |"
    assert rows[1].startswith("| Vinyals 2014, Table 1 |")
    assert "| +8.93 |" in rows[1]
    assert len(rows) == 2


def test_probe(study):
    assert probe_table(study).splitlines()[2:] == ["| *questions* | 9 | 8 |", "| none | 100.0 | 12.5 |"]


def test_attention(study):
    assert attention_table(study).splitlines() == [
        "| system | AER | BLEU | uniform |",
        "| --- | ---: | ---: | ---: |",
        "| *diagonal* | 0.600 |  |  |",
        "| dot | 0.200 [0.100, 0.300] | 40.0 | 1.0 |",
    ]


def test_a_folder_without_a_report(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        length_table(tmp_path)
