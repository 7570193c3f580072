"""Exact match of runs gathered for the report: means over seeds, with intervals that know that 100 % is not certain."""

import json

import pytest

from seq2seq.report.analyses import read_analyses
from seq2seq.report.analysis.collect import collect_analyses
from seq2seq.report.analysis.probe import length_ranges, match_exactly
from seq2seq.run.folder import write_aside

SOURCES = ["a", "a b", "a b c", "a b c d"] * 10


def write_probe(folder, system, seed, hypotheses):
    place = folder / system / f"seed-{seed}"
    write_aside(place / "config.yaml", "{}\n")
    content = {"task": "copy", **match_exactly(SOURCES, SOURCES, hypotheses, trained=2)}
    write_aside(place / "analysis" / "probe.json", json.dumps(content))


def test_ranges_are_halves_of_training_and_its_multiples():
    assert length_ranges(12, 48) == [(1, 6), (7, 12), (13, 24), (25, 36), (37, 48)]
    assert length_ranges(2, 4) == [(1, 1), (2, 2), (3, 4)]
    assert length_ranges(1, 1) == [(1, 1)]
    assert length_ranges(8, 40) == [(1, 4), (5, 8), (9, 16), (17, 32), (33, 40)]


def test_seeds_are_averaged_and_certainty_is_not_claimed(tmp_path):
    write_probe(tmp_path, "additive", 1, SOURCES)
    write_probe(tmp_path, "additive", 2, [line if len(line.split()) < 4 else "a a" for line in SOURCES])
    write_probe(tmp_path, "none", 1, SOURCES)
    assert collect_analyses(tmp_path) == ["probe"]
    found = read_analyses(tmp_path).probe
    assert (found.task, found.trained, found.n) == ("copy", 2, 40)
    additive, none = found.systems["additive"], found.systems["none"]
    assert (additive.exact, additive.within, additive.beyond) == (pytest.approx(7 / 8), 1.0, 0.75)
    assert [(row.min, row.max, row.n) for row in additive.by_length] == [(1, 1, 10), (2, 2, 10), (3, 4, 20)]
    assert all(row.low <= row.exact <= row.high for row in additive.by_length)
    assert none.by_length[0].exact == 1.0
    assert none.by_length[0].low == pytest.approx(0.722, abs=0.001)  # Wilson, 10 of 10
    assert (additive.by_length[2].low, additive.by_length[2].high) == (0.5, 1.0)  # the two seeds, which disagree
    assert [round(place.right, 3) for place in additive.by_position] == [1.0, 0.833, 0.75, 0.5]
