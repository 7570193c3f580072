from dataclasses import replace

import pytest

from benchmarks.cells import PLAIN, Cell, Row, run_cell
from benchmarks.report import baseline, goals, report

MACHINE = {"processor": "a processor", "threads": 2, "torch": "2", "corpus": "multi30k"}
PRODUCTS = {"fp32 default": 200.0, "fp32 oneDNN": 400.0, "bf16": 800.0, "load": 0.1}


def row(rate, *, failed=0, kind="train", **names):
    figures = {
        "tokens_per_second": rate,
        "sentences_per_second": rate,
        "source_length": 14.0,
        "target_length": 13.0,
        "real_share": 0.97,
        "first_step_seconds": 2.0,
        "memory_mib": 1000 + (rate or 0),
        "load": 0.5,
    }
    cell = Cell(kind=kind, command=("nothing",), **names)
    return Row(cell, [{"failed": "status 1: no such option"}] * failed + ([figures] if rate else []))


ROWS = [
    row(9000.0, model="A1"),
    row(16000.0, model="A1", precision="bf16"),
    row(15000.0, model="A1", precision="auto"),
    row(5000.0, model="A1", who=PLAIN),
    row(12000.0, model="A1", who=PLAIN, keeps_memory=True),
    row(4000.0, model="A1", who="OpenNMT-py"),
    row(3000.0, failed=1, model="A1", who="eole"),
    row(4800.0, model="A1", who="OpenNMT-py", keeps_memory=True),
    row(None, failed=2, model="A1", who="JoeyNMT"),
    row(300.0, model="A1", kind="decode"),
]


def test_ratios_are_to_the_best_peer_with_the_same_allocator():
    assert baseline(ROWS, "train", "A1", keeps_memory=False).cell.who == "OpenNMT-py"
    assert baseline(ROWS[:4], "train", "A1", keeps_memory=False).cell.who == PLAIN
    assert baseline(ROWS[:3], "train", "A1", keeps_memory=False) is None
    text = report(MACHINE, PRODUCTS, ROWS, 8000)
    assert text.splitlines()[0].endswith("GFLOP/s: fp32 default 200, fp32 oneDNN 400, bf16 800.")
    assert "| A1, **this project**, fp32 | 9,000 | 2.25 | 1.88 |" in text
    assert "| A1, OpenNMT-py, keeps memory | 4,800 | 1.20 | 1.00 |" in text


def test_a_failure_is_a_row_and_loses_nothing_else():
    lines = report(MACHINE, PRODUCTS, ROWS, 8000).splitlines()
    (failed,) = [line for line in lines if "JoeyNMT" in line]
    assert failed.startswith("| A1, JoeyNMT | failed: status 1: no such option |")
    (header,) = [line for line in lines if line.startswith("| training")]
    assert failed.count("|") == header.count("|")
    assert any("eole (1 of 2 rounds failed) | 3,000" in line for line in lines)
    assert "failed" in report(MACHINE, {"failed": "no result"}, ROWS, 8000).splitlines()[0]


def test_goals_are_judged_for_the_measured_choice():
    text = "\n".join(goals(ROWS))
    assert "train A1: 3.75 x OpenNMT-py, goal 2.0: reached" in text
    assert "train A1: 3.12 x OpenNMT-py keeping memory, goal 1.5: reached" in text
    assert "train A1 auto: 1.25 x plain torch keeping memory, goal 1.3: missed" in text
    assert "train A1 auto: 0.94 x the best fixed choice, goal 0.95: missed" in text
    assert "decode" not in text
    assert "peak memory A1: 17000 MiB, lowest other 4000 (eole): missed" in text
    assert goals(ROWS[:2]) == []


def test_every_table_has_as_many_cells_as_columns():
    kinds = [row(5.0, kind=kind, model="A1") for kind in ("train", "decode", "start", "scale")]
    kinds.append(Row(Cell(kind="length", command=()), [{"lengths": [["A1", 50, 2**20]]}]))
    failed = [Row(replace(found.cell, model="A2"), [{"failed": "x"}]) for found in kinds]
    for part in report(MACHINE, PRODUCTS, [*kinds, *failed], 8000).split("\n\n")[1:]:
        counts = {line.count("|") for line in part.splitlines() if line.startswith("|")}
        assert len(counts) <= 1, part


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import sys; sys.exit('no file here')", "status 1: no file here"),
        ("print('hello')", "no figures"),
        ("import time; time.sleep(60)", "no result in 1 s"),
    ],
)
def test_a_cell_that_goes_wrong_says_why(tmp_path, code, why):
    (tmp_path / "badcell.py").write_text(code)
    cell = Cell(kind="train", command=("badcell",), limit=1 if "sleep" in code else 60)
    assert run_cell(cell, 1, {"PYTHONPATH": str(tmp_path)})["failed"].startswith(why)


def test_a_cell_gives_its_last_line_however_long(tmp_path):
    code = "import json, os; print('log'); print(json.dumps({'threads': os.environ['OMP_NUM_THREADS'], 'long': 'x' * 1000}))"
    (tmp_path / "goodcell.py").write_text(code)
    found = run_cell(Cell(kind="train", command=("goodcell",)), 3, {"PYTHONPATH": str(tmp_path)})
    assert found["threads"] == "3"
    assert len(found["long"]) == 1000
    assert found["load"] >= 0
